# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The frozen CLIP's tokens of a whole source on disk: then a training step costs the decoder alone.

A cache is a folder named by what its content depends on (backbone, taps, frames, size). It is
written beside its place and moved there when complete: a half-written one is never used. Damaged
or foreign ones are written again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
import hashlib
import json
from pathlib import Path
import shutil
from typing import Any, Final

from clip_depth_ros.core.files import atomic_path, remove_leftovers
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import OutputError
from clip_depth_ros.training.frames.frames import Batch
from clip_depth_ros.training.frames.order import Order
from clip_depth_ros.types import Depth
import numpy as np
from numpy.typing import NDArray
import torch

VERSION: Final = 2
_TOKENS: Final = 'tokens.bin'
_TARGETS: Final = 'targets.bin'
_RAYS: Final = 'rays.bin'
_SPARE_BYTES: Final = 64 << 20

Encode = Callable[[NDArray[np.uint8]], NDArray[np.float16]]
"""Takes images, uint8 (B, H, W, 3), to tokens, float16 (B, n_taps, 1 + N, C)."""

OnFrames = Callable[[int, int], None]
"""Called with how many frames of how many have been encoded."""


@dataclass(frozen=True, slots=True)
class TokenKey:
    """
    What the content of a cache depends on.

    Attributes
    ----------
    facts : mapping
        Hash of the backbone, taps, description of the source, size and the like: JSON values.
    n_frames : int
        Frames of the source.
    has_flipped : bool
        Whether tokens of the left-right flipped images are kept too.

    """

    facts: Mapping[str, Any]
    n_frames: int
    has_flipped: bool

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON would read it back."""
        all_of_it = {'version': VERSION, **asdict(self)}
        return dict(json.loads(json.dumps(all_of_it, sort_keys=True)))

    def name(self) -> str:
        """Return 12 hexadecimal digits that tell it from others."""
        text = json.dumps(self.as_json(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


class TokenCache:
    """
    Tokens and targets of a source, mapped into memory.

    Attributes
    ----------
    tokens : float16 (n_frames, n_views, n_taps, 1 + N, C)
        View 0 is the image, view 1 the flipped one.
    names : list of str
        Of the frames.
    problems : dict of str by str
        Why frames could not be read, by name; they have no target.
    size : Size
        Of the images, pixels.
    focal_ratios : float32 (n_frames,)
        True metres for one of the network's.
    rays : float32 (n_frames, N, 2), or None
        Where patches of view 0 look; None where the camera is ignored.

    """

    def __init__(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        self.folder = folder
        self.names: list[str] = manifest['names']
        self.problems: dict[str, str] = manifest['problems']
        self.size, self.grid = Size(*manifest['size']), Size(*manifest['grid'])
        self.focal_ratios = np.array(manifest['focal_ratios'], np.float32)
        self._shapes: list[tuple[int, int]] = [tuple(shape) for shape in manifest['shapes']]
        sizes = [height * width for height, width in self._shapes]
        self._starts = np.concatenate([[0], np.cumsum(sizes)])
        shape = (len(self.names), *manifest['token_shape'])
        self.tokens: NDArray[np.float16] = _mapped(folder / _TOKENS, np.float16, shape)
        self.rays: NDArray[np.float32] | None = None
        if manifest['has_rays']:
            n_patches = self.grid.height * self.grid.width
            self.rays = _mapped(folder / _RAYS, np.float32, (len(self.names), n_patches, 2))
        self._targets: NDArray[np.floating[Any]] = _mapped(
            folder / _TARGETS, np.dtype(manifest['target_dtype']), (int(self._starts[-1]),)
        )

    def __len__(self) -> int:
        return len(self.names)

    def target_m(self, index: int) -> Depth:
        """Return the target of one frame, float32 (H, W), metres, 0 where there is none."""
        flat = self._targets[self._starts[index]:self._starts[index + 1]]
        return np.asarray(flat.reshape(self._shapes[index]), np.float32)

    def rays_of(self, index: int, view: int) -> NDArray[np.float32] | None:
        """Return where the patches of a view look, float32 (N, 2): a flip mirrors them."""
        if self.rays is None or view == 0:
            return None if self.rays is None else self.rays[index]
        mirrored = self.rays[index].reshape(*self.grid, 2)[:, ::-1] * np.array([-1, 1], np.float32)
        return np.asarray(mirrored.reshape(-1, 2), np.float32)


def open_tokens(folder: Path, key: TokenKey) -> TokenCache | None:
    """Return the cache of a key if it is there, whole and the right one."""
    place = folder / key.name()
    try:
        manifest = json.loads((place / 'manifest.json').read_bytes())
        if manifest['key'] != key.as_json():
            return None
        cache = TokenCache(place, manifest)
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return None  # absent or damaged: it is written again
    return cache if len(cache) == key.n_frames else None


def write_tokens(
    folder: Path,
    key: TokenKey,
    batches: Iterable[Batch],
    encode: Encode,
    *,
    stride: Size,
    target_dtype: type[np.floating[Any]],
    on_frames: OnFrames = lambda done, total: None,
) -> TokenCache:
    """
    Encode all frames of a source, and keep the tokens in a folder of caches.

    ``batches`` are all frames once, in order, with images of one size; ``stride`` is that of a
    patch. Targets kept as float16 are right to
    0.05 %. OutputError if there is not enough space, before much of it is written.
    """
    place = folder / key.name()
    remove_leftovers(folder, key.name())
    dtype = np.dtype(target_dtype)
    manifest: dict[str, Any] = {
        'key': key.as_json(), 'names': [], 'problems': {}, 'shapes': [], 'focal_ratios': [],
        'target_dtype': dtype.str,
    }
    with atomic_path(place) as temporary, ExitStack() as files:
        temporary.mkdir()
        # Not through memory maps: a full disk is an error here, there a signal that ends all.
        tokens = files.enter_context((temporary / _TOKENS).open('wb'))
        targets = files.enter_context((temporary / _TARGETS).open('wb'))
        rays = files.enter_context((temporary / _RAYS).open('wb'))
        for batch in batches:
            views = _encode_views(batch, encode, key.has_flipped)
            if not manifest['names']:
                _check_space(folder, views[0].nbytes * key.n_frames)
                rows, columns = (n // each for n, each in zip(batch.size, stride, strict=True))
                manifest |= {
                    'token_shape': list(views.shape[1:]),
                    'size': list(batch.size),
                    'grid': [rows, columns],
                    'has_rays': batch.rays is not None,
                }
            tokens.write(views.tobytes())
            if batch.rays is not None:
                rays.write(batch.rays.numpy().tobytes())
            for target_m in batch.targets_m:
                targets.write(target_m.numpy().astype(dtype).tobytes())
            manifest['shapes'] += [list(target_m.shape) for target_m in batch.targets_m]
            manifest['focal_ratios'] += batch.focal_ratios.tolist()
            manifest['names'] += batch.names
            manifest['problems'].update(batch.problems)
            on_frames(len(manifest['names']), key.n_frames)
        (temporary / 'manifest.json').write_text(json.dumps(manifest), encoding='utf-8')
        shutil.rmtree(place, ignore_errors=True)  # a damaged one is in the way of the new
    return TokenCache(place, manifest)


def _mapped(path: Path, dtype: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """Map a file of plain numbers into memory; ValueError unless it has just the right size."""
    mapped = np.memmap(path, dtype, 'r')
    return np.asarray(mapped).reshape(shape)


def _encode_views(batch: Batch, encode: Encode, has_flipped: bool) -> NDArray[np.float16]:
    """Return the tokens of a batch, (B, n_views, n_taps, 1 + N, C)."""
    if batch.rgbs is None:
        raise TypeError('a batch with images is needed to encode them')
    rgbs = batch.rgbs.numpy()
    views = [encode(rgbs)]
    if has_flipped:
        views.append(encode(np.ascontiguousarray(rgbs[:, :, ::-1])))
    return np.stack(views, axis=1)


def _check_space(folder: Path, n_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < n_bytes + _SPARE_BYTES:
        raise OutputError(
            f'the token cache needs {n_bytes / 1e9:.1f} GB in {str(folder)!r}, which has '
            f'{free / 1e9:.1f} GB left: free some space, name another cache_dir, or set '
            'cache_tokens to false'
        )


@dataclass(frozen=True, slots=True, eq=False)
class TokenSet:
    """
    Batches from caches by position.

    Attributes
    ----------
    caches : sequence of TokenCache
        Where they come from: one for each size of images.
    frames : intp (n, 2)
        Cache of each frame, and its number there.
    order : Order, optional
        Which of these comes at a position, and whether flipped; without, the position says.
    may_flip : bool
        Whether half of them are flipped.

    """

    caches: Sequence[TokenCache]
    frames: NDArray[np.intp]
    order: Order | None = None
    may_flip: bool = False

    def __len__(self) -> int:
        return len(self.frames)

    def problems(self) -> dict[str, str]:
        """Return why frames could not be read, by name."""
        problems: dict[str, str] = {}
        for number, cache in enumerate(self.caches):
            mine = self.frames[self.frames[:, 0] == number, 1]
            problems |= _problems(cache, [cache.names[frame] for frame in mine])
        return problems

    def batch(self, positions: Sequence[int]) -> Batch:
        """Return the frames at some positions; all of them are of one size."""
        picks = [self._pick(position) for position in positions]
        (number,) = {number for number, _, _ in picks}
        cache = self.caches[number]
        frames, views = [frame for _, frame, _ in picks], [view for _, _, view in picks]
        names = [cache.names[frame] for frame in frames]
        targets_m = [
            cache.target_m(frame)[:, ::-1 if view else 1].copy() for _, frame, view in picks
        ]
        each = [cache.rays_of(frame, view) for _, frame, view in picks]
        rays = [known for known in each if known is not None]
        return Batch(
            names=names,
            rgbs=None,
            tokens=torch.from_numpy(cache.tokens[frames, views]),
            size=cache.size,
            targets_m=[torch.from_numpy(each) for each in targets_m],
            focal_ratios=torch.from_numpy(cache.focal_ratios[frames]),
            rays=torch.from_numpy(np.stack(rays)) if rays else None,
            problems=_problems(cache, names),
        )

    def _pick(self, position: int) -> tuple[int, int, int]:
        """Return cache, frame and view at a position."""
        index, view = position, 0
        if self.order is not None:
            index = self.order.frame_at(position)
            view = int(self.may_flip and self.order.rng_at(position).random() < 0.5)
        number, frame = map(int, self.frames[index])
        return number, frame, view


def _problems(cache: TokenCache, names: Sequence[str]) -> dict[str, str]:
    known = cache.problems
    return {name: known[name] for name in names if name in known}
