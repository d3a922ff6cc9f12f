# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
From an image to a depth map, with a frozen CLIP: everything but the method itself.

Read :meth:`ClipPredictor.predict_batch` and what follows it from top to bottom: images are
checked, grouped by size and camera, resized to whole patches (``views.py`` says to how many),
answered by the method (``depthclip.py`` or ``clip2depth.py``), brought to the metres of their
camera, and marked where the answer leaves the range that the settings allow.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
import dataclasses
from pathlib import Path
from typing import Any, Generic, TypeVar

from clip_depth_ros.core.depth_images import mark_range
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.images import check_rgb, resize_rgb
from clip_depth_ros.errors import WeightsError
from clip_depth_ros.predictor.confidence import confidence_of
from clip_depth_ros.predictor.networks import Network
from clip_depth_ros.predictor.views import TrainedAt, View, Views
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.types import (
    Depth,
    DepthMap,
    Intrinsics,
    NOTES,
    Rgb,
)
import numpy as np
from numpy.typing import NDArray

AnyNetwork = TypeVar('AnyNetwork', bound=Network)


class ClipPredictor(abc.ABC, Generic[AnyNetwork]):
    """
    Metric depth of images of any size by a method that stands on a frozen CLIP.

    Build one with :func:`clip_depth_ros.predictor.build.build_predictor`. One thread at a time
    may call it.

    ``network`` is the frozen CLIP and what is trained on it; its parts may be shared with another
    predictor. ``trained`` is what the method's numbers belong to. ``why`` says why this method,
    for reports. ``measure`` is what the method's raw confidence is, in words.
    """

    measure: str

    def __init__(
        self, settings: PredictorSettings, network: AnyNetwork, trained: TrainedAt, why: str
    ) -> None:
        self.settings = settings
        self.network = network
        self.views = Views(settings, trained, network.stride)
        self.why = why
        self.confidence = confidence_of(settings, self._weights_path(), self._used(), self.measure)

    @property
    def likes_batches(self) -> bool:
        """Return whether a batch takes less time than its images one by one: not on a cpu."""
        return self.network.likes_batches

    def predict(self, rgb: Rgb, camera: Intrinsics | None = None) -> DepthMap:
        """
        Return the depth of one image.

        Parameters
        ----------
        rgb : uint8 (H, W, 3)
            Red first; any size.
        camera : Intrinsics, optional
            Of this very image; by default a field of view is assumed. Not looked at where the
            camera is ignored.

        Returns
        -------
        DepthMap
            ``depth_m`` at the size of the image times ``depth_scale``: finite and within what the
            method can answer, but -Inf and +Inf outside of min_depth_m to max_depth_m, and NaN
            where ``confidence`` is below confidence_min. ``camera`` says what became of the
            camera. The class of the method says what else there is.

        Raises
        ------
        ImageError
            If it is not a uint8 array (H, W, 3).
        CalibrationError
            If the camera is used, and is that of images of another size.
        DeviceError
            If the memory of the device is too small for it.
        ClipDepthError
            If the predictor was closed.

        """
        return self.predict_batch([rgb], [camera])[0]

    def predict_batch(
        self, rgbs: Sequence[Rgb], cameras: Sequence[Intrinsics | None] | None = None
    ) -> list[DepthMap]:
        """
        Return the depth of several images, in their order.

        On a GPU, those of one size and camera share a forward pass; on a cpu that would take
        longer than one by one. A batch answers the same as its images one by one. ``cameras`` are
        as many as the images; by default none is known.
        """
        for rgb in rgbs:
            check_rgb(rgb)
        known = [None] * len(rgbs) if cameras is None else cameras
        groups: dict[View, list[int]] = {}
        for index, (rgb, camera) in enumerate(zip(rgbs, known, strict=True)):
            view = self.views.of(Size(*rgb.shape[:2]), camera)
            groups.setdefault(view, []).append(index)
        scenes = self.recognise(rgbs)
        answers: dict[int, DepthMap] = {}
        for view, indices in groups.items():
            n_at_once = len(indices) if self.likes_batches else 1
            for first in range(0, len(indices), n_at_once):
                some = indices[first:first + n_at_once]
                group = self._predict_group(
                    view, [rgbs[i] for i in some], [scenes[i] for i in some]
                )
                answers.update(zip(some, group, strict=True))
        return [answers[index] for index in range(len(rgbs))]

    def recognise(self, rgbs: Sequence[Rgb]) -> Sequence[str | None]:
        """Return the scene that each image shows; None where the method recognises none."""
        return [None] * len(rgbs)

    def _predict_group(
        self, view: View, rgbs: Sequence[Rgb], scenes: Sequence[str | None]
    ) -> list[DepthMap]:
        """Return the depth of images that are seen alike."""
        batch = np.stack([view.plan.apply_to_image(rgb, resize_rgb) for rgb in rgbs])
        work = f'{len(batch)} image(s) of {batch.shape[2]}x{batch.shape[1]} pixels'
        (height, width), scale = view.plan.source, self.settings.depth_scale
        size = Size(max(1, round(height * scale)), max(1, round(width * scale)))
        with self.network.explained(work):
            answers = self._answer(batch, size, scenes, view.camera)
        return [self._in_metres(answer, view) for answer in answers]

    def check_answers(self) -> None:
        """
        Look at a small test picture: numbers that pass as weights need not lead to depth.

        Raises
        ------
        WeightsError
            If the answer is not finite, or nothing but the end of a trained range.

        """
        stride = self.network.stride
        size = Size(2 * stride.height, 3 * stride.width)
        noise = np.random.default_rng(0).integers(0, 256, (1, *size, 3), np.uint8)
        camera = self.views.own_camera(size)
        depth_m = self._answer(noise, size, [None], camera)[0].depth_m
        if self._is_stuck(depth_m) or not np.isfinite(depth_m).all():
            described = self.describe()
            weights = described.get('clip2depth_weights', described['weights'])
            raise WeightsError(
                f'weights {weights} do not lead to depth: for a test picture, computing in '
                f'{self.network.precision}, they answer {depth_m.min():g} to '
                f'{depth_m.max():g} m; fetch or train them again'
            )

    def _is_stuck(self, depth_m: Depth) -> bool:
        """Return whether an answer is none, although it is finite."""
        return False

    @abc.abstractmethod
    def _answer(
        self,
        batch: NDArray[np.uint8],
        size: Size,
        scenes: Sequence[str | None],
        camera: Intrinsics | None,
    ) -> list[DepthMap]:
        """
        Return what the method sees in images, in the metres of the camera it was trained at.

        Each with its confidence, by ``self.confidence`` of the raw measure.

        Parameters
        ----------
        batch : uint8 (B, height, width, 3)
            Images of whole patches, red first.
        size : Size
            Height and width of the depth that is wanted, pixels.
        scenes : sequence of B str or None
            What :meth:`recognise` said of each image.
        camera : Intrinsics, optional
            Of the batch, for methods that are told rays.

        """

    @abc.abstractmethod
    def _weights_path(self) -> Path | None:
        """Return the file, or folder of an exported model, with which a table may come."""

    @abc.abstractmethod
    def _used(self) -> Mapping[str, Any]:
        """Return what decides how right answers are: ``weights`` and all that is set besides."""

    @abc.abstractmethod
    def _answer_range_m(self, scene: str | None) -> tuple[float, float]:
        """Return the nearest and farthest depth that the method can answer in a scene, metres."""

    def _in_metres(self, answer: DepthMap, view: View) -> DepthMap:
        """
        Bring an answer to the metres of its camera.

        What rounding adds to the method's range is taken off; what is out of the settings' is
        marked.
        """
        ratio = np.float32(view.focal_ratio)
        near_far_m = np.array(self._answer_range_m(answer.scene), np.float32)
        depth_m = np.clip(answer.depth_m, *near_far_m, out=answer.depth_m)
        depth_m *= ratio
        near_far_m *= ratio
        low, high = self.settings.min_depth_m, self.settings.max_depth_m
        if near_far_m[0] < np.float32(low) or near_far_m[1] > np.float32(high):
            depth_m = mark_range(depth_m, min_depth_m=low, max_depth_m=high)
        if self.settings.confidence_min and answer.confidence is not None:
            depth_m[answer.confidence < np.float32(self.settings.confidence_min)] = np.nan
        grid_depth_m = answer.grid_depth_m
        return dataclasses.replace(
            answer,
            depth_m=depth_m,
            grid_depth_m=None if grid_depth_m is None else grid_depth_m * ratio,
            camera=view.use,
            seen_by=None if view.use == 'ignored' else view.camera,
            input_px=(view.plan.size.width, view.plan.size.height),
        )

    def describe(self) -> Mapping[str, str]:
        """Return what an operator or a report should know: method, backbone, weights, device."""
        network, description = self.network, self._describe()
        described = {
            'method': description.pop('method'),
            'backbone': network.name,
            'weights': network.weights,
            'engine': network.engine,
            'device': network.device,
            'precision': network.precision,
            **network.describe(),
            **description,
            **self.views.describe(),
            'flip': 'on' if self.settings.flip else 'off',
            'confidence': self.confidence.said,
        }
        notes = [network.note, *self.views.notes(), *self._notes()]
        notes += self.confidence.notes(self.settings)
        if said := [note for note in notes if note]:
            described[NOTES] = '; '.join(said)
        return described

    @abc.abstractmethod
    def _describe(self) -> dict[str, str]:
        """Return what is particular to the method; ``method`` is its name and why it was taken."""

    def _notes(self) -> list[str]:
        """Return what a user should know of settings that do not fit each other or the weights."""
        return []

    def reset(self) -> None:
        """Forget what earlier images left behind; nothing, unless the method says otherwise."""

    def close(self) -> None:
        """Give memory back, on the device too, unless another predictor shares it."""
        self.network.free()
