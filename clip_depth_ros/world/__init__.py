# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The synthetic drive: a procedural street, rendered with exact depth; start at ``drive``.

From the bottom: ``things`` (classes), ``shapes`` and ``solids`` (what a ray meets), ``rays`` and
``trace`` (casting); ``street``, ``motion``, ``prefabs``, ``movers``, ``blocks``, ``frontages``,
``kerbside`` and ``traffic`` (what stands or moves where); ``light``, ``noise``, ``surface`` and
``paint*`` (looks); ``scene``, ``render`` and ``lidar`` (one cast for both sensors).
"""
