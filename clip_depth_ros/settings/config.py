# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Every setting once: default, unit, range, description, and whether it may change at run time.

ROS parameter descriptors, ``config/depth_node.yaml``, command-line flags and the parameter table
in the docs are derived from these classes (see :mod:`clip_depth_ros.settings.specs`).
"""

from __future__ import annotations

from collections.abc import Mapping
import re
from typing import Any, Final, Literal

from clip_depth_ros.errors import ConfigError
from clip_depth_ros.settings.checks import (
    check_as_many,
    check_ascending,
    check_gaps,
    log_spaced,
)
from clip_depth_ros.settings.presets import BINS_M, DEPTH_WORDS, OUTDOOR
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
    ValidationError,
)

TINY: Final = 'tiny'
"""The backbone whose architecture comes with this package."""

BUNDLED: Final = 'bundled'
"""The value of pretrained for the weights that come with this package."""


def setting(
    default: Any,
    description: str,
    *,
    unit: str = '',
    at_run_time: bool = False,
    **bounds: Any,
) -> Any:
    """Declare one setting; ``bounds`` are pydantic's ge, gt, le, lt."""
    extra: dict[str, Any] = {'unit': unit, 'at_run_time': at_run_time}
    return Field(default, description=description, json_schema_extra=extra, **bounds)


class Settings(BaseModel):
    """Base of all settings: frozen, checked on the way in, unknown names refused."""

    model_config = ConfigDict(frozen=True, extra='forbid', allow_inf_nan=False)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Any:
        """
        Build settings from plain values; what is not named keeps its default.

        Raises
        ------
        ConfigError
            Naming each setting that is unknown, of the wrong type or out of range, and its value.

        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise ConfigError(_explain(cls, error)) from error

    @classmethod
    def check_each(cls, values: Mapping[str, Any]) -> None:
        """
        Check values one by one, not whether they go together.

        Raises
        ------
        ConfigError
            Naming each setting that is unknown, of the wrong type or out of range, and its value.

        """
        try:
            cls.model_validate(dict(values))
        except ValidationError as error:
            if any(problem['loc'] for problem in error.errors()):
                raise ConfigError(_explain(cls, error)) from error

    def changed(self, **values: Any) -> Any:
        """Give the same settings with some values replaced, checked again as a whole."""
        return type(self).from_mapping({**self.model_dump(), **values})


class PredictorSettings(Settings):
    """What turns an image into depth."""

    method: Literal['auto', 'clip2depth', 'depthclip'] = setting(
        'auto',
        'Depth method. clip2depth: a trained decoder on CLIP (prompts, bins, scenes and '
        'temperature are not used). depthclip: zero-shot DepthCLIP. auto: clip2depth where '
        'trained weights are named or bundled for the backbone, else depthclip.',
    )
    backbone: str = setting(
        'RN50-quickgelu',
        'CLIP model: an open_clip architecture name, the path of an open_clip model JSON, or '
        '"tiny", the small architecture that comes with this package.',
    )
    pretrained: str = setting(
        'openai',
        'open_clip tag of the published weights for this backbone; "bundled" for the trained '
        'weights that come with this package, for backbone tiny; "random" for a seeded random '
        'initialisation (for trying the plumbing, it does not see depth). Ignored when '
        'clip_weights names a file.',
    )
    clip_weights: str = setting(
        '',
        'Local CLIP weights file: OpenAI TorchScript archive (.pt), open_clip state dict (.pt, '
        '.bin) or .safetensors. Empty: use the published weights named by pretrained.',
    )
    clip2depth_weights: str = setting(
        '',
        'Trained CLIP2Depth weights (.safetensors) for this backbone, as clip-depth train writes '
        'them. Empty: the bundled ones when backbone is tiny and pretrained is bundled.',
    )
    allow_download: bool = setting(
        False,
        'Allow fetching published weights over the network when they are not in the local cache.',
    )
    device: str = setting(
        'auto', 'Where to compute: auto (cuda when there is one, else cpu), cpu, cuda or cuda:N.'
    )
    precision: Literal['auto', 'fp32', 'fp16', 'bf16'] = setting(
        'auto', 'Arithmetic of the network: auto is fp16 on cuda and fp32 on the cpu.'
    )
    input_width_px: int = setting(
        0,
        'Width the image is resized to for the network, rounded to whole patches; 0 keeps the '
        'width of the image, or takes that which CLIP2Depth was trained at. Smaller is faster '
        'and coarser.',
        unit='px', at_run_time=True, ge=0, le=8192,
    )
    input_height_px: int = setting(
        0,
        'Height the image is resized to for the network, rounded to whole patches; 0 keeps the '
        'height of the image, or takes that which CLIP2Depth was trained at.',
        unit='px', at_run_time=True, ge=0, le=8192,
    )
    depth_scale: float = setting(
        1.0,
        'Size of the depth image relative to the camera image; camera_info is scaled with it.',
        at_run_time=True, gt=0.0, le=1.0,
    )
    min_depth_m: float = setting(
        0.5,
        'Nearest depth that may be answered; nearer is published as -Inf. Start of the outdoor '
        'bins.',
        unit='m', at_run_time=True, gt=0.0, le=1000.0,
    )
    max_depth_m: float = setting(
        80.0,
        'Farthest depth that may be answered; farther is published as +Inf. End of the outdoor '
        'bins.',
        unit='m', at_run_time=True, gt=0.0, le=1000.0,
    )
    features: Literal['auto', 'official', 'dense'] = setting(
        'auto',
        "Patch features. official: as DepthCLIP's released code, for ResNet backbones; dense: in "
        "CLIP's joint space, for every backbone; auto: official for ResNets, else dense.",
        at_run_time=True,
    )
    prompts: Literal['original', 'prompt1', 'prompt2', 'prompt3'] = setting(
        'original', 'Words for distance by preset name, nearest first.', at_run_time=True
    )
    depth_words: tuple[str, ...] = setting(
        (), 'Your own words for distance, nearest first; empty: those of prompts.',
        at_run_time=True,
    )
    prompt_templates: tuple[str, ...] = setting(
        ('This {} is {}',),
        'Sentences with two gaps: the object, then the word for distance. Several are averaged.',
        at_run_time=True,
    )
    prompt_objects: tuple[str, ...] = setting(
        ('object',), 'Objects to put into the first gap. Several are averaged.', at_run_time=True
    )
    bins: Literal['original', 'scene1', 'scene2', 'scene3', 'scene4', 'outdoor'] = setting(
        'original',
        'Depth of each word by preset name, or outdoor: spaced evenly in log depth from '
        'min_depth_m to max_depth_m. The others are for rooms: original ends at 3 m; scene1, '
        'scene2 and scene4 at 4 m; scene3 at 2.5 m.',
        at_run_time=True,
    )
    bins_m: tuple[float, ...] = setting(
        (), 'Your own depth for each word, ascending; empty: those of bins.', unit='m',
        at_run_time=True,
    )
    temperature: float = setting(
        0.1,
        'Divides 100 x cosine before the softmax over words; smaller is more decided.',
        at_run_time=True, ge=1e-4, le=100.0,
    )
    flip: bool = setting(
        True, 'Average with the prediction for the left-right flipped image (twice the work).',
        at_run_time=True,
    )
    scene_aware: bool = setting(
        False, 'Recognise the scene with the same CLIP and use its bins.', at_run_time=True
    )
    scene_bins: tuple[str, ...] = setting(
        (
            'bathroom: scene3', 'classroom: scene2', 'office: scene1', 'kitchen: original',
            'bedroom: original', 'living room: scene1', 'street: outdoor',
        ),
        'Scenes and their bins, each "name: bins preset" or "name: depth depth ...".',
        at_run_time=True,
    )
    scene_template: str = setting(
        'a photo of a {}', 'Sentence with one gap for the name of a scene.', at_run_time=True
    )
    scene_smoothing: float = setting(
        0.9,
        'Weight of the past in the running scene probabilities; 0 decides on each frame alone.',
        at_run_time=True, ge=0.0, lt=1.0,
    )

    @field_validator('device')
    @classmethod
    def _check_device(cls, device: str) -> str:
        if not re.fullmatch(r'auto|cpu|cuda(:\d+)?', device):
            raise ValueError('must be auto, cpu, cuda or cuda:N')
        return device

    @field_validator('depth_words', 'prompt_objects')
    @classmethod
    def _check_words(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        if not all(word.strip() for word in words):
            raise ValueError('must hold no empty text')
        return words

    @field_validator('prompt_objects', 'prompt_templates')
    @classmethod
    def _check_not_empty(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        if not values:
            raise ValueError('must hold at least one text')
        return values

    @field_validator('prompt_templates')
    @classmethod
    def _check_templates(cls, templates: tuple[str, ...]) -> tuple[str, ...]:
        for template in templates:
            check_gaps(template, 2)
        return templates

    @field_validator('scene_template')
    @classmethod
    def _check_scene_template(cls, template: str) -> str:
        return check_gaps(template, 1)

    @field_validator('bins_m')
    @classmethod
    def _check_bins(cls, bins_m: tuple[float, ...]) -> tuple[float, ...]:
        return check_ascending(bins_m)

    @model_validator(mode='after')
    def _check_together(self) -> PredictorSettings:
        if self.min_depth_m >= self.max_depth_m:
            raise ValueError(
                'depth range must satisfy 0 < min_depth_m < max_depth_m, got '
                f'min_depth_m={self.min_depth_m}, max_depth_m={self.max_depth_m}'
            )
        if self.pretrained == BUNDLED and self.backbone != TINY and not self.clip_weights:
            raise ValueError(
                f'pretrained={BUNDLED!r} goes with backbone={TINY!r} alone, got '
                f'backbone={self.backbone!r}: set backbone={TINY!r}, or name other weights'
            )
        scenes = self.resolved_scenes()
        if not self.means_clip2depth():
            self._check_bins_together(scenes)
        return self

    def _check_bins_together(self, scenes: Mapping[str, tuple[float, ...]]) -> None:
        words, bins_m = self.resolved_words(), self.resolved_bins_m()
        source = 'bins_m' if self.bins_m else f'bins={self.bins!r}'
        check_as_many(words, bins_m, source)
        if bins_m[-1] < self.min_depth_m or bins_m[0] > self.max_depth_m:
            raise ValueError(
                f'all depth bins, {bins_m[0]} to {bins_m[-1]} m ({source}), lie outside of '
                f'min_depth_m={self.min_depth_m} to max_depth_m={self.max_depth_m}: nothing would '
                "be answered; set bins='outdoor', your own bins_m, or another range"
            )
        for name, scene_bins_m in scenes.items() if self.scene_aware else ():
            check_as_many(words, scene_bins_m, f'scene_bins {name!r}')
        if self.scene_aware and len(scenes) < 2:
            raise ValueError(
                f'scene_aware needs two scenes or more to choose from, got scene_bins={[*scenes]}'
            )

    def uses_bundled(self) -> bool:
        """Say whether the bundled CLIP is asked for, for which CLIP2Depth is bundled too."""
        is_bundled = self.backbone == TINY and self.pretrained == BUNDLED
        return is_bundled and not self.clip_weights

    def means_clip2depth(self) -> bool:
        """Say whether these settings lead to CLIP2Depth, so that words and bins do not matter."""
        has_weights = bool(self.clip2depth_weights) or self.uses_bundled()
        return self.method == 'clip2depth' or (self.method == 'auto' and has_weights)

    def answer_range_m(self) -> tuple[float, float]:
        """Give the nearest and farthest depth of an answer: that of the bins in force, if any."""
        if self.means_clip2depth():
            return self.min_depth_m, self.max_depth_m
        bins_m = self.resolved_bins_m()
        return bins_m[0], bins_m[-1]

    def resolved_words(self) -> tuple[str, ...]:
        """Give the words for distance that are in force, nearest first."""
        return self.depth_words or DEPTH_WORDS[self.prompts]

    def resolved_bins_m(self) -> tuple[float, ...]:
        """Give the depth bins that are in force, metres, one for each word."""
        return self.bins_m or self._preset_bins_m(self.bins)

    def resolved_scenes(self) -> dict[str, tuple[float, ...]]:
        """Give the bins of each scene, metres, by scene name."""
        return dict(self._parse_scene(entry) for entry in self.scene_bins)

    def _preset_bins_m(self, name: str) -> tuple[float, ...]:
        if name != OUTDOOR:
            return BINS_M[name]
        return log_spaced(self.min_depth_m, self.max_depth_m, len(self.resolved_words()))

    def _parse_scene(self, entry: str) -> tuple[str, tuple[float, ...]]:
        name, colon, bins = (part.strip() for part in entry.rpartition(':'))
        if not (name and colon and bins):
            raise ValueError(f'scene_bins entries read "name: bins", got {entry!r}')
        if bins in BINS_M or bins == OUTDOOR:
            return name, self._preset_bins_m(bins)
        try:
            return name, check_ascending(tuple(float(text) for text in bins.split()))
        except ValueError as error:
            raise ValueError(
                f'scene_bins {entry!r}: bins must be one of {[*BINS_M, OUTDOOR]} or ascending '
                f'depths in metres ({error})'
            ) from error


class NodeSettings(PredictorSettings):
    """What the ROS node needs to know besides: topics' formats, matching, outputs."""

    image_transport: Literal['raw', 'compressed'] = setting(
        'raw', 'Camera topic to listen to: raw is image, compressed is image/compressed.'
    )
    intrinsics_source: Literal['auto', 'P', 'K'] = setting(
        'auto',
        'Which matrix of camera_info describes the image. P: rectified images; K: unrectified, '
        'with distortion D; auto: P, or K when P[0] is 0.',
        at_run_time=True,
    )
    sync_mode: Literal['auto', 'exact', 'nearest', 'last'] = setting(
        'auto',
        'Which camera_info goes with an image. exact: the same stamp; nearest: within '
        'sync_tolerance_s; last: the newest known; auto: exact, else nearest, else last.',
        at_run_time=True,
    )
    sync_tolerance_s: float = setting(
        0.05, 'Largest stamp difference of an image and its camera_info for nearest.', unit='s',
        at_run_time=True, ge=0.0, le=10.0,
    )
    sync_wait_s: float = setting(
        0.1,
        'How long after its arrival an image waits for a better camera_info. Depth and colour '
        'never wait, and mostly this is over before they are ready; given up where it is in vain.',
        unit='s', at_run_time=True, ge=0.0, le=5.0,
    )
    depth_encoding: Literal['32FC1', '16UC1'] = setting(
        '32FC1', 'Depth image encoding. 32FC1: metres; 16UC1: millimetres, 0 = invalid.',
        at_run_time=True,
    )
    cloud_stride: int = setting(
        1, 'Keep every n-th row and column of the depth image in the cloud.',
        at_run_time=True, ge=1, le=64,
    )
    cloud_rgb: bool = setting(True, 'Colour the points of the cloud.', at_run_time=True)
    color_map: Literal['turbo', 'viridis', 'magma', 'inferno', 'jet', 'gray'] = setting(
        'turbo', 'Colour map of depth/image_color.', at_run_time=True
    )
    color_min_m: float = setting(
        0.0, 'Depth at the near end of the colour map.', unit='m', at_run_time=True,
        ge=0.0, le=1000.0,
    )
    color_max_m: float = setting(
        0.0,
        'Depth at the far end of the colour map; 0: the farthest bin in force, or max_depth_m for '
        'clip2depth.',
        unit='m', at_run_time=True, ge=0.0, le=1000.0,
    )
    autostart: bool = setting(True, 'Configure and activate by itself on start.')

    @model_validator(mode='after')
    def _check_color_range(self) -> NodeSettings:
        if self.color_min_m >= self.color_far_m():
            raise ValueError(
                'colour range must satisfy color_min_m < color_max_m (0: the farthest bin), got '
                f'color_min_m={self.color_min_m}, color_max_m={self.color_max_m}'
            )
        return self

    def color_far_m(self) -> float:
        """Give the depth at the far end of the colour map, metres."""
        return self.color_max_m or self.answer_range_m()[1]


def _explain(settings: type[Settings], error: ValidationError) -> str:
    """Say of each wrong value what was wanted, what came and what to do."""
    return '; '.join(_explain_one(settings, problem) for problem in error.errors())


def _explain_one(settings: type[Settings], problem: Any) -> str:
    where = '.'.join(str(part) for part in problem['loc'])
    if problem['type'] == 'extra_forbidden':
        return f'unknown setting {where!r}; known are {", ".join(settings.model_fields)}'
    reason = problem['msg'].removeprefix('Value error, ')
    if not where:
        return str(reason)
    return f'{where}: {reason[0].lower()}{reason[1:]}, got {problem["input"]!r}'
