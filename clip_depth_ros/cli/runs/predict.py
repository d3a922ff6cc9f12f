# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One run of ``clip-depth predict``: find the pictures, build once, answer and write each."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
import io
from itertools import chain, islice
from pathlib import Path
import sys
import time
from typing import Any, Final, NamedTuple

from clip_depth_ros.cli.flags import flags_by_setting, given_settings, predictor_settings
from clip_depth_ros.cli.image_camera import camera_of
from clip_depth_ros.cli.progress import progress
from clip_depth_ros.cli.wording import as_flags
from clip_depth_ros.core.camera import pinhole_rays
from clip_depth_ros.core.clouds import CloudBuilder, ply_bytes
from clip_depth_ros.core.depth_images import is_log, side_by_side
from clip_depth_ros.core.files import atomic_write_bytes, check_free
from clip_depth_ros.core.image_plan import plan_image, Size
from clip_depth_ros.errors import ConfigError, DataError, ImageError, OutputError
from clip_depth_ros.predictor.build import build_predictor
from clip_depth_ros.settings.base import ImageLimits
from clip_depth_ros.settings.pictures import PictureSettings
from clip_depth_ros.sources.files import read_rgb
from clip_depth_ros.sources.pictures import find_pictures, UserPicture
from clip_depth_ros.sources.video import VideoReader, written_video
from clip_depth_ros.types import Depth, DepthMap, DepthPredictor, Intrinsics, Rgb
import cv2
import numpy as np

WEBCAM_FRAMES: Final = 100
"""Of a webcam, which never ends, unless another number is asked for."""

_USUAL_HZ: Final = 30.0

_ENDINGS: Final = {
    'video': '_depth.mp4', 'frames': '_frames', 'picture': '_depth.png', 'depth': '_depth.npy',
    'grid': '_grid.npy', 'cloud': '_cloud.ply',
}
"""What the names of results end with; frames is the folder of those of a video."""


class Answered(NamedTuple):
    """A picture, cropped, uint8 (H, W, 3), and its depth; the camera where one is known."""

    rgb: Rgb
    answer: DepthMap
    camera: Intrinsics | None


def run_predict(args: argparse.Namespace) -> int:
    """
    Answer all that the flags name, write it, and say what was written.

    Returns
    -------
    int
        0, or 1 if some of several pictures could not be used.

    Raises
    ------
    ClipDepthError
        If nothing can be done: a wrong setting, no picture, no weights, no place to write.

    """
    pictures = find_pictures(args.inputs)
    _check_places(pictures, args)
    settings = predictor_settings(args, args.preset, PictureSettings)
    if args.save_grid and settings.means_clip2depth():
        raise ConfigError(
            '--save-grid: clip2depth answers pixels and has no depth per patch; leave it out, or '
            'add --method depthclip'
        )
    with closing(build_predictor(settings)) as predictor:
        run = _Run(args, settings, predictor)
        # First of all, so that nobody takes random weights for depth.
        run.introduce()
        if len(pictures) == 1 and not pictures[0].is_video:
            run.image(pictures[0], is_told=True)
            return 0
        return _all(pictures, run)


def _all(pictures: Sequence[UserPicture], run: _Run) -> int:
    """Answer several pictures, or a video, and return the exit code."""
    began_s, left_out = time.monotonic(), 0
    n_images = sum(not picture.is_video for picture in pictures)
    with progress('predict', total=n_images, unit='image') as bar:
        for picture in pictures:
            try:
                if picture.is_video:
                    run.video(picture, bar)
                else:
                    run.image(picture)
                    bar.update()
            except DataError as error:
                if len(pictures) == 1:
                    raise
                left_out += 1
                print(f'clip-depth predict: left out: {_as_flags(error)}', file=sys.stderr)
    run.conclude(time.monotonic() - began_s)
    return 1 if left_out else 0


def _per_image(args: argparse.Namespace, *, is_video: bool) -> list[str]:
    """Return which results an image, or each frame of a video, has."""
    saves_depth = not is_video if args.save_npy is None else args.save_npy
    wanted = {
        'picture': not is_video, 'depth': saves_depth, 'grid': args.save_grid,
        'cloud': args.save_ply,
    }
    return [kind for kind, is_wanted in wanted.items() if is_wanted]


def _places(picture: UserPicture, args: argparse.Namespace) -> dict[str, Path]:
    """Return where the results of a picture go, by what they are."""
    kinds = _per_image(args, is_video=picture.is_video)
    if picture.is_video:
        kinds = ['video', *(['frames'] if kinds else [])]
    return {kind: args.out / f'{picture.name}{_ENDINGS[kind]}' for kind in kinds}


def _check_places(pictures: Sequence[UserPicture], args: argparse.Namespace) -> None:
    """Refuse, with OutputError, to write over what is there, or one result over another."""
    places = [path for picture in pictures for path in _places(picture, args).values()]
    twice = [path for path, n in Counter(places).items() if n > 1]
    if twice:
        raise OutputError(
            f'{str(twice[0])!r} would be of two pictures of the same name: predict them one by '
            'one, each with an --out of its own'
        )
    inputs = {each.where.resolve() for each in pictures if isinstance(each.where, Path)}
    if taken := [path for path in places if path.resolve() in inputs]:
        raise OutputError(
            f'{str(taken[0])!r} is one of the pictures: name another folder with --out'
        )
    check_free(places, force=args.force)


class _Run:
    """A predictor at work on what the flags name."""

    def __init__(
        self, args: argparse.Namespace, settings: PictureSettings, predictor: DepthPredictor
    ) -> None:
        self._args, self._settings, self._predictor = args, settings, predictor
        limits: ImageLimits = ImageLimits.from_mapping(given_settings(args, ImageLimits))
        self._max_pixels = limits.max_image_pixels
        self._described = predictor.describe()
        self._said: set[str] = set()
        self._n: Counter[str] = Counter()

    def introduce(self) -> None:
        """Say who answers."""
        for key in ('weights', 'method', 'clip2depth_weights', 'notes'):
            if key in self._described:
                print(f'{key}: {_as_flags(self._described[key])}')

    def conclude(self, seconds: float) -> None:
        """Say what was made, and how fast."""
        n_images = self._n.pop('answers', 0)
        made = ', '.join(f'{n} *{_ENDINGS[kind]}' for kind, n in self._n.items())
        print(
            f'{self._args.out}: {made or "nothing"}; {n_images} images in {seconds:.1f} s, '
            f'{n_images / max(seconds, 1e-9):.3g} images/s; colours: {self._said_of_colors()}'
        )

    def image(self, picture: UserPicture, *, is_told: bool = False) -> None:
        """Answer and write an image; say what is in each file, if that is to be told."""
        assert isinstance(picture.where, Path)
        try:
            rgb = read_rgb(picture.where, self._max_pixels, upright=True)
        except DataError as error:
            raise ImageError(f'cannot read image {str(picture.where)!r}: {error}') from error
        answered = self._answered(rgb, picture.where)
        kinds = _per_image(self._args, is_video=False)
        for path, kind in self._write(self._args.out / picture.name, kinds, answered):
            if is_told:
                print(f'{path}: {self._caption(kind, answered.answer)}')

    def video(self, picture: UserPicture, bar: Any) -> None:
        """Answer a video or webcam, and write a video."""
        places, is_webcam = _places(picture, self._args), isinstance(picture.where, int)
        kinds = _per_image(self._args, is_video=True)
        most = self._args.frames or (WEBCAM_FRAMES if is_webcam else None)
        with VideoReader(picture.where, self._max_pixels) as video:
            n_frames = video.n_frames or most or 0
            bar.total += min(n_frames, most or n_frames)
            frames = islice(video, most)
            first = next(frames)
            answered = self._answered(first, None)
            hz = (0.0 if is_webcam else video.hz) or self._own_hz(first)
            size = Size(*self._shown(answered).shape[:2])
            rest = (self._answered(rgb, None) for rgb in frames)
            with written_video(places['video'], size, hz) as add, _ended_by_ctrl_c(is_webcam):
                for index, each in enumerate(chain([answered], rest)):
                    add(self._shown(each))
                    if kinds:
                        [*self._write(places['frames'] / f'{index:06d}', kinds, each)]
                    bar.update()
        self._n['video'] += 1

    def _answered(self, whole: Rgb, image: Path | None) -> Answered:
        size = Size(*whole.shape[:2])
        camera, said = camera_of(
            self._args, size, self._described, image=image, wants_cloud=self._args.save_ply
        )
        for line in said:
            if line not in self._said:
                self._said.add(line)
                print(f'camera: {line}')
        rgb = whole
        if crop := self._args.crop:
            rgb = plan_image(size, crop=crop).apply_to_image(whole, lambda view, _: view)
            camera = camera and camera.cropped(*crop)
        is_used = 'focal_px' in self._described
        answer = self._predictor.predict(rgb, camera if is_used else None)
        self._n['answers'] += 1
        return Answered(rgb, answer, camera)

    def _own_hz(self, rgb: Rgb) -> float:
        """Return how many images a second are answered: a webcam's other frames are not seen."""
        began_s = time.monotonic()
        self._predictor.predict(rgb)
        return min(_USUAL_HZ, 1 / max(time.monotonic() - began_s, 1e-3))

    def _shown(self, answered: Answered) -> Rgb:
        return side_by_side(answered.rgb, answered.answer.depth_m, **self._settings.colors())

    def _write(
        self, stem: Path, kinds: Sequence[str], answered: Answered
    ) -> Iterator[tuple[Path, str]]:
        """Write results, and yield the path and kind of each."""
        for kind in kinds:
            path = stem.with_name(f'{stem.name}{_ENDINGS[kind]}')
            atomic_write_bytes(path, self._bytes(kind, answered))
            self._n[kind] += 1
            yield path, kind

    def _bytes(self, kind: str, answered: Answered) -> bytes:
        answer = answered.answer
        if kind == 'picture':
            _, png = cv2.imencode('.png', self._shown(answered)[..., ::-1])
            return png.tobytes()
        if kind == 'cloud':
            return _ply(answered)
        array = answer.depth_m if kind == 'depth' else answer.grid_depth_m
        assert array is not None
        return _npy(array)

    def _caption(self, kind: str, answer: DepthMap) -> str:
        if kind == 'picture':
            return self._said_of_colors()
        if kind == 'cloud':
            return f'{np.isfinite(answer.depth_m).sum()} points, optical frame, metres'
        depth_m = answer.depth_m if kind == 'depth' else answer.grid_depth_m
        assert depth_m is not None
        height, width = depth_m.shape
        return f'{width}x{height} float32, {_range_of(depth_m)}'

    def _said_of_colors(self) -> str:
        settings, (near_m, far_m) = self._settings, self._settings.color_range_m()
        scale = 'log' if is_log(near_m, far_m, settings.color_scale) else 'linear'
        return f'{settings.color_map}, {near_m:g} m (near) to {far_m:g} m (far), {scale} scale'


def _as_flags(said: object) -> str:
    return as_flags(str(said), flags_by_setting(PictureSettings))


@contextmanager
def _ended_by_ctrl_c(is_usual: bool) -> Iterator[None]:
    """Take Ctrl-C for the end of what has none of its own."""
    try:
        yield
    except KeyboardInterrupt:
        if not is_usual:
            raise


def _ply(answered: Answered) -> bytes:
    depth_m, camera = answered.answer.depth_m, answered.camera
    assert camera is not None
    height, width = depth_m.shape
    points = CloudBuilder(pinhole_rays(camera.scaled_to(width, height))).build(depth_m)
    rgb = cv2.resize(answered.rgb, (width, height), interpolation=cv2.INTER_AREA)
    return ply_bytes(points.reshape(-1, 3), np.asarray(rgb, np.uint8).reshape(-1, 3))


def _npy(depth_m: Depth) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, depth_m, allow_pickle=False)
    return buffer.getvalue()


def _range_of(depth_m: Depth) -> str:
    """Return the range of what are numbers, and how much is not."""
    is_number = np.isfinite(depth_m)
    known_m = depth_m[is_number]
    span = f'{known_m.min():.2f} to {known_m.max():.2f} m' if known_m.size else 'no depth'
    share = 100 * (1 - is_number.mean())
    return f'{span}, {share:.1f} % out of range' if share else span
