# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every setting of the training of CLIP2Depth once: default, unit, range, description."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from clip_depth_ros.settings.base import setting
from clip_depth_ros.settings.clip2depth import Clip2DepthSettings
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.settings.source import SourceSettings
from pydantic import field_validator


def _as_for_prediction(name: str, default: Any = None) -> Any:
    """Declare a setting with the words that it has for the predictor."""
    field = PredictorSettings.model_fields[name]
    return setting(field.default if default is None else default, str(field.description))


class TrainSettings(SourceSettings, Clip2DepthSettings):
    """What a training run is made of: the model's own settings, data, recipe, run folder."""

    renamed: ClassVar[Mapping[str, str]] = {
        **SourceSettings.renamed,
        'source': 'kind',
        'data_dir': 'data',
        'bag': 'data',
        'depth_dir': 'gt_dir',
        'train_list': 'split',
        'validation_list': 'validation_split',
        'world_first_seed': 'data, a range of seeds such as 0-3999',
        'world_n_seeds': 'data, a range of seeds such as 0-3999',
        'world_validation_first_seed': 'validation_data, a range of seeds such as 900000-900049',
        'world_validation_n_seeds': 'validation_data, a range of seeds such as 900000-900049',
        'world_frames_per_seed': 'frames_per_seed',
        'world_width_px': 'width_px',
        'world_height_px': 'height_px',
    }

    finds_focal_px: ClassVar[bool] = True

    # The frozen CLIP.
    backbone: str = _as_for_prediction('backbone', 'ViT-B-16-quickgelu')
    pretrained: str = _as_for_prediction('pretrained')
    clip_weights: str = _as_for_prediction('clip_weights')
    allow_download: bool = _as_for_prediction('allow_download')
    device: str = _as_for_prediction('device')

    # Where the trained part starts from.
    init_weights: str = setting(
        '',
        'Trained CLIP2Depth weights (.safetensors) to start from and adapt; empty: start from '
        'scratch.',
    )
    clipseg_weights: str = setting(
        '',
        "CLIPSeg's published weights (.safetensors or .bin), to start the decoder from as the "
        'paper does; empty: start from scratch. Needs a ViT-B/16 backbone and ImageNet pixels.',
    )

    # Frames.
    data: tuple[str, ...] = setting(
        (),
        'Where frames and their depth are: recordings, folders, a labelled NYU .mat, or seeds of '
        'rendered streets, such as 0-3999; 0- (no end): enough that no frame comes twice. '
        'Several must be of one kind. Empty: 0-3999.',
    )
    validation_data: tuple[str, ...] = setting(
        (),
        'Where the held-out frames are, if not in data. Empty: in data; for rendered streets, '
        '900000-900049.',
    )
    validation_split: str = setting(
        '',
        'Which frames are held out: a file as for split, within validation_data if you name that.',
    )
    validation_share: float = setting(
        0.2,
        'Share of data, at its end, that is held out if neither validation_data nor '
        'validation_split says which frames are.',
        gt=0.0, lt=1.0,
    )
    validation_gap_s: float = setting(
        1.0,
        'Training frames closer in time than this to the held-out part of their recording are '
        'left out, and so are held-out frames that close to the test part, because neighbours '
        'look alike. Frames without a time are kept.',
        unit='s', ge=0.0, le=3600.0,
    )
    test_data: tuple[str, ...] = setting(
        (),
        'Where the test frames are, if not in data. They are not used to choose anything, and '
        'are scored with the best weights when training is done.',
    )
    test_split: str = setting(
        '',
        'Which frames are for the test: a file as for split, within test_data if you name that.',
    )
    test_share: float = setting(
        0.0,
        'Share of data, at its end, that is for the test, after the held-out part, if neither '
        'test_data nor test_split says which frames are. 0: no test.',
        ge=0.0, lt=1.0,
    )
    # The topics must be named where there are several that fit.
    topics: Literal['auto', 'ours', 'kitti2bag', 'kitti_to_ros2bag', 'none'] = setting(
        'none', str(SourceSettings.model_fields['topics'].description)
    )
    sky_depth_m: float = setting(
        0.0,
        'Depth that the sky of rendered training frames, and everything beyond range, is taken '
        'to have; 0: it is not learned from. Held-out frames are scored without it in any case.',
        unit='m', ge=0.0, le=1000.0,
    )
    rendered_dir: str = setting(
        '', 'Folder where rendered frames are kept for other runs; empty: render them again.'
    )
    score_min_depth_m: float = setting(
        0.0,
        'Nearest depth that counts when held-out frames are scored; 0: min_depth_m.',
        unit='m', ge=0.0, le=1000.0,
    )
    score_max_depth_m: float = setting(
        0.0,
        'Farthest depth that counts when held-out frames are scored; 0: max_depth_m.',
        unit='m', ge=0.0, le=1000.0,
    )
    bad_frame_share: float = setting(
        0.01, 'Share of frames that may fail to decode before training stops.', ge=0.0, le=1.0
    )

    # What is done to training frames; the held-out ones are left as they are, but for the crop.
    crop: Literal['none', 'kitti_benchmark', 'nyu_border'] = setting(
        'none',
        'Part of every frame that is used. kitti_benchmark: 352 x 1216, bottom centre, as in '
        "KITTI's depth benchmark; nyu_border: what lies inside NYU's white border, as in BTS's "
        'code.',
    )
    augment_flip: bool = setting(True, 'Mirror half of the frames.')
    augment_crop_width_px: int = setting(
        0, 'Width of a window cut out at random; 0: no window.', unit='px', ge=0, le=8192
    )
    augment_crop_height_px: int = setting(
        0, 'Height of a window cut out at random; 0: no window.', unit='px', ge=0, le=8192
    )
    augment_window: float = setting(
        0.0,
        'Cut out windows that are narrower and lower by up to this share, in whole patches; all '
        'windows of a batch have one size.',
        ge=0.0, lt=1.0,
    )
    augment_zoom: float = setting(
        0.0,
        'Enlarge the window by a factor between 1 / this and this; depth changes as with a '
        'longer lens. It is never made too small to fill the window, so without a window nothing '
        'is made smaller. 0: off.',
        ge=0.0, le=4.0,
    )
    augment_rotate_deg: float = setting(
        0.0, 'Rotate by up to this angle either way, degrees.', ge=0.0, le=45.0
    )
    augment_gamma: float = setting(
        0.0, 'Gamma between 1 minus and 1 plus this.', ge=0.0, lt=1.0
    )
    augment_brightness: float = setting(
        0.0, 'Multiply brightness by 1 minus to 1 plus this.', ge=0.0, lt=1.0
    )
    augment_color: float = setting(
        0.0, 'Multiply each colour channel by 1 minus to 1 plus this.', ge=0.0, lt=1.0
    )
    augment_contrast: float = setting(
        0.0, 'Multiply contrast by 1 minus to 1 plus this.', ge=0.0, lt=1.0
    )
    augment_saturation: float = setting(
        0.0, 'Multiply saturation by 1 minus to 1 plus this.', ge=0.0, le=1.0
    )
    augment_hue_deg: float = setting(
        0.0, 'Rotate hues by up to this angle either way, degrees.', ge=0.0, le=180.0
    )
    augment_grey: float = setting(0.0, 'Share of frames that are turned grey.', ge=0.0, le=1.0)
    augment_blur_px: float = setting(
        0.0,
        "Blur with a standard deviation of up to this, in pixels of the network's input.",
        ge=0.0, le=16.0,
    )
    augment_noise: float = setting(
        0.0,
        'Add noise with a standard deviation of up to this, in levels of 0 to 255.',
        ge=0.0, le=128.0,
    )
    augment_cutout: int = setting(
        0,
        'Up to this many rectangles of random colour; the depth behind them is kept.',
        ge=0, le=16,
    )

    # The recipe.
    steps: int = setting(10_000, 'Optimiser steps.', ge=1, le=10**8)
    batch_size: int = setting(
        16, 'Images per optimiser step, over all processes and accumulations.', ge=1, le=65_536
    )
    accumulate: int = setting(
        1,
        'Number of parts into which a batch is split, one after the other, to save memory.',
        ge=1, le=4096,
    )
    learning_rate: float = setting(1e-3, 'Highest learning rate.', gt=0.0, le=10.0)
    head_rate: float = setting(
        1.0,
        'Learning rate of the head (patches to pixels), relative to the rest.',
        ge=0.0, le=100.0,
    )
    mirror_rate: float = setting(
        1.0, 'Learning rate of the mirror and of FiLM, relative to the rest.', ge=0.0, le=100.0
    )
    warmup_share: float = setting(
        0.1, 'Share of the steps during which the learning rate rises.', ge=0.0, lt=1.0
    )
    start_divisor: float = setting(
        25.0, 'The learning rate starts at its maximum divided by this.', ge=1.0, le=1e6
    )
    end_divisor: float = setting(
        1e4, 'The learning rate ends at its start divided by this.', ge=1.0, le=1e8
    )
    weight_decay: float = setting(
        1e-2, "AdamW's weight decay, for matrices only.", ge=0.0, le=10.0
    )
    clip_norm: float = setting(1.0, 'Largest norm of the gradient; 0: no limit.', ge=0.0, le=1e6)
    ema_decay: float = setting(
        0.999,
        'Decay of the running mean of the weights, which is what is saved; 0: no mean.',
        ge=0.0, lt=1.0,
    )
    silog_variance_weight: float = setting(
        0.85, 'How far the loss forgives a common factor; 1: completely.', ge=0.0, le=1.0
    )
    silog_factor: float = setting(10.0, 'Factor by which the loss is multiplied.', gt=0.0, le=1e6)
    l1_weight: float = setting(
        0.0,
        'Weight of the mean absolute error of log depth, added to the loss above. It is closer '
        'to what abs_rel measures, and less sensitive to a few points that are far off.',
        ge=0.0, le=1e6,
    )
    balance: float = setting(
        0.0,
        'How much the weight of a pixel depends on how rare its depth is in the batch. 0: all '
        'pixels count alike; 1: all depths count alike. Most points of a LiDAR are on the road '
        'nearby.',
        ge=0.0, le=1.0,
    )
    gradient_weight: float = setting(
        0.0, 'Weight of the loss on depth edges (differences of neighbours in log depth).',
        ge=0.0, le=1e6,
    )
    amp: Literal['auto', 'off', 'bf16', 'fp16'] = setting(
        'auto',
        'Mixed precision: auto is bf16 on devices that support it, otherwise fp16 on cuda and '
        'off on the cpu.',
    )
    seed: int = setting(0, 'Seed for initialisation, order and augmentation.', ge=0, le=2**31)

    # The tokens of the frozen CLIP.
    cache_tokens: bool = setting(
        False,
        "Keep the frozen CLIP's tokens on disk, so that a step costs no more than the decoder. "
        'Works with no augmentation other than augment_flip.',
    )
    cache_dir: str = setting('', 'Folder for these tokens; empty: tokens/ in that of the run.')
    n_workers: int = setting(2, 'Processes that load frames; 0: only the main one.', ge=0, le=256)

    # The run.
    out_dir: str = setting('', 'Folder of the run.')
    validation_interval: int = setting(
        500, 'Steps from one validation to the next.', ge=1, le=10**8
    )
    patience: int = setting(
        0,
        'Stop after this many validations without an improvement; 0: never stop early.',
        ge=0, le=10**6,
    )
    save_interval: int = setting(
        500,
        'Steps from one checkpoint to the next; a run that is killed loses at most so many.',
        ge=1, le=10**8,
    )
    compare_prior: bool = setting(
        False,
        "Also score what needs no image: the best constant, and the evaluation's prior "
        '(weighted-median depth of blocks of the training frames). A model must beat these to '
        'have learned to look.',
    )
    log_interval: int = setting(10, 'Steps from one log line to the next.', ge=1, le=10**8)
    n_sheet_frames: int = setting(
        4, "Frames on each validation's picture sheet; 0: no sheet.", ge=0, le=64
    )
    tensorboard: bool = setting(
        False, 'Also write TensorBoard logs (needs: pip install "clip_depth_ros[train]").'
    )
    n_threads: int = setting(
        0, "PyTorch's threads on the cpu; 0: PyTorch's own choice.", ge=0, le=1024
    )

    def clashes(self) -> Iterator[str]:
        """Yield what does not go together."""
        yield from super().clashes()
        if self.batch_size % self.accumulate:
            yield (
                f'batch_size must be a multiple of accumulate, got batch_size={self.batch_size}, '
                f'accumulate={self.accumulate}'
            )
        if (self.augment_crop_width_px == 0) != (self.augment_crop_height_px == 0):
            yield (
                'a window needs both augment_crop_width_px and augment_crop_height_px, got '
                f'{self.augment_crop_width_px} and {self.augment_crop_height_px}'
            )
        if 0 < self.augment_zoom < 1:
            yield f'augment_zoom must be 0 or at least 1, got {self.augment_zoom:g}'
        if self.augment_window and self.augment_crop_width_px:
            yield (
                'augment_window and augment_crop_width_px both say which window is cut out: set '
                'one of them to 0'
            )
        if self.init_weights and self.clipseg_weights:
            yield (
                'init_weights and clipseg_weights both say where to start from: name one of them'
            )
        if self.clipseg_weights and self.pixels != 'imagenet':
            yield (
                f"clipseg_weights were trained on ImageNet's pixels, got pixels={self.pixels!r}: "
                "set pixels='imagenet'"
            )
        if self.cache_tokens and (changed := self.image_augmentations()):
            yield (
                f'cache_tokens keeps the tokens of unchanged images, got {", ".join(changed)}: '
                'set these to 0, or cache_tokens to false'
            )
        if self.validation_share + self.test_share >= 1:
            yield (
                'validation_share and test_share leave nothing to train on: '
                f'{self.validation_share:g} + {self.test_share:g}'
            )
        if self.test_share and (self.test_data or self.test_split):
            yield (
                'test_share and test_data or test_split both say which frames are the test: set '
                'test_share to 0'
            )
        if self.kind not in ('auto', 'synthetic') and not self.data:
            yield f'kind={self.kind!r} needs `data`: say where the frames are'

    @field_validator('data', 'validation_data', 'test_data', mode='before')
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    def image_augmentations(self) -> list[str]:
        """Return the names of those settings in force that change what an image shows."""
        names = (
            'augment_crop_width_px', 'augment_crop_height_px', 'augment_window', 'augment_zoom',
            'augment_rotate_deg', 'augment_gamma', 'augment_brightness', 'augment_color',
            'augment_contrast', 'augment_saturation', 'augment_hue_deg', 'augment_grey',
            'augment_blur_px', 'augment_noise', 'augment_cutout',
        )
        return [name for name in names if getattr(self, name)]

    def model_settings(self) -> Clip2DepthSettings:
        """Return the settings of the model alone."""
        names = Clip2DepthSettings.model_fields
        settings: Clip2DepthSettings = Clip2DepthSettings.from_mapping(
            {name: getattr(self, name) for name in names}
        )
        return settings

    def backbone_settings(self) -> PredictorSettings:
        """Return the settings that say which CLIP to build."""
        names = ('backbone', 'pretrained', 'clip_weights', 'allow_download', 'device')
        settings: PredictorSettings = PredictorSettings.from_mapping(
            {name: getattr(self, name) for name in names}
        )
        return settings
