# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where sensors are, from TF; tf2_ros is not on PyPI, and is needed for this alone."""

from __future__ import annotations

from typing import Any, Protocol

from clip_depth_ros.core.transforms import check_rigid, Matrix4, matrix_from
from clip_depth_ros.errors import CalibrationError, DataError
from rclpy.lifecycle import LifecycleNode
from rclpy.time import Time


class Transforms(Protocol):
    """Where frames are to each other."""

    def find(self, target: str, source: str, stamp_ns: int) -> Matrix4:
        """Return what takes points of a frame to another, float64 (4, 4); DataError: why not."""
        ...


class TfTransforms:
    """
    Looks transforms up in tf2's buffer, which the node's executor fills.

    ``listen`` and ``close`` are for the executor's thread, ``find`` for any.
    """

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node
        self._buffer: Any = None
        self._listener: Any = None
        self._missing = ''

    def listen(self) -> None:
        """Subscribe to /tf and /tf_static; where tf2_ros is missing, lookups will say so."""
        if self._listener is not None or self._missing:
            return
        try:
            from tf2_ros import Buffer, TransformListener
        except ImportError as error:
            self._missing = f'TF needs tf2_ros, which cannot be imported ({error})'
            return
        self._buffer = Buffer()
        self._listener = TransformListener(self._buffer, self._node, spin_thread=False)

    def close(self) -> None:
        """Unsubscribe."""
        listener, self._listener, self._buffer = self._listener, None, None
        if listener is not None:
            listener.unregister()

    def find(self, target: str, source: str, stamp_ns: int) -> Matrix4:
        """Return what takes points of a frame to another at a time, or the newest known."""
        buffer = self._buffer
        if buffer is None:
            raise DataError(self._missing or 'TF is not listened to yet')
        from tf2_ros import TransformException

        try:
            try:
                stamped = buffer.lookup_transform(target, source, Time(nanoseconds=stamp_ns))
            except TransformException:
                stamped = buffer.lookup_transform(target, source, Time())
            found = matrix_from(stamped.transform)
            check_rigid(found)
        except (TransformException, CalibrationError) as error:
            raise DataError(f'no transform from {source!r} to {target!r}: {error}') from error
        return found
