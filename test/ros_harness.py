# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A camera, a listener and a spinning executor around one depth node, over real rclpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
import contextlib
from dataclasses import dataclass, field
import threading
import time
from typing import Any

from clip_depth_ros.ros.message_classes import message_class
from clip_depth_ros.ros.node.camera_stream import CameraStream
from clip_depth_ros.ros.node.node import DepthNode
from clip_depth_ros.settings.node import OUTPUTS
from clip_depth_ros.types import DepthMap
from diagnostic_msgs.msg import DiagnosticArray
import lifecycle_msgs.srv
import numpy as np
from numpy.typing import NDArray
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image

TIMEOUT_S = 10.0


class FakePredictor:
    """A predictor for the seam: constant depth, and a record of what was asked of it."""

    def __init__(self, depth_m: float = 2.0, *, delay_s: float = 0.0) -> None:
        self.depth_m = depth_m
        self.delay_s = delay_s
        self.shrink = 1
        self.scene: str | None = None
        self.likes_batches = False
        self.batches: list[int] = []
        self.n_images = 0
        self.n_resets = 0
        self.is_closed = False
        self.gate = threading.Event()
        self.gate.set()

    def predict(self, rgb: NDArray[np.uint8], camera: Any = None) -> DepthMap:
        """Return constant depth once the gate is open."""
        self.gate.wait(TIMEOUT_S)
        time.sleep(self.delay_s)
        self.n_images += 1
        height, width = rgb.shape[0] // self.shrink, rgb.shape[1] // self.shrink
        return DepthMap(np.full((height, width), self.depth_m, np.float32), scene=self.scene)

    def predict_batch(self, rgbs: Any, cameras: Any = None) -> list[DepthMap]:
        """Return constant depth for each."""
        self.batches.append(len(rgbs))
        return [self.predict(*each) for each in zip(rgbs, cameras, strict=True)]

    def describe(self) -> Mapping[str, str]:
        """Return what diagnostics show."""
        return {'method': 'constant', 'device': 'cpu'}

    def reset(self) -> None:
        """Count that it was asked to forget."""
        self.n_resets += 1

    def close(self) -> None:
        """Note that memory was asked back."""
        self.is_closed = True


@dataclass
class Harness:
    """One node under test, and the world around it in the same domain."""

    context: Context
    node: DepthNode
    world: Node
    received: dict[str, list[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.received = {name: [] for name in (*OUTPUTS, 'diagnostics')}
        self._image = self.world.create_publisher(Image, 'image', 10)
        self._info = self.world.create_publisher(CameraInfo, 'camera_info', 10)
        self.world.create_subscription(
            DiagnosticArray, '/diagnostics', self.received['diagnostics'].append, 10
        )
        self._get_state = self.world.create_client(
            lifecycle_msgs.srv.GetState, 'depth_node/get_state'
        )
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._executor.add_node(self.world)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        with contextlib.suppress(rclpy.executors.ExternalShutdownException):
            self._executor.spin()

    def close(self) -> None:
        """Take everything down."""
        self._executor.shutdown(timeout_sec=TIMEOUT_S)
        self._thread.join(TIMEOUT_S)
        self.node.destroy_node()
        self.world.destroy_node()
        rclpy.shutdown(context=self.context)

    def listen(self, *names: str, qos: QoSProfile | int = 10) -> None:
        """Subscribe to outputs and wait until the node knows."""
        for name in names:
            output = OUTPUTS[name]
            msgtype = message_class(output.msgtype)
            self.world.create_subscription(msgtype, output.topic, self.received[name].append, qos)
        outputs = self.stream.outputs
        assert outputs is not None
        self.wait_for(lambda: all(map(outputs.is_wanted, names)))

    def wait_until_connected(self) -> None:
        """Wait until the node listens to the camera."""
        self.wait_for(lambda: self._image.get_subscription_count() > 0)
        self.wait_for(lambda: self._info.get_subscription_count() > 0)

    def send(
        self, stamp_ns: int, image: Image | None = None, info: CameraInfo | None = None
    ) -> None:
        """Publish an image with its camera_info, both with this stamp."""
        if info is not None:
            info.header.stamp = Time(nanoseconds=stamp_ns).to_msg()
            self._info.publish(info)
        if image is not None:
            image.header.stamp = Time(nanoseconds=stamp_ns).to_msg()
            self._image.publish(image)

    def wait_for(self, condition: Callable[[], Any], timeout_s: float = TIMEOUT_S) -> None:
        """Wait for something to become true; fail when it does not."""
        deadline_s = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline_s, 'timed out waiting'
            time.sleep(0.005)

    def state(self) -> int:
        """Return the lifecycle state as the node's own service tells it."""
        request = lifecycle_msgs.srv.GetState.Request()
        answer = self._get_state.call_async(request)
        self.wait_for(answer.done)
        return int(answer.result().current_state.id)

    def diagnostics(self) -> dict[str, str]:
        """Return the values of the newest diagnostics; empty before any."""
        newest = self.received['diagnostics'][-1:]
        return {value.key: value.value for array in newest for value in array.status[0].values}

    def wait_for_diagnostics(self, name: str, start: str) -> str:
        """Wait until a value of the diagnostics begins with a text, and return it."""
        self.wait_for(lambda: self.diagnostics().get(name, '-').startswith(start))
        return self.diagnostics()[name]

    @property
    def stream(self) -> CameraStream:
        """Return the node's one camera."""
        (stream,) = self.node._streams.values()
        return stream

    def counts(self) -> dict[str, int]:
        """Return the node's counters."""
        return self.stream.statistics.counts()

    def change(self, **values: Any) -> Any:
        """Set parameters together, as one atomic change."""
        parameters = [Parameter(name, value=value) for name, value in values.items()]
        return self.node.set_parameters_atomically(parameters)


def make_harness(
    domain: int, build: Any, *, namespace: str = '', **parameters: Any
) -> Harness:
    """Start a node with a predictor builder and parameters, in its own context."""
    context = Context()
    rclpy.init(context=context, domain_id=domain)
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    node = DepthNode(
        build_predictor=build, context=context, parameter_overrides=overrides, namespace=namespace
    )
    return Harness(context, node, Node('world', context=context, namespace=namespace))


def rgb_image(width: int = 32, height: int = 24, *, frame_id: str = 'camera_optical') -> Image:
    """Return an rgb8 image message whose pixels all differ."""
    pixels = np.arange(height * width * 3, dtype=np.uint32).astype(np.uint8)
    image = Image(height=height, width=width, encoding='rgb8', step=3 * width)
    image.data = pixels.tobytes()
    image.header.frame_id = frame_id
    return image


def camera_info(width: int = 32, height: int = 24, *, fx: float = 30.0) -> CameraInfo:
    """Return the camera_info of a rectified image, K and P alike."""
    cx, cy = (width - 1) / 2, (height - 1) / 2
    info = CameraInfo(width=width, height=height, distortion_model='plumb_bob')
    info.k = [fx, 0.0, cx, 0.0, fx, cy, 0.0, 0.0, 1.0]
    info.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    info.p = [fx, 0.0, cx, 0.0, 0.0, fx, cy, 0.0, 0.0, 0.0, 1.0, 0.0]
    info.d = [0.0] * 5
    info.header.frame_id = 'camera_optical'
    return info
