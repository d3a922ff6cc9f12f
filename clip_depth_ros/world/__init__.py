# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The synthetic drive: a procedural street, rendered with exact depth; start at ``drive``.

From the bottom: ``things`` (classes, solids), ``rays`` and ``casting`` (what a ray meets);
``street``, ``prefabs``, ``roadside`` and ``traffic`` (what is, stands and moves where);
``look`` (what all that looks like); ``rig`` (which camera, and how it is mounted); ``scene``,
``camera`` and ``lidar`` (one cast for both sensors); ``drive``; ``rendered_streets`` (frames of
many streets, kept in files).
"""
