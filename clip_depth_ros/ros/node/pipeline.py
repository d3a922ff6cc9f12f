# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From an image message to published depth: decode, predict, match camera_info, publish."""

from __future__ import annotations

from collections.abc import Callable, Mapping
import contextlib
from dataclasses import dataclass
import threading
import time
from typing import Any, Final

from clip_depth_ros.core.camera import Calibration, Camera
from clip_depth_ros.core.images import rgb_of
from clip_depth_ros.core.plain_text import brief
from clip_depth_ros.core.stamps import Match, stamp_ns_of, StampMatcher
from clip_depth_ros.errors import CalibrationError, ConfigError, ImageError
from clip_depth_ros.ros.node.depth_camera import DepthCamera, fits, why_none
from clip_depth_ros.ros.node.diagnostics import reason, Statistics
from clip_depth_ros.ros.node.outputs import Outputs, Result
from clip_depth_ros.ros.node.raw_images import RawCompressedImage, RawImage
from clip_depth_ros.ros.node.scale.aligner import Aligner
from clip_depth_ros.settings.node import NodeSettings, OUTPUTS
from clip_depth_ros.types import DepthMap, DepthPredictor, Rgb
from sensor_msgs.msg import CameraInfo

_WARN_PERIOD_S: Final = 5.0
_MAX_WARNED: Final = 100
"""Distinct warnings that are remembered as given; a camera that jitters must not grow memory."""

_MAX_LENGTH: Final = 1000
"""Letters of a name, and numbers of D, in a message that is taken; real ones have some 20."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """An image message and when it came, monotonic seconds."""

    message: RawImage | RawCompressedImage
    received_s: float

    @property
    def stamp_ns(self) -> int:
        """Capture time from the header, nanoseconds."""
        return stamp_ns_of(self.message.header)


@dataclass(frozen=True, slots=True)
class Begun:
    """An image whose depth is to be computed, with its camera and the settings in force."""

    arrival: Arrival
    settings: NodeSettings
    rgb: Rgb
    camera: Camera | None
    early: Match[Calibration] | None


class Pipeline:
    """
    What happens to an image of a camera, from activation to deactivation.

    ``begin`` and what follows it run on the worker's thread, all else on the executor's.

    Attributes
    ----------
    camera_problem : str
        Why there is no cloud; empty if there is one or none was asked for.
    scan_problem : str
        Why there is a cloud and no scan; empty if there is one or none was asked for.
    image_topic : str
        Resolved name, as soon as it is known: what it says of the images counts.
    camera_notes : str
        What had to be assumed about the camera, and else is worth knowing of its camera_info.
    depth_camera : str
        What became of the camera of the newest image: used, assumed or ignored, and why.
    fx_px : mapping of str to float
        Focal length by place, the newest image and the network's input, where it is known.
    camera_doubt : str
        Why the depth of the newest image may be by a wrong camera; empty if nothing speaks for
        that, or the user said what to assume.
    last_error, last_error_s
        The newest error with an image, and when it was, monotonic seconds.
    scene : str
        The scene of the newest image; empty if none was recognised.
    input_px : (width, height), optional
        Size of the network's input for the newest image.

    """

    def __init__(
        self, logger: Any, settings: NodeSettings, outputs: Outputs, statistics: Statistics,
        aligner: Aligner,
    ) -> None:
        self._logger = logger
        self._aligner: Aligner | None = aligner  # None: stopped; it knows the node
        self._settings = settings
        self._outputs: Outputs | None = outputs  # None: stopped
        self._statistics = statistics
        self._infos: StampMatcher[Calibration] = StampMatcher(
            mode=settings.sync_mode, tolerance_ns=_nanoseconds(settings.sync_tolerance_s)
        )
        self._depth_camera = DepthCamera(logger, self._infos, statistics)
        self._publishing = threading.Lock()
        self._must_reset = False
        self._newest_stamp_ns: int | None = None
        self._last_image_s: float | None = None
        self.camera_problem = ''
        self.scan_problem = ''
        self.camera_notes = ''
        self.depth_camera = ''
        self.fx_px: Mapping[str, float] = {}
        self.camera_doubt = ''
        self.image_topic = ''
        self._warned: set[str] = set()
        self.last_error = ''
        self.last_error_s = 0.0
        self.scene = ''
        self.input_px: tuple[int, int] | None = None

    # ------------------------------------------------------------------ executor's side

    def is_wanted(self, arrival: Arrival) -> bool:
        """Note that an image came; return whether anybody is there to see its depth."""
        self._note_image(arrival.received_s)
        self._watch_time(arrival.stamp_ns)
        if self._outputs and self._outputs.listened():
            return True
        self._statistics.count('idle')
        return False

    def refuse(self, error: ImageError, received_s: float) -> None:
        """Note that an image came which cannot be read."""
        self._note_image(received_s)
        self.note_failure(error)

    def _note_image(self, received_s: float) -> None:
        self._statistics.count('received')
        self._statistics.note('in', received_s)
        self._last_image_s = received_s

    def add_info(self, info: CameraInfo) -> None:
        """Keep a camera_info for matching, unless it is of a size that no camera's has."""
        size = max(len(info.d), len(info.distortion_model))
        if size > _MAX_LENGTH:
            self._note_problem(f'camera_info passed over: its D or model has a length of {size}')
            return
        self._infos.add(stamp_ns_of(info.header), Calibration.of(info))

    def reset(self) -> None:
        """Forget matching and the predictor's memory: time jumped back."""
        self._infos.reset()
        self._newest_stamp_ns = None
        self._must_reset = True
        self._statistics.count('time_jumps')

    def stop(self) -> None:
        """Publish nothing from now on; returns when nothing is being published any more."""
        self._infos.close()
        with self._publishing:
            # Let go: a frame in hand, however slow, must not keep the node from going.
            self._outputs = self._aligner = None

    def last_image_age_s(self, now_s: float) -> float | None:
        """Return the seconds since the newest image; None if none came."""
        return None if self._last_image_s is None else now_s - self._last_image_s

    def _watch_time(self, stamp_ns: int) -> None:
        newest_ns, self._newest_stamp_ns = self._newest_stamp_ns, stamp_ns
        if newest_ns is None or stamp_ns >= newest_ns:
            return
        self._infos.forget_after(stamp_ns)
        self._must_reset = True
        self._statistics.count('time_jumps')
        self._logger.warning(
            f'image stamps jumped back by {(newest_ns - stamp_ns) / 1e9:.3f} s (a recording that '
            'loops?): matching starts anew',
            throttle_duration_sec=_WARN_PERIOD_S,
        )

    # ------------------------------------------------------------------ worker's side

    def note_failure(self, error: Exception) -> None:
        """Note a bad frame, which must not end the node: in the log and in diagnostics."""
        if self._outputs is None:
            self._statistics.count('discarded')
            return
        self._statistics.count('failed')
        self.last_error, self.last_error_s = brief(reason(error)), time.monotonic()
        self._logger.warning(
            f'image skipped: {self.last_error}', throttle_duration_sec=_WARN_PERIOD_S
        )

    def begin(
        self, arrival: Arrival, settings: NodeSettings, predictor: DepthPredictor
    ) -> Begun:
        """Return an image that can be answered, with its camera; ImageError if it is bad."""
        if settings != self._settings:
            self._settings = settings
            self._infos.configure(
                mode=settings.sync_mode, tolerance_ns=_nanoseconds(settings.sync_tolerance_s)
            )
        if (length := len(arrival.message.header.frame_id)) > _MAX_LENGTH:
            raise ImageError(f'a frame_id needs at most {_MAX_LENGTH} characters, got {length}')
        rgb = rgb_of(arrival.message, settings.max_image_pixels)
        if self._must_reset:
            self._must_reset = False
            predictor.reset()
            if self._aligner:
                self._aligner.reset()
        camera = self._depth_camera.of(
            rgb, arrival.stamp_ns, arrival.received_s,
            image_topic=self.image_topic, settings=settings,
        )
        # Looked up before as well: where a recording loops, the first camera_info of the next
        # round makes the matcher forget this one while depth is computed.
        early = self._infos.find(arrival.stamp_ns, fits(rgb))
        return Begun(arrival, settings, rgb, camera, early)

    def finish(self, begun: Begun, depth: DepthMap) -> None:
        """Publish the depth of an image, and what follows from it."""
        arrival, settings = begun.arrival, begun.settings
        if (aligner := self._aligner) is None:
            self._statistics.count('discarded')
            return
        self._note_camera(begun.camera, depth)
        self.scene, self.input_px = depth.scene or '', depth.input_px
        header = arrival.message.header
        depth_m = aligner.aligned(
            depth, stamp_ns=arrival.stamp_ns, frame_id=header.frame_id,
            camera=self._seen_with(begun), size=(begun.rgb.shape[1], begun.rgb.shape[0]),
            settings=settings,
        )
        result = Result(header, begun.rgb, depth_m, depth.confidence, aligner.state)
        if not self._publish(lambda outputs: outputs.publish_depth(result, settings)):
            self._statistics.count('discarded')
            return
        now_s = time.monotonic()
        self._statistics.note('out', now_s)
        self._statistics.note('latency_s', now_s, now_s - arrival.received_s)
        try:
            self._publish_rest(arrival, result, begun.early, settings)
        finally:
            self._statistics.count('processed')

    def _seen_with(self, begun: Begun) -> Camera | None:
        """Return the camera of an image, also where depth is asked to ignore it."""
        match = begun.early or self._infos.find(begun.arrival.stamp_ns, fits(begun.rgb))
        if begun.camera or not match:
            return begun.camera
        height, width = begun.rgb.shape[:2]
        with contextlib.suppress(CalibrationError):
            return match.item.camera(
                begun.settings.intrinsics_source, width, height, image_topic=self.image_topic
            )
        return None

    def _publish_rest(
        self,
        arrival: Arrival,
        result: Result,
        early: Match[Calibration] | None,
        settings: NodeSettings,
    ) -> None:
        """Publish the cloud before the colours, unless its camera_info is still to come."""
        match = early
        if match is None or match.kind != 'exact':
            match = self._infos.find(arrival.stamp_ns, fits(result.rgb)) or early
        is_there = match is not None and match.kind == 'exact'
        if is_there:
            self._add_geometry(arrival, result, match, settings)
        self._publish(lambda outputs: outputs.publish_confidence(result))
        self._publish(lambda outputs: outputs.publish_color(result, settings))
        if not is_there:
            self._add_geometry(arrival, result, early, settings)

    def _note_camera(self, camera: Camera | None, depth: DepthMap) -> None:
        """Note what the depth of an image was by; what had to be assumed is said once."""
        why = self._depth_camera.problem
        self._statistics.count(f'camera_{depth.camera}')
        places = {'image': camera and camera.intrinsics, 'network': depth.seen_by}
        self.fx_px = {name: pinhole.fx for name, pinhole in places.items() if pinhole}
        self.depth_camera, self.camera_doubt = depth.camera, ''
        if camera:
            self._note_notes(camera)
        if not why or depth.camera == 'ignored':
            return
        if depth.camera == 'used':
            self.camera_doubt = f'depth by the camera that was known before: {why}'
            self._warn_once(self.camera_doubt)
        else:
            hfov_deg = f'{depth.seen_by.hfov_deg:g}' if depth.seen_by else ''
            self._warn_once(
                f'depth is by an assumed horizontal field of view of {hfov_deg} degrees, and as '
                f'wrong as that is: {why} (set assumed_hfov_deg to what it is where nobody '
                'publishes it)'
            )
            if not self._settings.assumed_hfov_deg:
                self.camera_doubt = f'depth by an assumed camera: {why}'
        self.depth_camera = f'{depth.camera}: {why}'

    def _note_notes(self, camera: Camera) -> None:
        for note in camera.notes:
            self._warn_once(note)
        self.camera_notes = '; '.join(camera.notes)

    def _publish(self, publish: Callable[[Outputs], None]) -> bool:
        """Publish unless stopped meanwhile; return whether it was done."""
        with self._publishing:
            if self._outputs is None:
                return False
            publish(self._outputs)
            return True

    def _needs_camera(self) -> bool:
        """Return whether anybody waits for what needs a camera_info."""
        with self._publishing:
            return self._outputs is not None and self._outputs.needs_camera()

    def _add_geometry(
        self,
        arrival: Arrival,
        result: Result,
        early: Match[Calibration] | None,
        settings: NodeSettings,
    ) -> None:
        """Find the camera_info and publish what needs it; a warning if there is no usable one."""
        if not self._needs_camera():
            self.camera_problem = self.scan_problem = ''
            return
        match = early
        if match is None or match.kind != 'exact':
            deadline_s = arrival.received_s + settings.sync_wait_s
            match = self._infos.wait(arrival.stamp_ns, deadline_s, fits(result.rgb)) or early
        height, width = result.rgb.shape[:2]
        self._statistics.count(f'camera_info_{match.kind if match else "none"}')
        if match is None:
            self._note_problem(self._why_no_match(width, height, settings))
            return
        try:
            camera = match.item.camera(
                settings.intrinsics_source, width, height, image_topic=self.image_topic
            )
            self._publish(
                lambda outputs: outputs.publish_geometry(result, match.item, camera, settings)
            )
        except CalibrationError as error:
            self._note_problem(str(error))
            return
        self._note_notes(camera)
        self.camera_problem = ''
        self._add_scan(result, camera, settings)

    def _add_scan(self, result: Result, camera: Camera, settings: NodeSettings) -> None:
        """Publish the scan; a warning if settings or camera allow none."""
        try:
            self._publish(lambda outputs: outputs.publish_scan(result, camera, settings))
        except (CalibrationError, ConfigError) as error:
            self.scan_problem = brief(str(error))
            self._warn_once(f'no {OUTPUTS["scan"].topic}: {self.scan_problem}')
        else:
            self.scan_problem = ''

    def _why_no_match(self, width: int, height: int, settings: NodeSettings) -> str:
        if why := why_none(self._infos.newest(), width, height):
            return why
        return (
            f'no camera_info matches the image stamp (sync_mode={settings.sync_mode}, '
            f'sync_tolerance_s={settings.sync_tolerance_s})'
        )

    def _note_problem(self, text: str) -> None:
        self.camera_problem = text = brief(text)
        self._warn_once(f'depth without cloud and camera_info: {text}')

    def _warn_once(self, text: str) -> None:
        text = brief(text)
        if text not in self._warned and len(self._warned) < _MAX_WARNED:
            self._warned.add(text)
            self._logger.warning(text)


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)
