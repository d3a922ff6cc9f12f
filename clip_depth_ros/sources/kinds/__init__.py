# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The kinds of data: one module each, found by being here.

A module has a ``KIND`` (see :class:`clip_depth_ros.sources.registry.Kind`), which says how a
source is recognised, which settings it uses and how it is opened.
"""
