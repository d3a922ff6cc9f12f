# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Everything that turns an image into depth, as settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
import re
from typing import Any, Final, Literal

from clip_depth_ros.settings.base import (
    depth_range_clash,
    setting,
    Settings,
    zero_or_at_least_one,
)
from clip_depth_ros.settings.depth_bins import (
    BINS_M,
    check_ascending,
    count_clash,
    DEPTH_WORDS,
    log_spaced,
    OUTDOOR,
)
from clip_depth_ros.settings.exported import decided_by_export
from clip_depth_ros.types import MAX_FOV_DEG
from pydantic import field_validator

TINY: Final = 'tiny'
"""The backbone whose architecture comes with this package."""

BUNDLED: Final = 'bundled'
"""The value of pretrained for the weights that come with this package."""

AUTO: Final = 'auto'
"""What the weights bring along."""

BUNDLED_RANGE_M: Final = (1.0, 80.0)
BUNDLED_TEMPERATURE: Final = 3.0
"""What goes with the bundled weights: what their words mean, and what suits their cosines."""

BUNDLED_FOCAL_PX: Final = 186.0
"""Of the cameras that the bundled CLIP has seen, pixels of its input."""

BUNDLED_HFOV_DEG: Final = 70.0
"""Horizontal field of view to assume for them: between those of webcams and of cars."""

NYU_FOCAL_PX: Final = 518.86
"""Of NYU Depth v2's Kinect at 640 x 480, whose metres the bins of the paper are."""

ASSUMED_HFOV_DEG: Final = 60.0
"""Our choice where neither settings nor weights say more: about that of a webcam or a Kinect."""


class PredictorSettings(Settings):
    """What turns an image into depth."""

    method: Literal['auto', 'clip2depth', 'depthclip'] = setting(
        'auto',
        'Depth method. clip2depth: a trained decoder on CLIP (prompts, bins, scenes and '
        'temperature are not used). depthclip: zero-shot DepthCLIP. auto: clip2depth if trained '
        'weights are named or bundled for the backbone, otherwise depthclip.',
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
        'initialisation (to test the plumbing; it sees no depth). Ignored when clip_weights '
        'names a file.',
    )
    clip_weights: str = setting(
        '',
        "Local CLIP weights file: OpenAI's archive (.pt), or a state dict with open_clip's or "
        "transformers' names (.pt, .bin, .safetensors). Nothing in it is executed. Empty: the "
        'published weights that pretrained names.',
    )
    clip2depth_weights: str = setting(
        '',
        'Trained CLIP2Depth weights (.safetensors) for this backbone, as clip-depth train writes '
        'them. Empty: the bundled ones when backbone is tiny and pretrained is bundled.',
    )
    exported_model: str = setting(
        '',
        'Folder that clip-depth export has written: depth without PyTorch. The weights are those '
        'of the export, and backbone, pretrained and their files are not looked at. Empty: from '
        'weights.',
    )
    engine: Literal['auto', 'torch', 'openvino', 'onnxruntime'] = setting(
        'auto',
        'What computes. auto: PyTorch, or for an exported model openvino on cpus with bfloat16, '
        'else the first of onnxruntime and openvino that is installed.',
    )
    allow_download: bool = setting(
        False,
        'Allow fetching published weights over the network when they are not in the local cache.',
    )
    device: str = setting(
        'auto',
        'Where to compute: auto (cuda if there is one, otherwise cpu), cpu, cuda or cuda:N.',
    )
    precision: Literal['auto', 'fp32', 'fp16', 'bf16'] = setting(
        'auto',
        'Arithmetic of the network: auto is fp16 on cuda, and on the cpu bf16 if it has '
        'instructions for it; fp32 elsewhere, and where a test picture comes out otherwise.',
    )
    input_width_px: int = setting(
        0,
        'Width to which the image is resized for the network, rounded to whole patches. 0: if '
        'the camera is used, the width that goes with input_height_px or, if that is 0 too, with '
        'the focal length of the training; if the camera is ignored, the width that CLIP2Depth '
        'was trained at, or that of the image. Smaller is faster and coarser.',
        unit='px', at_run_time=True, ge=0, le=8192,
    )
    input_height_px: int = setting(
        0,
        'Height to which the image is resized for the network, rounded to whole patches. 0: as '
        'for input_width_px, with width and height exchanged.',
        unit='px', at_run_time=True, ge=0, le=8192,
    )
    camera: Literal['auto', 'use', 'ignore'] = setting(
        'auto',
        "Whether depth takes the image's camera into account. use: the network sees the image at "
        'the focal length that it was trained at, and depth is scaled by any difference that '
        "remains; ignore: every image is treated as if it came from the training's camera; auto: "
        'use if the weights or bins_focal_px state a focal length, otherwise ignore.',
        at_run_time=True,
    )
    assumed_hfov_deg: float = setting(
        0.0,
        'Horizontal field of view to assume for images whose camera is not known; 0: the one '
        'stored in the weights, otherwise 60.',
        unit='deg', at_run_time=True, ge=0.0, le=MAX_FOV_DEG,
    )
    bins_focal_px: float = setting(
        0.0,
        "DepthCLIP: focal length, in pixels of the network's input, of the camera that bins and "
        'words belong to. 0: the one that comes with the weights; otherwise, with camera: use, '
        "NYU's 518.86 for the paper's bins.",
        unit='px', at_run_time=True, ge=0.0, le=10000.0,
    )
    depth_scale: float = setting(
        1.0,
        'Size of the depth image relative to the camera image; camera_info is scaled with it.',
        at_run_time=True, gt=0.0, le=1.0,
    )
    min_depth_m: float = setting(
        0.5,
        'Nearest depth that is answered; anything nearer is published as -Inf. Start of the '
        'outdoor bins.',
        unit='m', at_run_time=True, gt=0.0, le=1000.0,
    )
    max_depth_m: float = setting(
        80.0,
        'Farthest depth that is answered; anything farther is published as +Inf. End of the '
        'outdoor bins.',
        unit='m', at_run_time=True, gt=0.0, le=1000.0,
    )
    confidence_min: float = setting(
        0.0,
        'Depth whose confidence is below is unknown, NaN: in images, clouds and scores. With '
        'weights whose confidence is calibrated, as that of the bundled ones, 0.8 means that 80 % '
        'of such pixels are within 25 % of the truth; with others it is a raw measure. 0: off.',
        at_run_time=True, ge=0.0, le=1.0,
    )
    confidence_table: str = setting(
        '',
        'Table (.json) that makes such shares of the raw measure of confidence. Empty: the one '
        'beside the weights, NAME.confidence.json, if there is one.',
        at_run_time=True,
    )
    features: Literal['auto', 'official', 'dense'] = setting(
        'auto',
        "Patch features. official: as in DepthCLIP's released code, for ResNet backbones; dense: "
        "in CLIP's joint space, for every backbone; auto: official for ResNets, otherwise dense.",
        at_run_time=True,
    )
    prompts: Literal['original', 'prompt1', 'prompt2', 'prompt3'] = setting(
        'original', 'Which set of words for distance to use, nearest first.', at_run_time=True
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
    bins: Literal['auto', 'original', 'scene1', 'scene2', 'scene3', 'scene4', 'outdoor'] = setting(
        'auto',
        'Which depth each word stands for. auto: the bins that come with the weights (the '
        'bundled ones: evenly spaced in log depth from 1 to 80 m), otherwise original. outdoor: '
        'evenly spaced in log depth from min_depth_m to max_depth_m. The others are for rooms: '
        'original ends at 3 m; scene1, scene2 and scene4 at 4 m; scene3 at 2.5 m.',
        at_run_time=True,
    )
    bins_m: tuple[float, ...] = setting(
        (), 'Your own depth for each word, ascending; empty: those of bins.', unit='m',
        at_run_time=True,
    )
    temperature: float = setting(
        0.0,
        'Divides 100 x cosine before the softmax over words, 0.0001 or more; a smaller value is '
        'more decisive. 0: the one that comes with the weights (the bundled ones: '
        f"{BUNDLED_TEMPERATURE:g}), otherwise the paper's 0.1.",
        at_run_time=True, ge=0.0, le=100.0,
    )
    learned_words: str = setting(
        '',
        'Words for distance that clip-depth fit has learned (.safetensors), one for each bin, in '
        'place of sentences. Empty: the sentences of depth_words or prompts.',
        at_run_time=True,
    )
    fitted_on: str = setting(
        '',
        'What bins, temperature and words were fitted to, as clip-depth fit writes it, for '
        'reports. Where it is set, nobody is told that they are not those of the weights.',
        at_run_time=True,
    )
    flip: bool = setting(
        True,
        'Average with the prediction for the mirrored image (twice the work).',
        at_run_time=True,
    )
    scene_aware: bool = setting(
        False,
        "Recognise the scene with the same CLIP and use that scene's bins.",
        at_run_time=True,
    )
    scene_bins: tuple[str, ...] = setting(
        (
            'bathroom: scene3', 'classroom: scene2', 'office: scene1', 'kitchen: original',
            'bedroom: original', 'living room: scene1', 'street: outdoor',
        ),
        'Scenes and their bins, each "scene: name of bins" or "scene: depth depth ...".',
        at_run_time=True,
    )
    scene_template: str = setting(
        'a photo of a {}', "Sentence with one gap, for the scene's name.", at_run_time=True
    )
    scene_smoothing: float = setting(
        0.9,
        'Weight of the past in the running scene probabilities; 0 decides for each frame on its '
        'own.',
        at_run_time=True, ge=0.0, lt=1.0,
    )

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Any:
        """Build them; what an exported model decides is taken from it."""
        folder = values.get('exported_model')
        if folder and isinstance(folder, str):
            values = {**values, **decided_by_export(folder)}
        return super().from_mapping(values)

    @field_validator('device')
    @classmethod
    def _check_device(cls, device: str) -> str:
        if not re.fullmatch(r'auto|cpu|cuda(:\d+)?', device):
            raise ValueError('must be auto, cpu, cuda or cuda:N')
        return device

    _check_camera = field_validator('assumed_hfov_deg', 'bins_focal_px')(zero_or_at_least_one)

    @field_validator('temperature')
    @classmethod
    def _check_temperature(cls, temperature: float) -> float:
        if 0 < temperature < 1e-4:
            raise ValueError('must be 0 or at least 0.0001')
        return temperature

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
            _check_gaps(template, 2)
        return templates

    @field_validator('scene_template')
    @classmethod
    def _check_scene_template(cls, template: str) -> str:
        return _check_gaps(template, 1)

    @field_validator('bins_m')
    @classmethod
    def _check_bins(cls, bins_m: tuple[float, ...]) -> tuple[float, ...]:
        return check_ascending(bins_m)

    def clashes(self) -> Iterator[str]:
        """Yield what does not go together."""
        yield from super().clashes()
        yield from depth_range_clash(self.min_depth_m, self.max_depth_m)
        if self.engine not in ('auto', 'torch') and not self.exported_model:
            yield (
                f'engine={self.engine!r} runs exported models: write one with clip-depth export, '
                "and name it as `exported_model`, or set engine='auto'"
            )
        if self.engine == 'torch' and self.exported_model:
            yield (
                "an exported model is not run by PyTorch: set engine='auto', or name weights in "
                'place of `exported_model`'
            )
        if self.pretrained == BUNDLED and self.backbone != TINY and not self.clip_weights:
            yield (
                f'pretrained={BUNDLED!r} goes with backbone={TINY!r} alone, got '
                f'backbone={self.backbone!r}: set backbone={TINY!r}, or name other weights'
            )
        scenes = self.resolved_scenes()
        if not self.means_clip2depth():
            yield from self._clashes_of_bins(scenes)

    def _clashes_of_bins(self, scenes: Mapping[str, tuple[float, ...]]) -> Iterator[str]:
        words, bins_m = self.resolved_words(), self.resolved_bins_m()
        source = 'bins_m' if self.bins_m else f'bins={self._preset()!r}'
        yield from count_clash(words, bins_m, source)
        if self.camera == 'use' and not self.resolved_bins_focal_px():
            yield (
                f"camera='use' needs to know the camera that the depth bins ({source}) belong to: "
                "set bins_focal_px, or camera='auto'"
            )
        if bins_m[-1] < self.min_depth_m or bins_m[0] > self.max_depth_m:
            yield (
                f'all depth bins, {bins_m[0]} to {bins_m[-1]} m ({source}), lie outside of '
                f'min_depth_m={self.min_depth_m} to max_depth_m={self.max_depth_m}: nothing would '
                "be answered; set bins='outdoor', your own bins_m, or another range"
            )
        for name, scene_bins_m in scenes.items() if self.scene_aware else ():
            yield from count_clash(words, scene_bins_m, f'scene_bins {name!r}')
        if self.scene_aware and len(scenes) < 2:
            yield (
                f'scene_aware needs two scenes or more to choose from, got scene_bins={[*scenes]}'
            )

    def uses_bundled(self) -> bool:
        """Return whether the bundled CLIP is asked for, for which CLIP2Depth is bundled too."""
        is_bundled = self.backbone == TINY and self.pretrained == BUNDLED
        return is_bundled and not self.clip_weights

    def means_clip2depth(self) -> bool:
        """Return whether these settings lead to CLIP2Depth, where words and bins do not matter."""
        has_weights = bool(self.clip2depth_weights) or self.uses_bundled()
        return self.method == 'clip2depth' or (self.method == 'auto' and has_weights)

    def answer_range_m(self) -> tuple[float, float]:
        """Return the nearest and farthest depth to expect: outer bins, or range, metres."""
        if self.means_clip2depth():
            return self.min_depth_m, self.max_depth_m
        bins_m = self.resolved_bins_m()
        return bins_m[0], bins_m[-1]

    def resolved_words(self) -> tuple[str, ...]:
        """Return the words for distance that are in force, nearest first."""
        return self.depth_words or DEPTH_WORDS[self.prompts]

    def resolved_bins_m(self) -> tuple[float, ...]:
        """Return the depth bins that are in force, metres, one for each word."""
        return self.bins_m or self._preset_bins_m(self._preset())

    def resolved_bins_focal_px(self) -> float:
        """Return the focal length at network input that the bins belong to; 0: not known."""
        if self.bins_focal_px:
            return self.bins_focal_px
        if self.uses_bundled():
            return BUNDLED_FOCAL_PX
        is_of_paper = not self.bins_m and self._preset() in BINS_M
        return NYU_FOCAL_PX if self.camera == 'use' and is_of_paper else 0.0

    def resolved_temperature(self) -> float:
        """Return what 100 x cosine is divided by; the paper's where nothing else is said."""
        return self.temperature or (BUNDLED_TEMPERATURE if self.uses_bundled() else 0.1)

    def depthclip_notes(self) -> list[str]:
        """Return what should be said of settings of DepthCLIP that do not fit each other."""
        notes, bins_m = [], self.resolved_bins_m()
        own_m = log_spaced(*BUNDLED_RANGE_M, len(bins_m))
        is_bundled = self.uses_bundled() and not self.fitted_on
        if is_bundled and not all(map(_is_about, bins_m, own_m)):
            notes.append(
                f'depth bins from {bins_m[0]:g} to {bins_m[-1]:g} m are not what the words of the '
                f'bundled weights were trained to mean, {own_m[0]:g} to {own_m[-1]:g} m evenly in '
                "log depth, and so depth is wrong: set bins='auto' and no bins_m"
            )
        if is_bundled and not _is_about(self.resolved_temperature(), BUNDLED_TEMPERATURE):
            notes.append(
                f'temperature {self.temperature:g} is not what suits the bundled weights, '
                f'{BUNDLED_TEMPERATURE:g}: set it to 0'
            )
        if bins_m[0] < self.min_depth_m or bins_m[-1] > self.max_depth_m:
            notes.append(
                f'depth bins from {bins_m[0]:g} to {bins_m[-1]:g} m reach beyond '
                f'min_depth_m={self.min_depth_m:g} to max_depth_m={self.max_depth_m:g}: answers '
                'there are marked as out of range'
            )
        return notes

    def resolved_scenes(self) -> dict[str, tuple[float, ...]]:
        """Return the bins of each scene, metres, by scene name."""
        return dict(self._parse_scene(entry) for entry in self.scene_bins)

    def _preset(self) -> str:
        """Return the name of the bins in force where bins_m are not set."""
        if self.bins != AUTO:
            return self.bins
        return BUNDLED if self.uses_bundled() else 'original'

    def _preset_bins_m(self, name: str) -> tuple[float, ...]:
        if name == BUNDLED:
            return log_spaced(*BUNDLED_RANGE_M, len(self.resolved_words()))
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


def _is_about(value: float, wanted: float) -> bool:
    return abs(value - wanted) <= 0.01 * wanted


def _check_gaps(template: str, count: int) -> str:
    """Return a template that has exactly ``count`` gaps ``{}`` and no other brace."""
    if template.count('{}') != count or len(re.findall('[{}]', template)) != 2 * count:
        raise ValueError(f'a template must hold exactly {count} "{{}}" and no other brace')
    return template
