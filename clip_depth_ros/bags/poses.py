# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where a camera is: the static transforms of a recording, and how poses change over time."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
import math
from typing import Any, Final

from clip_depth_ros.bags.places import Place
from clip_depth_ros.core.stamps import PairBy, stamp_ns_of
from clip_depth_ros.core.transforms import Matrix4, matrix_from, quaternion_from
from clip_depth_ros.errors import CalibrationError, did_you_mean
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class TransformTree:
    """Frames: ``steps[a, b]`` is ``T_a_b``, which takes points of b to a; it has both ways."""

    steps: Mapping[tuple[str, str], Matrix4] = field(default_factory=dict)

    def with_message(self, message: Any) -> TransformTree:
        """
        Take in a ``tf2_msgs/TFMessage``: the same tree if it says nothing new.

        CalibrationError if a rotation has no direction.
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
        Return the transform of points from the source frame to the target frame, float64 (4, 4).

        CalibrationError if no chain of transforms leads from one to the other.
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
    """Return a frame's name without ROS 1's leading slash."""
    return frame_id.lstrip('/')


MAX_APART_NS: Final = 200_000_000
"""Our choice: transforms that are farther from an image than 0.2 s are not interpolated."""


class PoseTree:
    """
    Frames, the parent of each, and the transform between the two as it changed.

    A frame has one parent, as in tf: the latest one counts, from when it was first named. What
    moves counts at the times that images are paired by: its own stamps, or when it was received.
    """

    def __init__(self, pair_by: PairBy = 'header') -> None:
        self._edges: dict[str, _Edge] = {}
        self._by_stamp = pair_by == 'header'

    def add(self, message: Any, received_ns: int, *, is_static: bool) -> None:
        """
        Add a ``tf2_msgs/TFMessage`` of ``/tf`` or ``/tf_static``; what is not rigid is left out.

        Static transforms hold from when they were received, the first ones before that too; of
        those that move and have one time, the one counts that was received nearest to the image.
        """
        for stamped in message.transforms:
            try:
                T_parent_child = matrix_from(stamped.transform)
            except CalibrationError:
                continue
            if np.isfinite(T_parent_child).all():
                parent = plain_frame(stamped.header.frame_id)
                child = plain_frame(stamped.child_frame_id)
                edge = self._edges.get(child)
                if edge is None or (edge.parent, edge.is_static) != (parent, is_static):
                    edge = self._edges[child] = _Edge(parent, is_static)
                by_stamp = self._by_stamp and not is_static
                time_ns = stamp_ns_of(stamped.header) if by_stamp else received_ns
                edge.add(time_ns, received_ns, T_parent_child)

    def pose(
        self, image: Place, *, fixed_frame: str = '', tolerance_ns: int = 0
    ) -> Matrix4 | None:
        """
        Return ``T_fixed_image``: it takes points of an image's frame to one that does not move.

        An empty ``fixed_frame`` is the root of the tree that the image's frame is in;
        CalibrationError if a named one is none of the frames that have transforms. None
        where a transform of the chain is not known at the image's time, and where nothing in the
        chain moves: a camera that was only ever calibrated may have been carried around.

        Our choice: between two transforms, positions lie on a line and rotations on the shortest
        arc, both at constant speed, if each is within ``MAX_APART_NS`` of the image; else the
        nearest counts if it is within ``tolerance_ns``.
        """
        ups = self._ancestors(plain_frame(image.frame_id))
        fixed_ups = self._fixed_ancestors(plain_frame(fixed_frame)) if fixed_frame else ups[-1:]
        branches = _branches(ups, fixed_ups)
        if branches is None or all(
            self._edges[frame].is_static for branch in branches for frame in branch
        ):
            return None
        return self._across(*branches[::-1], image, tolerance_ns)

    def transform(
        self, image: Place, frame_id: str, *, tolerance_ns: int = 0
    ) -> Matrix4 | None:
        """
        Return what takes points of a frame to that of an image, at its time, moving or not.

        Transforms of ``/tf`` that never change hold at all times: what is mounted is often told
        there, again and again. None where one that moves is not known.
        """
        ups, others = (self._ancestors(plain_frame(id_)) for id_ in (image.frame_id, frame_id))
        branches = _branches(ups, others)
        return branches and self._across(*branches, image, tolerance_ns, are_mounted=True)

    def _across(
        self,
        down: Sequence[str],
        up: Sequence[str],
        image: Place,
        tolerance_ns: int,
        *,
        are_mounted: bool = False,
    ) -> Matrix4 | None:
        """Return ``T_a_b`` of the first frames a and b of two branches that end alike."""
        T_common_down = self._chain(down, image, tolerance_ns, are_mounted=are_mounted)
        T_common_up = self._chain(up, image, tolerance_ns, are_mounted=are_mounted)
        if T_common_down is None or T_common_up is None:
            return None
        return np.asarray(np.linalg.inv(T_common_down) @ T_common_up, np.float64)

    def _ancestors(self, frame: str) -> list[str]:
        """Return a frame, its parent, and so on up to the root (or once around a loop)."""
        ups = [frame]
        while (edge := self._edges.get(ups[-1])) and edge.parent not in ups:
            ups.append(edge.parent)
        return ups

    def _fixed_ancestors(self, fixed_frame: str) -> list[str]:
        frames = {*self._edges, *(edge.parent for edge in self._edges.values())}
        if fixed_frame not in frames:
            raise CalibrationError(
                f'fixed_frame {fixed_frame!r} is not on /tf or /tf_static; there are '
                f'{sorted(frames) or "no transforms at all"}{did_you_mean(fixed_frame, frames)}'
            )
        return self._ancestors(fixed_frame)

    def _chain(
        self, frames: Sequence[str], image: Place, tolerance_ns: int, *, are_mounted: bool
    ) -> Matrix4 | None:
        """Return the transform from the first frame to the parent of the last."""
        T_parent_first = np.eye(4)
        for frame in frames:
            edge = self._edges[frame]
            is_fixed = are_mounted and edge.is_constant
            T_parent_frame = edge.first() if is_fixed else edge.at(image, tolerance_ns)
            if T_parent_frame is None:
                return None
            T_parent_first = T_parent_frame @ T_parent_first
        return T_parent_first


def _branches(ups: Sequence[str], others: Sequence[str]) -> tuple[list[str], list[str]] | None:
    """Return both lines of ancestors up to, without, the first frame that they share."""
    common = next((frame for frame in ups if frame in others), None)
    if common is None:
        return None
    return [*ups[:ups.index(common)]], [*others[:others.index(common)]]


@dataclass(slots=True)
class _Edge:
    """The transform from a frame to its parent over time."""

    parent: str
    is_static: bool
    times_ns: array[int] = field(default_factory=lambda: array('q'))
    received_ns: array[int] = field(default_factory=lambda: array('q'))
    numbers: array[float] = field(default_factory=lambda: array('d'))
    is_constant: bool = True
    by_time: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]] | None = None
    """The same as arrays, by time and receipt; made when they are first needed."""

    def add(self, time_ns: int, received_ns: int, T_parent_child: Matrix4) -> None:
        self.times_ns.append(time_ns)
        self.received_ns.append(received_ns)
        self.numbers.extend(T_parent_child[:3].ravel())
        self.is_constant = self.is_constant and self.numbers[:12] == self.numbers[-12:]
        self.by_time = None

    def first(self) -> Matrix4:
        """Return the transform that was told first."""
        return np.vstack([np.reshape(self.numbers[:12], (3, 4)), [0.0, 0.0, 0.0, 1.0]])

    def at(self, image: Place, tolerance_ns: int) -> Matrix4 | None:
        """Return the transform at the time of an image, None where it is not known."""
        if self.by_time is None:
            self.by_time = self._sorted()
        times_ns, received_ns, matrices = self.by_time
        if self.is_static:
            n_until = int(np.searchsorted(times_ns, image.received_ns, 'right'))
            T_parent_child: Matrix4 = matrices[max(0, n_until - 1)]
            return T_parent_child
        n_before = int(np.searchsorted(times_ns, image.time_ns, 'right'))
        around_ns = times_ns[max(0, n_before - 1):n_before + 1].tolist()
        apart_ns = [abs(time_ns - image.time_ns) for time_ns in around_ns]
        near: list[Matrix4] = []
        for time_ns in around_ns:
            # Of several of one time, the one that was received nearest to the image.
            first, end = np.searchsorted(times_ns, (time_ns, time_ns + 1))
            nearest = np.abs(received_ns[first:end] - image.received_ns).argmin()
            near.append(matrices[first + nearest])
        if len(near) == 2 and min(apart_ns) > 0 and max(apart_ns) <= MAX_APART_NS:
            return interpolated(near[0], near[1], apart_ns[0] / sum(apart_ns))
        nearest_ns = min(apart_ns)
        return near[apart_ns.index(nearest_ns)] if nearest_ns <= tolerance_ns else None

    def _sorted(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        order = np.lexsort((self.received_ns, self.times_ns))
        matrices = np.tile(np.eye(4), (len(order), 1, 1))
        matrices[:, :3] = np.reshape(self.numbers, (-1, 3, 4))[order]
        return np.array(self.times_ns)[order], np.array(self.received_ns)[order], matrices


def interpolated(T_a: Matrix4, T_b: Matrix4, share: float) -> Matrix4:
    """
    Return the rigid transform that lies between two, by a share from 0 (a) to 1 (b).

    The position lies on the line between the two, the rotation on the shortest arc (slerp: about
    the axis of the one relative to the other, by this share of its angle).
    """
    matrix = np.eye(4)
    matrix[:3, :3] = T_a[:3, :3].T @ T_b[:3, :3]
    x, y, z, w = quaternion_from(matrix)
    sine = math.hypot(x, y, z)
    matrix[:3, :3] = np.eye(3)
    if sine > 0:
        angle = 2 * math.atan2(sine, w) * share
        crossing = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) / sine
        # Rodrigues' formula.
        matrix[:3, :3] += math.sin(angle) * crossing + (1 - math.cos(angle)) * crossing @ crossing
    matrix[:3, :3] = T_a[:3, :3] @ matrix[:3, :3]
    matrix[:3, 3] = (1 - share) * T_a[:3, 3] + share * T_b[:3, 3]
    return matrix
