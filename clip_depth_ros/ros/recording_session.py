# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A recorder with a node of its own, and a view of what depth nodes say about themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
import time
from typing import Final

from clip_depth_ros.ros.recorder import Recorder, Sink
from clip_depth_ros.settings.node import DIAGNOSTICS
from diagnostic_msgs.msg import DiagnosticArray
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

_TICK_S: Final = 0.1


class RecordingSession:
    """
    Records topics while the caller waits for things to happen; to be used in a ``with`` statement.

    Parameters
    ----------
    topics : mapping of str to str
        Type by topic.
    sink : callable
        Takes each message; called while :meth:`spin_until` runs.

    """

    def __init__(self, topics: Mapping[str, str], sink: Sink) -> None:
        self._topics = dict(topics)
        self._sink = sink
        self._values: dict[str, dict[str, str]] = {}
        self._n_said: Counter[str] = Counter()

    def __enter__(self) -> RecordingSession:
        # A context of its own and no signal handlers: Ctrl-C arrives as KeyboardInterrupt.
        self._context = Context()
        rclpy.init(
            args=[], context=self._context, signal_handler_options=SignalHandlerOptions.NO
        )
        try:
            self._node = Node('clip_depth_recorder', context=self._context)
            self._recorder = Recorder(self._node, self._topics, self._sink)
        except BaseException:
            rclpy.shutdown(context=self._context)
            raise
        self._node.create_subscription(DiagnosticArray, DIAGNOSTICS, self._on_diagnostics, 10)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._recorder.close()
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    @property
    def counts(self) -> Mapping[str, int]:
        """Give the number of messages recorded so far, by topic."""
        return self._recorder.counts

    def said_by(self, node_name: str) -> Mapping[str, str]:
        """Give the newest diagnostics of the depth node of that full name; empty before any."""
        return self._values.get(node_name, {})

    def n_said_by(self, node_name: str) -> int:
        """Give how often the depth node of that full name has sent diagnostics so far."""
        return self._n_said[node_name]

    def count_subscribers(self, topic: str) -> int:
        """Give how many subscriptions to a topic there are, the recorder's own included."""
        return int(self._node.count_subscribers(topic))

    def spin_until(
        self,
        condition: Callable[[], bool],
        timeout_s: float,
        on_tick: Callable[[], None] = lambda: None,
    ) -> bool:
        """
        Record until a condition holds or the time is over.

        Parameters
        ----------
        condition : callable
            Looked at after each message.
        timeout_s : float
            How long at most, seconds.
        on_tick : callable
            Called about ten times a second; what it raises ends the waiting.

        Returns
        -------
        bool
            Whether the condition holds.

        """
        deadline_s = time.monotonic() + timeout_s
        next_tick_s = 0.0
        while not condition():
            now_s = time.monotonic()
            if now_s > deadline_s:
                return False
            if now_s > next_tick_s:
                on_tick()
                next_tick_s = now_s + _TICK_S
            self._executor.spin_once(timeout_sec=_TICK_S)
        return True

    def _on_diagnostics(self, array: DiagnosticArray) -> None:
        for status in array.status:
            node_name, _, part = status.name.rpartition(': ')
            if part == 'depth':
                self._values[node_name] = {value.key: value.value for value in status.values}
                self._n_said[node_name] += 1
