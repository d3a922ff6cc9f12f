# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames of many synthetic streets, rendered once: written by processes, mapped into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
import json
import multiprocessing
from pathlib import Path
import shutil
from typing import Any, Final, TypeVar

from clip_depth_ros.core.files import atomic_path, end_with_parent
from clip_depth_ros.errors import DataError, OutputError
from clip_depth_ros.world.drive import Drive
from clip_depth_ros.world.rig import Cameras, Rig, rig_of
import numpy as np
from numpy.typing import NDArray

Item = TypeVar('Item')
Made = TypeVar('Made')

_FIRST_FRAME: Final = 7
_FRAME_STEP: Final = 53


@dataclass(frozen=True, slots=True)
class Streets:
    """
    Which frames of which synthetic streets: their numbers, seeds and times.

    Attributes
    ----------
    first_seed, n_seeds : int
        The streets.
    frames_per_seed : int
        Frames of each.
    width, height : int
        Image size, pixels; of varied and corner cameras see :func:`rig_of`.
    frame_step : int
        Steps of 0.1 s between frames; by default 5.3 s, so that they show different stretches of
        a street; 1 makes them a film.
    cameras : Cameras
        Which cameras see them.
    lens : float
        Their lenses are longer by this factor.

    """

    first_seed: int
    n_seeds: int
    frames_per_seed: int
    width: int = 320
    height: int = 96
    frame_step: int = _FRAME_STEP
    cameras: Cameras = 'kitti'
    lens: float = 1.0

    def __len__(self) -> int:
        return self.n_seeds * self.frames_per_seed

    @property
    def seeds(self) -> range:
        """Seeds of the streets."""
        return range(self.first_seed, self.first_seed + self.n_seeds)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(frames, height, width)."""
        return (len(self), self.height, self.width)

    def frame_of(self, index: int) -> tuple[int, int]:
        """Return the seed, and the number within its drive, of a frame."""
        street, number = divmod(index, self.frames_per_seed)
        return self.first_seed + street, _FIRST_FRAME + self.frame_step * number

    def drive(self, seed: int) -> Drive:
        """Return the drive of a seed behind its camera."""
        return Drive(seed, rig=self.rig(seed))

    def rig(self, seed: int) -> Rig:
        """Return the camera that sees the street of a seed."""
        return rig_of(self.cameras, seed, self.width, self.height).with_lens(self.lens)

    @property
    def has_one_size(self) -> bool:
        """Return whether all frames are of ``width`` x ``height``."""
        return self.cameras in ('kitti', 'windows')

    def facts(self) -> dict[str, int | float | str]:
        """
        Return all fields by name; step, cameras and lens only where they are not the default.

        So frames and tokens that were stored before these were a choice are still found.
        """
        defaults = {'frame_step': _FRAME_STEP, 'cameras': 'kitti', 'lens': 1.0}
        return {
            name: value for name, value in asdict(self).items() if defaults.get(name) != value
        }


VERSION: Final = 4
"""Version of the rendered streets: raised whenever the same seed looks different."""

_ARRAYS: Final = {'rgb': np.uint8, 'depth_m': np.float16, 'class_ids': np.uint8}
_PER_TASK: Final = 8


@dataclass(frozen=True, slots=True)
class Frames:
    """
    Rendered frames with the truth about them.

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
        """Return the number of frames."""
        return len(self.rgb)


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
        Called with the number of frames rendered since the last call.

    Returns
    -------
    Frames
        Mapped into memory.

    Raises
    ------
    OutputError
        If the folder cannot be written, or holds something else.
    DataError
        If the frames are of several sizes.

    """
    if not streets.has_one_size:
        raise DataError(
            f'frames of {streets.cameras} cameras have sizes of their own and cannot be kept in '
            'one array: leave rendered_dir out, and each is rendered when it is asked for'
        )
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
    """Yield the number of the first frame, and the frames, of some streets at a time."""
    parts = [
        replace(streets, first_seed=first, n_seeds=min(_PER_TASK, streets.seeds.stop - first))
        for first in streets.seeds[::_PER_TASK]
    ]
    firsts = [(part.first_seed - streets.first_seed) * streets.frames_per_seed for part in parts]
    yield from zip(firsts, in_processes(_render, parts, n_workers), strict=True)


def in_processes(
    work: Callable[[Item], Made], items: Iterable[Item], n_workers: int
) -> Iterator[Made]:
    """
    Yield what ``work`` makes of each item, in their order, from processes of its own.

    In this process if there is one worker.
    """
    if n_workers <= 1:
        yield from map(work, items)
        return
    # Not forked: the parent may have threads (of PyTorch, of OpenCV) that a fork would break.
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(n_workers, context, initializer=end_with_parent) as pool:
        yield from pool.map(work, items)


def _render(streets: Streets) -> Frames:
    """Render all frames of a few streets."""
    rgb = np.empty((*streets.shape, 3), np.uint8)
    depth_m = np.empty(streets.shape, np.float16)
    class_ids = np.empty(streets.shape, np.uint8)
    for index in range(len(streets)):
        seed, number = streets.frame_of(index)
        if index % streets.frames_per_seed == 0:
            drive = streets.drive(seed)
        frame = drive.frame(number, lidar=False)
        rgb[index], class_ids[index] = frame.rgb, frame.class_ids
        depth_m[index] = frame.depth_m
    return Frames(rgb, depth_m, class_ids)


def _shape_of(name: str, streets: Streets) -> tuple[int, ...]:
    return (*streets.shape, 3) if name == 'rgb' else streets.shape


def _manifest(streets: Streets) -> dict[str, Any]:
    return {'version': VERSION, **streets.facts()}


def _check_replaceable(folder: Path) -> None:
    """Refuse a folder that holds anything but rendered frames: it would be removed."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / 'streets.json').is_file():
        raise OutputError(
            f'{str(folder)!r} holds something other than rendered frames: name another folder'
        )


def _is_rendered(folder: Path, streets: Streets) -> bool:
    """Return whether a folder holds these streets, and perhaps more after them."""
    try:
        manifest = json.loads((folder / 'streets.json').read_bytes())
        n_there = int(manifest['n_seeds'])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    wanted = {**_manifest(streets), 'n_seeds': n_there}
    return n_there >= streets.n_seeds and bool(manifest == wanted)
