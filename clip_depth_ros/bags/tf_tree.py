# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which frame is where: the transforms that a recording holds."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clip_depth_ros.core.transforms import Matrix4, matrix_from
from clip_depth_ros.errors import CalibrationError
import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class TransformTree:
    """
    Frames and the rigid transforms between them.

    Attributes
    ----------
    steps : mapping
        ``T_a_b``, which takes points of b to a, by (a, b); both ways.

    """

    steps: Mapping[tuple[str, str], Matrix4] = field(default_factory=dict)

    def with_message(self, message: Any) -> TransformTree:
        """
        Take in a ``tf2_msgs/TFMessage``: the same tree if it says nothing new.

        Raises
        ------
        CalibrationError
            If a rotation has no direction.

        """
        steps = dict(self.steps)
        for stamped in message.transforms:
            parent = plain_frame(stamped.header.frame_id)
            child = plain_frame(stamped.child_frame_id)
            T_parent_child = matrix_from(stamped.transform)
            known = steps.get((parent, child))
            if known is None or not np.array_equal(known, T_parent_child):
                steps[parent, child] = T_parent_child
                steps[child, parent] = np.asarray(np.linalg.inv(T_parent_child), np.float64)
        is_new = any(self.steps.get(frames) is not T for frames, T in steps.items())
        return TransformTree(steps) if is_new else self

    def transform(self, target: str, source: str) -> Matrix4:
        """
        Give what takes points of the source frame to the target frame, float64 (4, 4).

        Raises
        ------
        CalibrationError
            If no chain of transforms leads from one to the other.

        """
        target, source = plain_frame(target), plain_frame(source)
        reached: dict[str, Matrix4] = {source: np.eye(4)}
        waiting = deque([source])
        while waiting and target not in reached:
            frame = waiting.popleft()
            for (following, known), T_following_known in self.steps.items():
                if known == frame and following not in reached:
                    reached[following] = T_following_known @ reached[frame]
                    waiting.append(following)
        if target not in reached:
            frames = sorted({frame for frame, _ in self.steps})
            raise CalibrationError(
                f'no static transforms lead from {source!r} to {target!r}; there are those of '
                f'{frames}: give the 4 x 4 that takes LiDAR points to the camera, or record the '
                'missing ones on /tf_static'
            )
        return reached[target]


def plain_frame(frame_id: str) -> str:
    """Give a frame's name without ROS 1's leading slash."""
    return frame_id.lstrip('/')
