# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From what other sensors measured to the scale of one camera's depth."""

from __future__ import annotations

from dataclasses import dataclass, replace
import math
from typing import Any, Final, NamedTuple, TypeAlias

from clip_depth_ros.core.camera import Camera
from clip_depth_ros.core.plain_text import brief
from clip_depth_ros.core.transforms import Matrix4, rigid
from clip_depth_ros.errors import ClipDepthError, DataError
from clip_depth_ros.ros.node.diagnostics import Statistics
from clip_depth_ros.ros.node.scale.transforms import Transforms
from clip_depth_ros.scale.correction import Measure
from clip_depth_ros.scale.ground import GroundMeter, up_of_pitch
from clip_depth_ros.scale.keeper import Limits, NO_SCALE, ScaleKeeper
from clip_depth_ros.scale.lens import LensCheck
from clip_depth_ros.scale.lidar import Seen, seen_points
from clip_depth_ros.scale.pairing import Pairing
from clip_depth_ros.scale.pairs import measure_pairs, sampled
from clip_depth_ros.settings.node import NodeSettings
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.types import Depth, DepthMap, Intrinsics
import numpy as np
from numpy.typing import NDArray

_LARGEST_PX: Final = 320
"""Depth is measured on a copy with at most so many rows and columns."""

_WARN_PERIOD_S: Final = 10.0
_SAME_CAMERA: Final = 0.01  # focal lengths that differ by less are of one lens

_RESETS: Final = frozenset({
    *PredictorSettings.model_fields, 'align', 'align_fit', 'lidar_extrinsics', 'ground_frame',
    'camera_height_m', 'camera_pitch_deg',
})
"""Settings by which depth has another scale, or it is measured in another way."""


@dataclass(frozen=True, slots=True)
class Points:
    """Points of a LiDAR, float32 (N, 3), in its frame."""

    xyz_m: NDArray[np.float32]
    frame_id: str


@dataclass(frozen=True, slots=True)
class SensorDepth:
    """
    A depth image of a depth camera with the view of the camera.

    Attributes
    ----------
    depth_m : float32 (h, w)
        Metres, at every ``step``-th row and column.
    step : int
    shape : (int, int)
        Rows and columns of the whole image.

    """

    depth_m: Depth
    step: int
    shape: tuple[int, ...]


class _Kept(NamedTuple):
    """Depth as predicted, what it was seen with, and where."""

    depth_m: Depth  # small
    camera: Camera | None
    frame_id: str


Measured: TypeAlias = Points | SensorDepth


class Aligner:
    """
    Holds the scale of one camera's depth, by the parameter ``align``.

    ``put``, ``refuse`` and ``reset`` are for the executor's thread, the rest for the worker's.

    Attributes
    ----------
    state : ScaleState
        The scale in force.
    listening : str
        Names of the topics that are measured by, for what is said before anything came.

    """

    def __init__(self, logger: Any, statistics: Statistics, transforms: Transforms) -> None:
        self._logger = logger
        self._statistics = statistics
        self._transforms = transforms
        self._settings: NodeSettings | None = None
        self._camera: Intrinsics | None = None
        self._keeper = ScaleKeeper()
        self._pairing: Pairing[Measured, _Kept] = Pairing(0)
        self._lens = LensCheck()
        self._ground: tuple[Any, GroundMeter] | None = None
        self._must_reset = False
        self._problem = ''
        self._is_refused = False  # of the newest image
        self.listening = ''
        self.state = NO_SCALE

    # ------------------------------------------------------------------ executor's side

    def put(self, stamp_ns: int, measured: Measured) -> None:
        """Have what a sensor measured wait for the depth of its image."""
        self._pairing.put(stamp_ns, measured)

    def refuse(self, why: str) -> None:
        """Note that a message of a sensor cannot be read."""
        self._statistics.count('scale_refused')
        self._problem = why

    @property
    def doubt(self) -> str:
        """Return why the scale in force may be wrong; empty if nothing speaks for that."""
        return self._lens.doubt if self.state.is_known else ''

    def reset(self) -> None:
        """Forget the scale before the next image: time jumped back."""
        self._must_reset = True

    # ------------------------------------------------------------------ worker's side

    def aligned(
        self, depth: DepthMap, *, stamp_ns: int, frame_id: str, camera: Camera | None,
        size: tuple[int, int], settings: NodeSettings,
    ) -> Depth:
        """
        Return depth with the scale in force, float32 (h, w), marked anew.

        ``camera`` is that of the image, of ``size`` (width, height), where it is known.
        """
        if camera is None and depth.camera == 'assumed' and settings.assumed_hfov_deg:
            pinhole = Intrinsics.of_hfov(settings.assumed_hfov_deg, *size)  # the user says so
            camera = Camera(pinhole, None, 'K')
        self._follow(settings, camera)
        if settings.align == 'none':
            self.state = NO_SCALE
            return depth.depth_m
        self._is_refused = False
        step = -(-max(depth.depth_m.shape) // _LARGEST_PX)
        kept = _Kept(np.array(depth.depth_m[::step, ::step]), camera, frame_id)
        if settings.align == 'height':
            self._look(stamp_ns, lambda: self._by_height(kept, depth, step, stamp_ns, settings))
        else:
            self._look_at_pairs(stamp_ns, kept, settings)
        state = self._keeper.at(stamp_ns)
        if not (state.is_known or state.why):
            state = replace(state, why=f'nothing has come on {self.listening or "its topics"} yet')
        self.state = state
        if state.is_old or (self._is_refused and not state.is_known):
            self._logger.warning(
                f'scale of depth: {state.why}', throttle_duration_sec=_WARN_PERIOD_S
            )
        return state.correction.apply(
            depth.depth_m, min_depth_m=settings.min_depth_m, max_depth_m=settings.max_depth_m
        )

    def _follow(self, settings: NodeSettings, camera: Camera | None) -> None:
        """Start anew where the scale is no longer the same by settings, camera or time."""
        before, self._settings = self._settings, settings
        if before is not settings:
            self._keeper.limits = Limits(
                time_s=settings.align_time_s, hold_s=settings.align_hold_s,
                min_scale=settings.align_min_scale, max_scale=settings.align_max_scale,
            )
            self._pairing.tolerance_ns = round(settings.align_tolerance_s * 1e9)
            changed = {
                name for name in _RESETS if getattr(before, name, None) != getattr(settings, name)
            }
            if before and changed:
                self._start_anew(f'{", ".join(sorted(changed))} changed')
        pinhole = camera.intrinsics if camera else None
        known, self._camera = self._camera, pinhole or self._camera
        if known and pinhole and not _is_same(known, pinhole):
            self._start_anew('another camera')
        if self._must_reset:
            self._must_reset = False
            self._start_anew('time jumped back')

    def _start_anew(self, why: str) -> None:
        self._keeper.reset(f'measured anew: {why}')
        self._pairing.reset()
        self._lens = LensCheck()
        self._problem = ''

    def _look_at_pairs(self, stamp_ns: int, kept: _Kept, settings: NodeSettings) -> None:
        n_unpaired = self._pairing.n_unpaired
        pairs = self._pairing.pairs(stamp_ns, kept)
        for image_ns, measured, at_its_time in pairs:
            self._look(
                image_ns,
                lambda measured=measured, kept=at_its_time, image_ns=image_ns: self._by_pairs(
                    measured, kept, image_ns, settings
                ),
            )
        self._statistics.count('scale_unpaired', self._pairing.n_unpaired - n_unpaired)
        if pairs:
            return
        if why := self._pairing.why or self._problem:
            self._keeper.refuse(why)
            self._is_refused = True

    def _look(self, stamp_ns: int, measure: Any) -> None:
        """Have the keeper take in a look at the scale, or why there is none."""
        try:
            is_believed = self._keeper.add(stamp_ns, measure())
        except ClipDepthError as error:
            is_believed = False
            self._keeper.refuse(brief(str(error)))
        self._is_refused |= not is_believed
        self._statistics.count('scale_measured' if is_believed else 'scale_refused')

    def _by_pairs(
        self, measured: Measured, kept: _Kept, stamp_ns: int, settings: NodeSettings
    ) -> Measure:
        if isinstance(measured, SensorDepth):
            return _measured(kept.depth_m, _seen_by_sensor(measured), settings)
        camera = kept.camera
        if camera is None:
            raise DataError(_NO_CAMERA.format('points of a LiDAR cannot be projected'))
        if numbers := settings.lidar_extrinsics:
            T_camera_lidar = rigid(numbers[:3], numbers[3:])
        else:
            T_camera_lidar = self._transform(kept.frame_id, measured.frame_id, stamp_ns)

        def through(factor: float) -> Measure:
            k = camera.intrinsics
            longer = replace(camera, intrinsics=replace(k, fx=k.fx * factor, fy=k.fy * factor))
            seen = seen_points(measured.xyz_m, T_camera_lidar, longer)
            return _measured(kept.depth_m, seen, settings)

        measure = through(1.0)
        self._lens.look(measure.spread, lambda factor: through(factor).spread)
        return measure

    def _transform(self, target: str, source: str, stamp_ns: int) -> Matrix4:
        try:
            return self._transforms.find(target, source, stamp_ns)
        except DataError as error:
            instead = (
                'set `lidar_extrinsics`' if self._settings and self._settings.align == 'lidar'
                else 'set camera_height_m and leave `ground_frame` empty'
            )
            raise DataError(f'{error}; publish it, or {instead}') from error

    def _by_height(
        self, kept: _Kept, depth: DepthMap, step: int, stamp_ns: int, settings: NodeSettings
    ) -> Measure:
        if kept.camera is None:
            raise DataError(_NO_CAMERA.format('the ground cannot be found'))
        up, height_m = up_of_pitch(settings.camera_pitch_deg), settings.camera_height_m
        if settings.ground_frame:
            T = self._transform(settings.ground_frame, kept.frame_id, stamp_ns)
            up, height_m = T[2, :3], float(T[2, 3])
        if not 0.02 < height_m <= 100:
            raise DataError(
                f'a camera {height_m:.3g} m above ground has no scale by that: is `ground_frame`, '
                f'{settings.ground_frame!r}, on the ground, z up?'
            )
        height, width = depth.depth_m.shape
        key = (
            kept.camera.intrinsics, kept.camera.distortion, width, height,
            tuple(np.round(up, 3)), round(height_m, 3),
        )
        if self._ground is None or self._ground[0] != key:
            rays = kept.camera.rays(width, height)[::step, ::step]
            self._ground = key, GroundMeter(rays, up, height_m)
        return self._ground[1].measure(kept.depth_m)


def limited(points: NDArray[np.float64], frame_id: str, most: int = 4096) -> Points:
    """Return points of a LiDAR, of very many a random part (always the same of as many)."""
    if len(points) > most:
        points = points[np.random.default_rng(0).integers(0, len(points), most)]
    return Points(points.astype(np.float32), frame_id)


_NO_CAMERA: Final = '{} without camera_info: publish it, or set assumed_hfov_deg'


def _measured(depth_m: Depth, seen: Seen, settings: NodeSettings) -> Measure:
    return measure_pairs(
        sampled(depth_m, seen.places), seen.depth_m, seen.places, fit=settings.align_fit,
        min_points=settings.align_min_points, max_spread=settings.align_max_spread,
    )


def _seen_by_sensor(measured: SensorDepth) -> Seen:
    """Return what a depth camera measured as places in the image that it has the view of."""
    down, across = (
        (np.arange(0, size, measured.step) + 0.5) / size for size in measured.shape[:2]
    )
    u, v = np.meshgrid(across, down)
    depth_m = measured.depth_m.ravel()
    is_known = np.isfinite(depth_m) & (depth_m > 0)
    places = np.stack([u.ravel(), v.ravel()], axis=1)[is_known]
    return Seen(places, depth_m[is_known].astype(np.float64))


def _is_same(one: Intrinsics, other: Intrinsics) -> bool:
    return (one.width, one.height) == (other.width, other.height) and all(
        math.isclose(a, b, rel_tol=_SAME_CAMERA)
        for a, b in ((one.fx, other.fx), (one.fy, other.fy))
    )
