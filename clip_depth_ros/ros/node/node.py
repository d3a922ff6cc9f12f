# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The depth node: camera topic in, metric depth and a point cloud out.

Wiring only. Callbacks run on a single-threaded executor and merely hand over the newest image and
the newest settings; one worker thread builds, predicts and publishes, so that transitions and
parameters answer during inference. What it has in hand when the node is cleaned up or ended is
abandoned: nobody waits for it, nothing is published of it, and its memory comes back at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
import contextlib
import functools
import math
import textwrap
import time
from typing import Any, Final, TypeAlias

from clip_depth_ros.errors import ClipDepthError, ConfigError
from clip_depth_ros.predictor.build import build_predictor
from clip_depth_ros.predictor.choice import choose_method
from clip_depth_ros.ros.node.camera_stream import CameraStream
from clip_depth_ros.ros.node.diagnostics import Health, reason, slowness, statuses_of
from clip_depth_ros.ros.node.endpoints import qos_overrides
from clip_depth_ros.ros.node.parameters import (
    changes,
    check_each,
    declare_settings,
    read_settings,
    warn_of_unknown_overrides,
    with_parameters,
)
from clip_depth_ros.ros.node.scale.transforms import TfTransforms
from clip_depth_ros.ros.node.worker import BuildPredictor, PredictorWorker
from clip_depth_ros.settings.node import DIAGNOSTICS
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import (  # type: ignore[attr-defined]  # rclpy.clock_type came after Humble
    Clock,
    ClockChange,
    ClockType,
    JumpThreshold,
    TimeJump,
)
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter

DIAGNOSTICS_PERIOD_S: Final = 1.0

_GRACE_S: Final = 0.5
"""How long a transition waits for what is in hand before it is abandoned."""

_ABANDONED_S: Final = 30.0
"""How long configuring waits for what was abandoned: memory need not hold two models."""

_LOGGED: Final = ('method', 'device', 'backbone')
"""What a predictor says of itself in the log; all of it is in diagnostics."""

_STEP_S: Final = 0.1
"""How often a long wait looks whether the process was asked to end."""

_STATE_AFTER: Final = {
    'configure': 'inactive', 'activate': 'active', 'deactivate': 'inactive',
    'cleanup': 'unconfigured', 'shutdown': 'finalized', 'error': 'unconfigured',
}
"""
Lifecycle states by the transition that leads there when it succeeds.

rclpy's nodes do not tell their own state but by a service, so it is followed here.
"""


Transition: TypeAlias = Callable[['DepthNode', LifecycleState], None]


def _transition(work: Transition) -> Callable[[DepthNode, LifecycleState], Any]:
    """Wrap a transition: log why it failed and return FAILURE; rclpy would say nothing."""

    @functools.wraps(work)
    def guarded(node: DepthNode, state: LifecycleState) -> TransitionCallbackReturn:
        name = work.__name__.removeprefix('on_')
        failed = 'finalized' if name in ('shutdown', 'error') else state.label
        try:
            work(node, state)
        except Exception as error:
            # Whatever it is, the operator must be able to read it, correct it and try again.
            node.report_transition(failed, f'{name} failed: {reason(error)}')
        else:
            node.report_transition(_STATE_AFTER[name])
            return TransitionCallbackReturn.SUCCESS
        return TransitionCallbackReturn.FAILURE

    return guarded


class DepthNode(LifecycleNode):
    """
    Lifecycle node around a depth predictor; ``kwargs`` are those of rclpy's LifecycleNode.

    ``build_predictor`` builds the predictors; the package's own loads PyTorch when it is called.
    """

    def __init__(
        self, *, build_predictor: BuildPredictor = build_predictor, **kwargs: Any
    ) -> None:
        super().__init__('depth_node', **kwargs)
        self._build_predictor = build_predictor
        self._startup_problems = declare_settings(self)
        self._transforms = TfTransforms(self)
        self._streams = {'': CameraStream(self, self._transforms)}
        self._predicting: PredictorWorker | None = None
        self._abandoned: PredictorWorker | None = None
        self._is_slowness_said = False
        self._state = 'unconfigured'
        self._transition_error = ''
        self.add_on_set_parameters_callback(self._on_set_parameters)
        # A plain publisher and a steady clock: diagnostics flow in every state, paused or not.
        self._diagnostics = self.create_publisher(
            DiagnosticArray, DIAGNOSTICS, 1, qos_overriding_options=qos_overrides()
        )
        self.create_timer(
            DIAGNOSTICS_PERIOD_S,
            self._publish_diagnostics,
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )
        threshold = JumpThreshold(min_forward=None, min_backward=Duration(nanoseconds=-1))
        clock = self.get_clock()
        self._jumps = clock.create_jump_callback(threshold, post_callback=self._on_time_jump)

    # ------------------------------------------------------------------ transitions

    @_transition
    def on_configure(self, state: LifecycleState) -> None:
        """Validate the settings, load the weights, warm up, advertise the outputs."""
        if self._startup_problems:
            problems, self._startup_problems = self._startup_problems, []
            try:
                read_settings(self)
            except ConfigError as error:  # the others, too: all are said at once
                problems.append(str(error))
            raise ConfigError(
                f'{"; ".join(problems)}; the default is in force now: set the parameter and '
                'configure again'
            )
        settings = read_settings(self)
        self._streams = {
            name: self._streams.get(name) or CameraStream(self, self._transforms, name)
            for name in settings.cameras or ('',)
        }
        self._await_abandoned()
        predicting = PredictorWorker(self._build_predictor, settings, self.get_logger())
        try:
            self._wait(predicting.has_begun)
            for stream in self._streams.values():
                stream.advertise()
        except BaseException:
            self._release_streams()
            self._end(predicting)
            raise
        self._predicting = predicting
        self.get_logger().info(_configured(predicting.described))

    @_transition
    def on_activate(self, state: LifecycleState) -> None:
        """Subscribe to the camera."""
        assert self._predicting
        self._is_slowness_said = False
        try:
            for stream in self._streams.values():
                stream.start(self._predicting)
            super().on_activate(state)
        except BaseException:
            self._stop()
            raise
        warn_of_unknown_overrides(self)
        topics = ', '.join(stream.image_topic for stream in self._streams.values())
        self.get_logger().info(f'active; waiting for images on {topics}')

    @_transition
    def on_deactivate(self, state: LifecycleState) -> None:
        """Unsubscribe; of a frame in hand nothing is published."""
        self._stop()
        super().on_deactivate(state)
        self.get_logger().info('inactive; weights stay loaded')

    @_transition
    def on_cleanup(self, state: LifecycleState) -> None:
        """Give everything back, memory on the device too."""
        self._release()
        when = 'comes back when the work in hand ends' if self._abandoned else 'is given back'
        self.get_logger().info(f'cleaned up; memory {when}')

    @_transition
    def on_shutdown(self, state: LifecycleState) -> None:
        """Stop and give everything back, from any state."""
        self._release()

    @_transition
    def on_error(self, state: LifecycleState) -> None:
        """Give everything back; the node can be configured again."""
        self._release()

    def start(self) -> bool:
        """Configure and activate; True if both succeeded. Reasons are logged."""
        success = TransitionCallbackReturn.SUCCESS
        return self.trigger_configure() == success and self.trigger_activate() == success

    def destroy_node(self) -> None:
        """Stop the worker and free the predictor before the node goes."""
        with contextlib.suppress(Exception):  # it is in the log
            self._release()
        super().destroy_node()

    def report_transition(self, state: str, error: str = '') -> None:
        """Keep for diagnostics where the last transition led, and log what went wrong."""
        self._state, self._transition_error = state, error
        if error:
            self.get_logger().error(error)

    def _stop(self) -> None:
        for stream in self._streams.values():
            stream.stop()
        self._transforms.close()

    def _release(self) -> None:
        self._stop()
        # Let go first: whatever goes wrong in giving back, nobody uses it any more.
        predicting, self._predicting = self._predicting, None
        self._release_streams()
        if predicting:
            self._end(predicting)

    def _release_streams(self) -> None:
        for stream in self._streams.values():
            stream.release()

    def _end(self, predicting: PredictorWorker) -> None:
        """Give a predictor back, or abandon it where it is busy for longer than one may wait."""
        predicting.stop()
        if not predicting.has_ended(_GRACE_S):
            self._abandoned = predicting
        elif predicting.close_error:
            raise predicting.close_error

    def _await_abandoned(self) -> None:
        """Wait for what was abandoned; ClipDepthError if that takes too long."""
        if self._abandoned is None:
            return
        self.get_logger().info('waiting for the work that was in hand before, and its memory')
        if not self._wait(self._abandoned.has_ended, _ABANDONED_S):
            raise ClipDepthError(
                f'what was in hand before is still being computed after {_ABANDONED_S:.0f} s, and '
                'holds its memory: try again, start this node anew, or use a smaller input or a '
                'faster device'
            )
        self._abandoned = None

    def _wait(self, is_done: Callable[[float], bool], timeout_s: float = math.inf) -> bool:
        """
        Return whether it was done in time; ``is_done`` waits for some seconds.

        KeyboardInterrupt when the process is asked to end meanwhile, by whatever signal: rclpy's
        lifecycle takes every other error for one of the transition.
        """
        until_s = time.monotonic() + timeout_s
        while not is_done(_STEP_S):
            if not self.context.ok():
                raise KeyboardInterrupt
            if time.monotonic() > until_s:
                return False
        return True

    # ------------------------------------------------------------------ callbacks

    def _on_set_parameters(self, parameters: Sequence[Parameter[Any]]) -> SetParametersResult:
        """
        Refuse a change with the reason, or have it built and put in force before the next image.

        What shows only while building is said in the log and in diagnostics; the settings from
        before stay in force then, and the parameters hold what was asked for.
        """
        try:
            if self._predicting is None:
                check_each(parameters)
            else:
                settings = with_parameters(self._predicting.wanted, parameters)
                choose_method(settings)
                self._predicting.request(settings)
        except ClipDepthError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _on_time_jump(self, jump: TimeJump) -> None:
        if jump.clock_change != ClockChange.ROS_TIME_NO_CHANGE:
            return
        self.get_logger().warning('time jumped back: forgetting what was matched so far')
        for stream in self._streams.values():
            stream.reset()

    def _publish_diagnostics(self) -> None:
        message = DiagnosticArray(status=statuses_of(self._health()))
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)
        for stream in self._streams.values():
            stream.look_after_inputs()

    def _health(self) -> Health:
        now_s, predicting = time.monotonic(), self._predicting
        return Health(
            name=self.get_fully_qualified_name(),
            state=self._state,
            now_s=now_s,
            cameras={
                name: stream.health(now_s) for name, stream in self._streams.items()
            },
            transition_error=self._transition_error,
            change_error=predicting.error if predicting else '',
            changes=changes(predicting.settings, predicting.wanted) if predicting else '',
            is_abandoned=self._abandoned is not None and not self._abandoned.has_ended(0.0),
            slowness=self._slowness(now_s),
            predictor=predicting.described if predicting else {},
        )

    def _slowness(self, now_s: float) -> str:
        """Return what to set where the machine is slower than the camera; log it once."""
        pipelines = [stream.pipeline for stream in self._streams.values() if stream.pipeline]
        if self._predicting is None or not pipelines:
            return ''
        inputs_px = [pipeline.input_px for pipeline in pipelines if pipeline.input_px]
        text = slowness(
            [stream.statistics for stream in self._streams.values()], now_s,
            max(inputs_px, key=math.prod, default=None), flip=self._predicting.settings.flip,
        )
        if text and not self._is_slowness_said:
            self._is_slowness_said = True
            self.get_logger().warning(f'{text} ({DIAGNOSTICS} goes on about it)')
        return text


def _configured(described: Mapping[str, str]) -> str:
    """Return in one line what was configured; a log is read on a robot's terminal."""
    said = ', '.join(f'{name}: {described[name]}' for name in _LOGGED if name in described)
    return textwrap.shorten(f'configured; {said}', 135, placeholder=' ...') + f' ({DIAGNOSTICS})'
