# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One camera of a node: its topics, what becomes of its images, and what is counted of them."""

from __future__ import annotations

import time

from clip_depth_ros.errors import ImageError
from clip_depth_ros.ros.node.diagnostics import CameraHealth, Statistics
from clip_depth_ros.ros.node.endpoints import below, Inputs
from clip_depth_ros.ros.node.outputs import Outputs
from clip_depth_ros.ros.node.pipeline import Arrival, Begun, Pipeline
from clip_depth_ros.ros.node.raw_images import read_compressed_image, read_image
from clip_depth_ros.ros.node.scale.aligner import Aligner
from clip_depth_ros.ros.node.scale.inputs import AlignInputs
from clip_depth_ros.ros.node.scale.transforms import TfTransforms
from clip_depth_ros.ros.node.worker import PredictorWorker
from clip_depth_ros.scale.keeper import NO_SCALE
from clip_depth_ros.settings.node import NodeSettings
from clip_depth_ros.types import DepthMap, DepthPredictor, Intrinsics, Rgb
from rclpy.lifecycle import LifecycleNode


class CameraStream:
    """
    All that belongs to one camera, from its images to its depth; the predictor is the node's.

    It follows the node's transitions, on the executor's thread, and counts on when the node is
    configured anew.

    Attributes
    ----------
    name : str
        Below which its topics are; empty for a node's only camera, whose topics are the node's.
    statistics : Statistics
        What is counted of its images, from the start.
    outputs : Outputs or None
        Its publishers, while the node is configured.
    inputs : Inputs or None
        Its subscriptions, while the node is active.
    pipeline : Pipeline or None
        What happens to an image, while the node is active.

    """

    def __init__(
        self, node: LifecycleNode, transforms: TfTransforms, name: str = ''
    ) -> None:
        self._node = node
        self.name = name
        self._predicting: PredictorWorker | None = None
        self.statistics = Statistics()
        self.outputs: Outputs | None = None
        self.inputs: Inputs | None = None
        self.pipeline: Pipeline | None = None
        self._aligner: Aligner | None = None
        self._transforms = transforms
        self._align_inputs: AlignInputs | None = None

    # ------------------------------------------------------------------ transitions

    def advertise(self) -> None:
        """Make the publishers."""
        self.outputs = Outputs(self._node, self.name)

    def start(self, predicting: PredictorWorker) -> None:
        """Subscribe to the camera, and have its images answered by a predictor."""
        assert self.outputs
        settings = predicting.settings
        self._predicting = predicting
        logger = self._node.get_logger()
        if self.name:
            logger = logger.get_child(self.name)
        self._aligner = Aligner(logger, self.statistics, self._transforms)
        self.pipeline = Pipeline(
            logger, settings, self.outputs, self.statistics, self._aligner
        )
        self.inputs = Inputs(
            self._node, settings.image_transport, self.on_image, self.pipeline.add_info, self.name
        )
        self.pipeline.image_topic = self.inputs.image_topic
        self._align_inputs = AlignInputs(
            self._node, self._aligner, self._transforms, self.name
        )
        self._align_inputs.follow(settings)

    def stop(self) -> None:
        """Unsubscribe; of a frame in hand nothing is published."""
        inputs, self.inputs = self.inputs, None
        pipeline, self.pipeline = self.pipeline, None
        predicting, self._predicting = self._predicting, None
        align_inputs, self._align_inputs = self._align_inputs, None
        if inputs:
            inputs.destroy()
        if align_inputs:
            align_inputs.destroy()
        if pipeline:
            pipeline.stop()
        if predicting and predicting.discard(self.name):
            self.statistics.count('discarded')

    def release(self) -> None:
        """Destroy the publishers, too."""
        self.stop()
        # Let go first: whatever goes wrong in giving back, nobody uses them any more.
        outputs, self.outputs = self.outputs, None
        if outputs:
            outputs.destroy()

    # ------------------------------------------------------------------ while active

    def on_image(self, cdr: bytes, n_unseen: int | None) -> None:
        """Hand an image over; ``n_unseen`` were missed before it, None where nobody knows."""
        if self.pipeline is None or self._predicting is None:
            return
        if n_unseen is None:
            self.statistics.count('unnumbered')
        else:
            self.statistics.count('unseen', n_unseen)
        is_raw = self._predicting.settings.image_transport == 'raw'
        now_s = time.monotonic()
        try:
            arrival = Arrival((read_image if is_raw else read_compressed_image)(cdr), now_s)
        except ImageError as error:
            self.pipeline.refuse(error, now_s)
            return
        if not self.pipeline.is_wanted(arrival):
            return
        if self._predicting.submit(_Task(self.pipeline, arrival), self.name):
            self.statistics.count('dropped')
            self.statistics.note('dropped', now_s)

    def reset(self) -> None:
        """Forget what was matched: time jumped back."""
        if self.pipeline:
            self.pipeline.reset()

    # ------------------------------------------------------------------ diagnostics

    @property
    def image_topic(self) -> str:
        """Return the name of the image topic, resolved while it is listened to."""
        return self.inputs.image_topic if self.inputs else below(self.name, 'image')

    def look_after_inputs(self) -> None:
        """
        Listen to what the settings ask for, and say what there is instead where nothing comes.

        To be called often.
        """
        if self.inputs:
            self.inputs.warn_of_silence()
        if self._align_inputs and self._predicting:
            self._align_inputs.follow(self._predicting.settings)

    def health(self, now_s: float) -> CameraHealth:
        """Return what there is to say of the camera now, monotonic seconds."""
        listened = self.outputs.listened() if self.outputs else ()
        pipeline = self.pipeline
        if pipeline is None:
            return CameraHealth(self.statistics, self.image_topic, listened)
        return CameraHealth(
            self.statistics, self.image_topic, listened,
            last_image_age_s=pipeline.last_image_age_s(now_s),
            image_error=pipeline.last_error,
            image_error_age_s=now_s - pipeline.last_error_s,
            camera_problem=pipeline.camera_problem,
            scan_problem=pipeline.scan_problem,
            camera_notes=pipeline.camera_notes,
            camera_doubt=pipeline.camera_doubt,
            depth_camera=pipeline.depth_camera,
            fx_px=pipeline.fx_px,
            scene=pipeline.scene,
            align=self._predicting.settings.align if self._predicting else 'none',
            scale=self._aligner.state if self._aligner else NO_SCALE,
            scale_doubt=self._aligner.doubt if self._aligner else '',
        )


class _Task:
    """
    An image on its way through the pipeline of its camera, where the worker's thread takes it.

    Whatever goes wrong with it is counted and logged.
    """

    def __init__(self, pipeline: Pipeline, arrival: Arrival) -> None:
        self._pipeline = pipeline
        self._arrival = arrival
        self._begun: Begun | None = None

    def begin(
        self, settings: NodeSettings, predictor: DepthPredictor
    ) -> tuple[Rgb, Intrinsics | None] | None:
        """Return what the predictor is asked; None if the image is bad."""
        try:
            begun = self._begun = self._pipeline.begin(self._arrival, settings, predictor)
        except Exception as error:
            self.fail(error)
            return None
        return begun.rgb, begun.camera.intrinsics if begun.camera else None

    def finish(self, depth: DepthMap) -> None:
        """Publish the answer."""
        assert self._begun
        try:
            self._pipeline.finish(self._begun, depth)
        except Exception as error:
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """Note why there is none."""
        self._pipeline.note_failure(error)
