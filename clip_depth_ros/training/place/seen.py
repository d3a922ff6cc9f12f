# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What DepthCLIP's frozen CLIP sees in a frame, computed once for all that is fitted to it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
import hashlib
from typing import Any, Final

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.images import resize_rgb
from clip_depth_ros.evaluation.score.prepare import valid_gt
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.predictor.depthclip import DepthClipPredictor
from clip_depth_ros.predictor.networks import WordNetwork
from clip_depth_ros.sources.samples import DepthSample
import cv2
import numpy as np
from numpy.typing import NDArray

N_PIXELS: Final = 1024
"""Pixels of a frame that a fit looks at, evenly spaced among those whose depth counts."""

_WORDS_AT_ONCE: Final = 64


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """
    A frame as DepthCLIP sees it, and some of its true depth.

    Attributes
    ----------
    maps : float32 (F, K, grid_h, grid_w)
        Cosines of patches and words, or the vectors of patches. F is 2 with ``flip``: then the
        second is that of the mirrored image, mirrored back.
    places : float32 (N, 2)
        x and y of pixels, from -1 to 1 between the outer edges of the image; where corners are
        aligned, between the centres of its outer pixels.
    target_m : float32 (N,)
        Their depth in the metres of the camera that bins belong to.
    unmeasured : bool (grid_h, grid_w)
        Patches without any depth that counts: sky, and what the sensor does not reach.
    scene : str, optional
        As which the frame alone is recognised.

    """

    maps: NDArray[np.float32]
    places: NDArray[np.float32]
    target_m: NDArray[np.float32]
    unmeasured: NDArray[np.bool_]
    scene: str | None


def see(
    predictor: DepthClipPredictor,
    sample: DepthSample,
    protocol: EvaluationProtocol,
    *,
    vectors: bool = False,
) -> Seen | None:
    """
    Look at a frame as the predictor does; None if none of its depth counts.

    With ``vectors``, those of its patches are kept, not the cosines. DataError if the frame is too
    small for a crop of the protocol.
    """
    valid = valid_gt(sample.target_m, protocol)
    counted = np.flatnonzero(valid)
    if not counted.size:
        return None
    network, view = predictor.network, predictor.views.of(
        Size(*sample.rgb.shape[:2]), sample.intrinsics
    )
    image = view.plan.apply_to_image(sample.rgb, resize_rgb)
    batch = np.stack([image, image[:, ::-1]] if predictor.settings.flip else [image])
    predictor.reset()
    [scene] = predictor.recognise([sample.rgb])
    chosen = counted[np.linspace(0, counted.size - 1, N_PIXELS).round().astype(np.intp)]
    words = np.eye(predictor.words.shape[1], dtype=np.float32) if vectors else predictor.words
    maps = np.concatenate([
        network.cosines(batch, words[first:first + _WORDS_AT_ONCE])
        for first in range(0, len(words), _WORDS_AT_ONCE)
    ], axis=1)
    return Seen(
        maps=np.concatenate([maps[:1], maps[1:, ..., ::-1]]),
        places=places_of(
            chosen, Size(*sample.target_m.shape), are_aligned=network.features == 'official'
        ),
        target_m=sample.target_m.ravel()[chosen] / np.float32(view.focal_ratio),
        unmeasured=_share_of_patches(valid, Size(*maps.shape[2:])) == 0,
        scene=scene,
    )


def _share_of_patches(valid: NDArray[np.bool_], grid: Size) -> NDArray[np.float32]:
    """Return which share of each patch is valid, (grid_h, grid_w)."""
    size = (grid.width, grid.height)
    shares = cv2.resize(valid.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return np.asarray(shares, np.float32)


def places_of(pixels: NDArray[np.intp], size: Size, *, are_aligned: bool) -> NDArray[np.float32]:
    """Return the places of pixels, numbered in rows one after the other, (N, 2)."""
    rows, columns = np.divmod(pixels, size.width)
    xy = np.stack([columns, rows], axis=-1).astype(np.float64)
    sides = np.array([size.width, size.height])
    between = 2 * xy / np.maximum(sides - 1, 1) if are_aligned else (2 * xy + 1) / sides
    places: NDArray[np.float32] = (between - 1).astype(np.float32)
    return places


class RememberingWords:
    """A :class:`WordNetwork` that answers a second time for what it has seen from memory."""

    def __init__(self, network: WordNetwork) -> None:
        self.network = network
        self.name, self.weights, self.note = network.name, network.weights, network.note
        self.engine, self.device = network.engine, network.device
        self.precision, self.stride = network.precision, network.stride
        self.likes_batches, self.features = network.likes_batches, network.features
        self.native_size, self.logit_scale = network.native_size, network.logit_scale
        self._kept: dict[bytes, NDArray[np.float32]] = {}

    def cosines(
        self, batch: NDArray[np.uint8], words: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return how patches go with words, float32 (B, K, grid_h, grid_w)."""
        key = _key(batch, words)
        if key not in self._kept:
            self._kept[key] = self.network.cosines(batch, words)
        return self._kept[key]

    def image_vectors(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the unit vectors of whole images of the native size, float32 (B, embed_dim)."""
        key = _key(batch)
        if key not in self._kept:
            self._kept[key] = self.network.image_vectors(batch)
        return self._kept[key]

    def embed(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """Return the unit vectors of sentences, float32 (N, embed_dim)."""
        return self.network.embed(sentences)

    def explained(self, work: str) -> AbstractContextManager[None]:
        """Return a context that turns running out of memory into a DeviceError."""
        return self.network.explained(work)

    def describe(self) -> Any:
        """Return what else an operator should know of it."""
        return self.network.describe()

    def free(self) -> None:
        """Give memory back."""
        self._kept = {}
        self.network.free()


def _key(*arrays: NDArray[Any]) -> bytes:
    digest = hashlib.blake2b()
    for array in arrays:
        digest.update(f'{array.shape} '.encode() + np.ascontiguousarray(array).tobytes())
    return digest.digest()
