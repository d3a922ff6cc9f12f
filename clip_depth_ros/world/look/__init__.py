# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What the rendered world looks like; never where anything is: depth and classes stay exact.

``patterns`` (noise, stripes) and ``manner`` (how far a drive strays); ``fronts``, ``paint`` and
``ground`` (surfaces); ``light`` and ``shade`` (sun, sky, air, lamps, shadows from out of view);
``lighting`` (all of that for the pixels of a camera); ``film`` (what the camera makes of it).
``looks`` draws a drive's looks from its seed.
"""
