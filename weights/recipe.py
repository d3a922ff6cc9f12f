# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What decides the bundled weights: streets, cameras, steps, words, and what must come out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from clip_depth_ros.errors import DataError
from clip_depth_ros.settings.depth_bins import DEPTH_WORDS
from clip_depth_ros.settings.predictor import BUNDLED_HFOV_DEG
from clip_depth_ros.world.drive import CLASS_NAMES
from clip_depth_ros.world.rendered_streets import Streets
from clip_depth_ros.world.rig import CANONICAL_FOCAL_PX
import numpy as np
from weights.captions import Vocabulary
from weights.learner import ContrastSettings
from weights.table import DEPTH_CAP_M, MIN_DEPTH_M

VOCABULARY: Final = Vocabulary(
    kinds=tuple(CLASS_NAMES[number] for number in range(len(CLASS_NAMES))),
    words=DEPTH_WORDS['original'],
    bins_m=tuple(float(m) for m in np.geomspace(MIN_DEPTH_M, DEPTH_CAP_M, 7)),
    templates=('This {} is {}', 'The {} is {}', 'This {} looks {}'),
)

LENSES: Final = (1.0, 1.25, 1.5, 2.0)

DECODER: Final[Mapping[str, Any]] = {
    'taps': (1, 3, 5),
    'mlp_dim': 512,
    'head': 'smooth',
    'focal_px': CANONICAL_FOCAL_PX,
    'rays': True,
    'min_depth_m': 0.5,
    'max_depth_m': DEPTH_CAP_M,
    'hfov_deg': BUNDLED_HFOV_DEG,
    'batch_size': 16,
    'learning_rate': 1.5e-3,
    'warmup_share': 0.1,
    'ema_decay': 0.998,
    'cache_tokens': True,
    'validation_interval': 500,
    'save_interval': 250,
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """
    What decides the weights.

    Attributes
    ----------
    train, validation : tuple of Streets
        Each of one size, all of disjoint seeds. Validation chooses the temperature and when to
        stop.
    held_out, cameras, corners : Streets
        Only for the tables: KITTI's camera; cameras drawn as in training; cameras of kinds that
        are never drawn in training.
    prior : Streets
        Other streets behind KITTI's camera, for the mean depth of each pixel.
    contrast : ContrastSettings
        Training of the small CLIP.
    decoder_share : float
        CLIP2Depth learns from this share of the training streets.
    decoder : mapping
        What else the trainer is told: names and values of :class:`TrainSettings`.
    decoder_steps, study_steps : int
        Steps of CLIP2Depth: of the weights; of each ablation.
    bands : mapping of str to (float, float)
        Where abs_rel comes out if all is well, by ``<table>: <predictor>``.
    most_in_a_bucket : float
        The most that abs_rel of CLIP2Depth may be in any field of view, shape, height or pitch.

    """

    train: tuple[Streets, ...]
    validation: tuple[Streets, ...]
    held_out: Streets
    cameras: Streets
    corners: Streets
    prior: Streets
    contrast: ContrastSettings
    decoder_share: float
    decoder_steps: int
    study_steps: int
    bands: Mapping[str, tuple[float, float]]
    most_in_a_bucket: float
    decoder: Mapping[str, Any] = field(default_factory=lambda: DECODER)


FULL: Final = Recipe(
    train=(
        Streets(0, 900, 2, 320, 96),
        Streets(2000, 900, 2, 320, 96, cameras='windows'),
        Streets(4000, 900, 2, 256, 144, cameras='windows'),
        Streets(6000, 900, 2, 160, 96, cameras='windows'),
        Streets(8000, 450, 2, 192, 192, cameras='windows'),
        Streets(10_000, 120, 2, 368, 272, cameras='windows'),
    ),
    validation=(
        Streets(900_000, 10, 4, 320, 96),
        Streets(900_010, 15, 4, 320, 96, cameras='windows'),
        Streets(900_025, 15, 4, 256, 144, cameras='windows'),
        Streets(900_040, 10, 4, 192, 192, cameras='windows'),
    ),
    held_out=Streets(1_000_000, 100, 2),
    cameras=Streets(1_000_100, 200, 1, 640, 480, cameras='varied'),
    corners=Streets(1_000_300, 50, 1, 640, 480, cameras='corners'),
    prior=Streets(910_000, 100, 4),
    contrast=ContrastSettings(steps=3600, batch=16, lr=8e-4),
    decoder_share=1.0,
    decoder_steps=4500,
    study_steps=500,
    bands={
        'kitti: DepthCLIP': (0.20, 0.45),
        'kitti: CLIP2Depth': (0.12, 0.30),
        'cameras: DepthCLIP': (0.20, 0.50),
        'cameras: CLIP2Depth': (0.12, 0.32),
    },
    most_in_a_bucket=0.55,
)

SHORT: Final = replace(
    FULL,
    train=tuple(replace(streets, n_seeds=streets.n_seeds // 16) for streets in FULL.train),
    held_out=Streets(1_000_000, 25, 4),
    cameras=Streets(1_000_100, 25, 2, 320, 240, cameras='varied'),
    corners=Streets(1_000_300, 5, 2, 320, 240, cameras='corners'),
    prior=Streets(910_000, 10, 4),
    contrast=ContrastSettings(steps=400, batch=16, lr=1e-3),
    decoder_share=1.0,
    decoder_steps=800,
    study_steps=100,
    bands={
        'kitti: DepthCLIP': (0.25, 0.60),
        'kitti: CLIP2Depth': (0.12, 0.45),
        'cameras: DepthCLIP': (0.25, 0.80),
        'cameras: CLIP2Depth': (0.12, 0.60),
    },
    most_in_a_bucket=2.0,
)
"""A few minutes: shows that the way works, not how far it leads."""


def check_bands(results: Mapping[str, Any], recipe: Recipe) -> None:
    """
    Make sure that the weights came out as the recipe should make them.

    Raises
    ------
    DataError
        If abs_rel of a method lies outside of its band, or is too high in a bucket of cameras.

    """
    for name, (least, most) in recipe.bands.items():
        table, predictor = name.split(': ')
        found = results['tables'][table]['rows'][predictor]['abs_rel']
        if not least <= found <= most:
            raise DataError(
                f'abs_rel of {name} came out as {found:.3f}, and this recipe should lead to '
                f'{least:g} to {most:g}: something in the training is not as it was'
            )
    for kind, buckets in results['buckets'].items():
        for bucket, rows in buckets.items():
            if (found := rows['CLIP2Depth']['abs_rel']) > recipe.most_in_a_bucket:
                raise DataError(
                    f'abs_rel of CLIP2Depth came out as {found:.3f} where {kind} is {bucket}, and '
                    f'should be {recipe.most_in_a_bucket:g} at most'
                )
