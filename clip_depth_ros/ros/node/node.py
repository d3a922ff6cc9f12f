# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The depth node: camera topic in, metric depth and a point cloud out.

Wiring only. Callbacks run on a single-threaded executor and merely hand over the newest image; one
worker thread predicts and publishes, so that transitions and parameters answer during inference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
import contextlib
import functools
import sys
import time
from typing import Any, Final, TypeAlias

from clip_depth_ros.errors import ClipDepthError, ConfigError
from clip_depth_ros.ros.node.diagnostics import Health, status_of
from clip_depth_ros.ros.node.inputs import Inputs
from clip_depth_ros.ros.node.outputs import Outputs
from clip_depth_ros.ros.node.parameters import (
    accepted,
    check_each,
    declare_settings,
    read_settings,
    refuse_deleted,
    refuse_fixed,
    refused,
    with_parameters,
)
from clip_depth_ros.ros.node.pipeline import Arrival, Pipeline
from clip_depth_ros.ros.node.qos import qos_overrides
from clip_depth_ros.ros.node.statistics import Statistics
from clip_depth_ros.ros.node.worker import LatestWorker
from clip_depth_ros.settings.node import DIAGNOSTICS, NodeSettings
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.types import DepthPredictor
from diagnostic_msgs.msg import DiagnosticArray
import numpy as np
from rcl_interfaces.msg import SetParametersResult
import rclpy
from rclpy.clock import (  # type: ignore[attr-defined]  # rclpy.clock_type came after Humble
    Clock,
    ClockChange,
    ClockType,
    JumpThreshold,
    TimeJump,
)
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

BuildPredictor: TypeAlias = Callable[
    [PredictorSettings, 'DepthPredictor | None'], DepthPredictor
]
"""Makes a predictor from settings; may take over what it can from a previous one."""

DIAGNOSTICS_PERIOD_S: Final = 1.0
_WARM_UP_IMAGE: Final = np.zeros((96, 128, 3), np.uint8)
_WORKER_END_S: Final = 30.0


def _build_predictor(
    settings: PredictorSettings, previous: DepthPredictor | None
) -> DepthPredictor:
    # Imported on the first configure: torch takes seconds, and the node should answer before.
    from clip_depth_ros.predictor.build import build_predictor

    predictor: DepthPredictor = build_predictor(settings, previous)
    return predictor


Transition: TypeAlias = Callable[['DepthNode', LifecycleState], None]


def _transition(work: Transition) -> Callable[[DepthNode, LifecycleState], Any]:
    """Make a transition that logs why it failed and returns FAILURE; rclpy would say nothing."""

    @functools.wraps(work)
    def guarded(node: DepthNode, state: LifecycleState) -> TransitionCallbackReturn:
        name = work.__name__.removeprefix('on_')
        try:
            work(node, state)
        except ClipDepthError as error:
            node.report_transition(f'{name} failed: {error}')
        except Exception as error:
            # Whatever it is, the operator must be able to read it, correct it and try again.
            node.report_transition(f'{name} failed: {type(error).__name__}: {error}')
        else:
            node.report_transition('')
            return TransitionCallbackReturn.SUCCESS
        return TransitionCallbackReturn.FAILURE

    return guarded


class DepthNode(LifecycleNode):
    """
    Lifecycle node around a depth predictor.

    Parameters
    ----------
    build_predictor : callable, optional
        Makes the predictor on configure; the package's own by default.
    **kwargs
        Passed to :class:`rclpy.lifecycle.LifecycleNode`.

    """

    def __init__(
        self, *, build_predictor: BuildPredictor = _build_predictor, **kwargs: Any
    ) -> None:
        super().__init__('depth_node', **kwargs)
        self._build_predictor = build_predictor
        self._startup_problems = declare_settings(self)
        self._statistics = Statistics()
        self._settings: NodeSettings | None = None
        self._predictor: DepthPredictor | None = None
        self._pipeline: Pipeline | None = None
        self._outputs: Outputs | None = None
        self._inputs: Inputs | None = None
        self._worker: LatestWorker[Arrival] | None = None
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
        self._jumps = self.get_clock().create_jump_callback(
            threshold, post_callback=self._on_time_jump
        )

    # ------------------------------------------------------------------ transitions

    @_transition
    def on_configure(self, state: LifecycleState) -> None:
        """Validate the settings, load the weights, warm up, advertise the outputs."""
        if self._startup_problems:
            problems, self._startup_problems = '; '.join(self._startup_problems), []
            raise ConfigError(
                f'{problems}; the default is in force now: set the parameter and configure again'
            )
        self._join_worker()
        settings = read_settings(self)
        predictor = self._build_predictor(settings, None)
        try:
            predictor.predict(_WARM_UP_IMAGE)
            self._outputs = Outputs(self)
        except BaseException:
            predictor.close()
            raise
        self._settings, self._predictor = settings, predictor
        described = ', '.join(f'{key}: {value}' for key, value in predictor.describe().items())
        self.get_logger().info(f'configured; {described}')

    @_transition
    def on_activate(self, state: LifecycleState) -> None:
        """Subscribe to the camera and start the worker."""
        assert self._settings
        assert self._predictor
        assert self._outputs
        # The last frame before a deactivation may still be in hand.
        self._join_worker()
        self._pipeline = Pipeline(
            self.get_logger(),
            self._settings,
            self._predictor,
            self._outputs,
            self._statistics,
        )
        self._worker = LatestWorker(self._pipeline.process)
        self._worker.start()
        try:
            self._inputs = Inputs(
                self, self._settings.image_transport, self._on_image, self._on_info
            )
            super().on_activate(state)
        except BaseException:
            self._stop()
            raise
        self.get_logger().info(f'active; waiting for images on {self._inputs.image_topic}')

    @_transition
    def on_deactivate(self, state: LifecycleState) -> None:
        """Unsubscribe; a frame in hand is finished in the background and thrown away."""
        self._stop()
        super().on_deactivate(state)
        self.get_logger().info('inactive; weights stay loaded')

    @_transition
    def on_cleanup(self, state: LifecycleState) -> None:
        """Give everything back, memory on the device too."""
        self._release()
        self.get_logger().info('cleaned up; memory is given back')

    @_transition
    def on_shutdown(self, state: LifecycleState) -> None:
        """Stop and give everything back, from any state."""
        self._stop()
        self._release()

    @_transition
    def on_error(self, state: LifecycleState) -> None:
        """Give everything back; the node can be configured again."""
        self._stop()
        self._release()

    def start(self) -> bool:
        """Configure and activate; True if both succeeded. Reasons are logged."""
        success = TransitionCallbackReturn.SUCCESS
        return self.trigger_configure() == success and self.trigger_activate() == success

    def destroy_node(self) -> None:
        """Stop the worker and free the predictor before the node goes."""
        self._stop()
        with contextlib.suppress(ClipDepthError):
            self._release()
        super().destroy_node()

    def report_transition(self, error: str) -> None:
        """Keep for diagnostics how the last transition went, and log what went wrong."""
        self._transition_error = error
        if error:
            self.get_logger().error(error)

    def _stop(self) -> None:
        if self._inputs:
            self._inputs.destroy()
            self._inputs = None
        if self._pipeline:
            self._pipeline.stop()
        if self._worker and self._worker.stop():
            self._statistics.count('discarded')

    def _release(self) -> None:
        self._join_worker()
        # Let go first: whatever goes wrong in giving back, nobody uses them any more.
        outputs, self._outputs = self._outputs, None
        predictor, self._predictor = self._predictor, None
        self._settings = None
        if outputs:
            outputs.destroy()
        if predictor:
            predictor.close()

    def _join_worker(self) -> None:
        if self._worker and not self._worker.join(_WORKER_END_S):
            raise ClipDepthError(
                f'the frame in hand is still being computed after {_WORKER_END_S:.0f} s; '
                'try again, or use a smaller input or a faster device'
            )
        self._worker = self._pipeline = None

    # ------------------------------------------------------------------ callbacks

    def _on_image(self, message: Image | CompressedImage) -> None:
        if self._pipeline is None or self._worker is None:
            return
        arrival = Arrival(message, time.monotonic())
        if self._pipeline.is_wanted(arrival) and self._worker.submit(arrival):
            self._statistics.count('dropped')

    def _on_info(self, message: CameraInfo) -> None:
        if self._pipeline:
            self._pipeline.add_info(message)

    def _on_set_parameters(self, parameters: Sequence[Parameter[Any]]) -> SetParametersResult:
        """Make a change take effect from the next frame, or refuse it with the reason."""
        try:
            refuse_deleted(parameters)
            if self._settings is None:
                check_each(parameters)
                return accepted()
            refuse_fixed(self._settings, parameters)
            self._apply(with_parameters(self._settings, parameters))
        except ClipDepthError as error:
            return refused(error)
        return accepted()

    def _apply(self, settings: NodeSettings) -> None:
        if settings == self._settings:
            return
        predictor = self._build_predictor(settings, self._predictor)
        self._settings, self._predictor = settings, predictor
        if self._pipeline:
            self._pipeline.change(settings, predictor)

    def _on_time_jump(self, jump: TimeJump) -> None:
        if jump.clock_change != ClockChange.ROS_TIME_NO_CHANGE:
            return
        self.get_logger().warning('time jumped back: forgetting what was matched so far')
        if self._pipeline:
            self._pipeline.reset()

    def _publish_diagnostics(self) -> None:
        message = DiagnosticArray(status=[status_of(self._health())])
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)

    def _health(self) -> Health:
        now_s = time.monotonic()
        pipeline = self._pipeline
        return Health(
            name=self.get_fully_qualified_name(),
            state=self._state_machine.current_state[1],
            statistics=self._statistics,
            now_s=now_s,
            listened=self._outputs.listened() if self._outputs else (),
            last_image_age_s=pipeline.last_image_age_s(now_s) if pipeline else None,
            camera_problem=pipeline.camera_problem() if pipeline else '',
            transition_error=self._transition_error,
            image_error=pipeline.last_error if pipeline else '',
            image_error_age_s=now_s - pipeline.last_error_s if pipeline else 0.0,
            image_topic=self._inputs.image_topic if self._inputs else 'image',
            scene=pipeline.scene if pipeline else '',
            predictor=self._predictor.describe() if self._predictor else {},
        )


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until it is shut down; quiet on Ctrl-C."""
    rclpy.init(args=None if args is None else list(args))
    try:
        node = DepthNode()
        executor = rclpy.executors.SingleThreadedExecutor()
        executor.add_node(node)
        try:
            if node.get_parameter('autostart').value:
                node.start()
            # Asked to end while weights were loading, there is nothing to spin.
            if rclpy.ok():
                executor.spin()
        finally:
            node.destroy_node()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
