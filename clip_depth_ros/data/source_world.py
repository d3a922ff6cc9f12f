# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The synthetic drive as training data: rendered on the fly, or once and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
import itertools
import json
import multiprocessing
from pathlib import Path
import shutil
from typing import Any, Final

from clip_depth_ros.data.samples import DepthSample
from clip_depth_ros.data.world.drive import Drive
from clip_depth_ros.errors import DataError, OutputError
from clip_depth_ros.files import atomic_path
import numpy as np
from numpy.typing import NDArray

_FIRST_FRAME: Final = 7
_FRAME_STEP: Final = 53
"""Frames of one street are 5.3 s apart, so that they show different stretches of it."""

_VERSION: Final = 1
"""Of the rendered streets; one more whenever the same seed looks different."""

_ARRAYS: Final = {'rgb': np.uint8, 'depth_m': np.float16, 'class_ids': np.uint8}
_PER_TASK: Final = 8


@dataclass(frozen=True, slots=True)
class Streets:
    """
    Which frames of which synthetic streets.

    Attributes
    ----------
    first_seed, n_seeds : int
        The streets.
    frames_per_seed : int
        Frames of each, 5.3 s apart.
    width, height : int
        Image size, pixels.

    """

    first_seed: int
    n_seeds: int
    frames_per_seed: int
    width: int = 320
    height: int = 96

    def __len__(self) -> int:
        return self.n_seeds * self.frames_per_seed

    @property
    def seeds(self) -> range:
        """Give the seeds of the streets."""
        return range(self.first_seed, self.first_seed + self.n_seeds)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Give (frames, height, width)."""
        return (len(self), self.height, self.width)


@dataclass(frozen=True, slots=True)
class Frames:
    """
    Frames of a world that knows what is in them.

    Attributes
    ----------
    rgb : uint8 (N, H, W, 3)
    depth_m : float16 or float32 (N, H, W)
        Metres; +Inf for sky. float16 is right to 0.05 %.
    class_ids : uint8 (N, H, W)
        As :class:`SyntheticFrame` has them.

    """

    rgb: NDArray[np.uint8]
    depth_m: NDArray[Any]
    class_ids: NDArray[np.uint8]

    def __len__(self) -> int:
        """Give the number of frames."""
        return len(self.rgb)


class WorldSource:
    """
    Samples of synthetic streets.

    Parameters
    ----------
    streets : Streets
        Which frames.
    rendered : Path, optional
        Folder where :func:`render_streets` has put them; without, each is rendered when asked for.
    sky_depth_m : float
        What counts as the depth of sky and of all beyond it; 0: nothing is known there.

    """

    def __init__(
        self,
        streets: Streets,
        *,
        rendered: Path | None = None,
        sky_depth_m: float = 0.0,
    ) -> None:
        self.name = 'the synthetic drive'
        self.streets = streets
        self.sky_depth_m = sky_depth_m
        self._rendered = rendered
        self._frames: Frames | None = None
        self._street: tuple[int, Drive] | None = None

    def __len__(self) -> int:
        return len(self.streets)

    def __getitem__(self, index: int) -> DepthSample:
        """Give a frame."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        seed, number = _frame_of(self.streets, index)
        drive = self._drive(seed)
        if self._rendered is not None:
            self._frames = self._frames or open_frames(self._rendered, self.streets)
            rgb, depth_m = self._frames.rgb[index], self._frames.depth_m[index]
        else:
            frame = drive.frame(number, lidar=False)
            rgb, depth_m = frame.rgb, frame.depth_m
        target_m = np.array(depth_m, np.float32)
        if self.sky_depth_m:
            np.minimum(target_m, self.sky_depth_m, out=target_m)
        target_m[~np.isfinite(target_m)] = 0
        return DepthSample(
            f'seed {seed} frame {number}', np.array(rgb), target_m, drive.intrinsics
        )

    def __getstate__(self) -> dict[str, Any]:
        """Leave open files and streets behind: each process opens its own."""
        return {**self.__dict__, '_frames': None, '_street': None}

    def describe(self) -> Mapping[str, str]:
        """Give what decides the frames."""
        facts = {name: str(value) for name, value in asdict(self.streets).items()}
        facts['version'] = str(_VERSION)  # tokens of an earlier world are not those of this one
        return {'source': 'synthetic', 'sky_depth_m': f'{self.sky_depth_m:g}', **facts}

    def _drive(self, seed: int) -> Drive:
        if self._street is None or self._street[0] != seed:
            self._street = (
                seed, Drive(seed, width=self.streets.width, height=self.streets.height)
            )
        return self._street[1]


def stream_streets(
    first_seed: int,
    *,
    frames_per_seed: int = 1,
    width: int = 320,
    height: int = 96,
    sky_depth_m: float = 0.0,
) -> Iterator[DepthSample]:
    """
    Give samples of one street after the other for ever: no frame comes twice.

    Parameters
    ----------
    first_seed : int
        The first street; each next one has the next number.
    frames_per_seed, width, height : int
        As in :class:`Streets`.
    sky_depth_m : float
        As in :class:`WorldSource`.

    """
    for seed in itertools.count(first_seed):
        street = Streets(seed, 1, frames_per_seed, width, height)
        source = WorldSource(street, sky_depth_m=sky_depth_m)
        yield from (source[index] for index in range(len(source)))


def render_streets(
    streets: Streets,
    folder: Path,
    *,
    n_workers: int = 1,
    on_frames: Callable[[int], None] = lambda count: None,
) -> Frames:
    """
    Render frames into a folder, or find them there.

    Parameters
    ----------
    streets : Streets
        Which frames.
    folder : Path
        Gets ``rgb.npy``, ``depth_m.npy``, ``class_ids.npy`` and ``streets.json``, all at once when
        the last frame is done. Frames of other streets there are replaced; a folder with these
        streets and more after them is left as it is.
    n_workers : int
        Processes that render.
    on_frames : callable
        Is told how many frames were rendered since the last call.

    Returns
    -------
    Frames
        Mapped into memory.

    Raises
    ------
    OutputError
        If the folder cannot be written, or holds something else.

    """
    if _is_rendered(folder, streets):
        return open_frames(folder, streets)
    _check_replaceable(folder)
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        arrays = {
            name: np.lib.format.open_memmap(
                temporary / f'{name}.npy', 'w+', dtype, _shape_of(name, streets)
            )
            for name, dtype in _ARRAYS.items()
        }
        for first, frames in _rendered_in_parts(streets, n_workers):
            for name, array in arrays.items():
                part = getattr(frames, name)
                array[first:first + len(part)] = part
            on_frames(len(frames))
        for array in arrays.values():
            array.flush()
        (temporary / 'streets.json').write_text(json.dumps(_manifest(streets)), encoding='utf-8')
        shutil.rmtree(folder, ignore_errors=True)
    return open_frames(folder, streets)


def open_frames(folder: Path, streets: Streets) -> Frames:
    """
    Open frames that were rendered before.

    Raises
    ------
    DataError
        If they are not there, damaged, or of other streets.

    """
    if not _is_rendered(folder, streets):
        raise DataError(
            f'{str(folder)!r} does not hold the rendered frames of {streets}: render them again'
        )
    try:
        return Frames(**{name: _open_array(folder, name, streets) for name in _ARRAYS})
    except (OSError, ValueError) as error:
        raise DataError(
            f'the rendered frames in {str(folder)!r} are damaged ({error}): remove the folder and '
            'render them again'
        ) from error


def _open_array(folder: Path, name: str, streets: Streets) -> NDArray[Any]:
    array = np.lib.format.open_memmap(folder / f'{name}.npy', mode='r')
    wanted = (_shape_of(name, streets), np.dtype(_ARRAYS[name]))
    part: NDArray[Any] = array[:len(streets)]
    if (part.shape, part.dtype) != wanted:
        raise ValueError(f'{name} should be {wanted}, is {(array.shape, array.dtype)}')
    return part


def _rendered_in_parts(streets: Streets, n_workers: int) -> Iterator[tuple[int, Frames]]:
    """Give the number of the first frame and the frames, some streets at a time."""
    parts = [
        Streets(
            first, min(_PER_TASK, streets.seeds.stop - first), streets.frames_per_seed,
            streets.width, streets.height,
        )
        for first in streets.seeds[::_PER_TASK]
    ]
    firsts = [
        (part.first_seed - streets.first_seed) * streets.frames_per_seed for part in parts
    ]
    if n_workers <= 1:
        yield from zip(firsts, map(_render, parts), strict=True)
        return
    # Not forked: the parent may have threads (of PyTorch, of OpenCV) that a fork would break.
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(n_workers, mp_context=context) as pool:
        yield from zip(firsts, pool.map(_render, parts), strict=True)


def _render(streets: Streets) -> Frames:
    """Render all frames of a few streets."""
    rgb = np.empty((*streets.shape, 3), np.uint8)
    depth_m = np.empty(streets.shape, np.float16)
    class_ids = np.empty(streets.shape, np.uint8)
    for index in range(len(streets)):
        seed, number = _frame_of(streets, index)
        if index % streets.frames_per_seed == 0:
            drive = Drive(seed, width=streets.width, height=streets.height)
        frame = drive.frame(number, lidar=False)
        rgb[index], class_ids[index] = frame.rgb, frame.class_ids
        depth_m[index] = frame.depth_m
    return Frames(rgb, depth_m, class_ids)


def _frame_of(streets: Streets, index: int) -> tuple[int, int]:
    """Give seed and frame number of a sample."""
    street, number = divmod(index, streets.frames_per_seed)
    return streets.first_seed + street, _FIRST_FRAME + _FRAME_STEP * number


def _shape_of(name: str, streets: Streets) -> tuple[int, ...]:
    return (*streets.shape, 3) if name == 'rgb' else streets.shape


def _manifest(streets: Streets) -> dict[str, Any]:
    return {'version': _VERSION, **asdict(streets)}


def _check_replaceable(folder: Path) -> None:
    """Refuse a folder that holds anything but rendered frames: it would be removed."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / 'streets.json').is_file():
        raise OutputError(
            f'{str(folder)!r} holds something else than rendered frames: name another folder'
        )


def _is_rendered(folder: Path, streets: Streets) -> bool:
    """Say whether a folder holds these streets, and perhaps more after them."""
    try:
        manifest = json.loads((folder / 'streets.json').read_bytes())
        n_there = int(manifest['n_seeds'])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    wanted = {**_manifest(streets), 'n_seeds': n_there}
    return n_there >= streets.n_seeds and bool(manifest == wanted)
