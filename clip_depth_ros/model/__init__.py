# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Frozen CLIP and the depth methods on top of it (torch).

From the bottom: ``open_clip_parts``, ``architecture``, ``tensor_files``, ``weights``, ``hub``,
``pretrained`` and ``devices`` (which CLIP, from where, on what); ``towers``, ``text`` and
``backbone`` (images and sentences in one space); ``depthclip`` and ``scenes``; ``decoder``,
``clip2depth``, ``clip2depth_weights``, ``clipseg``.
"""
