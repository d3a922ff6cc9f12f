# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What decides the bundled weights: streets, steps, words, and what must come out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from clip_depth_ros.errors import DataError
from clip_depth_ros.settings.depth_bins import DEPTH_WORDS
from clip_depth_ros.world.drive import CLASS_NAMES
from clip_depth_ros.world.rendered_streets import Streets
import numpy as np
from weights.captions import Vocabulary
from weights.learner import ContrastSettings
from weights.table import DEPTH_CAP_M, MIN_DEPTH_M

RESULTS: Final = 'tiny_results.json'

VOCABULARY: Final = Vocabulary(
    kinds=tuple(CLASS_NAMES[number] for number in range(len(CLASS_NAMES))),
    words=DEPTH_WORDS['original'],
    bins_m=tuple(float(m) for m in np.geomspace(MIN_DEPTH_M, DEPTH_CAP_M, 7)),
    templates=('This {} is {}', 'The {} is {}', 'This {} looks {}'),
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """
    What decides the weights.

    Attributes
    ----------
    train, validation, held_out : Streets
        Of disjoint seeds. Validation chooses the temperature and when to stop; held-out streets
        are only for the table.
    contrast : ContrastSettings
        Training of the small CLIP.
    n_decoder_streets : int
        CLIP2Depth learns from so many of the training streets.
    decoder_steps, study_steps : int
        Steps of CLIP2Depth: of the weights and their three seeds; of each ablation.
    depthclip_band, clip2depth_band : (float, float)
        Where abs_rel on the held-out streets comes out if all is well.

    """

    train: Streets
    validation: Streets
    held_out: Streets
    contrast: ContrastSettings
    n_decoder_streets: int
    decoder_steps: int
    study_steps: int
    depthclip_band: tuple[float, float]
    clip2depth_band: tuple[float, float]


FULL: Final = Recipe(
    train=Streets(0, 4000, 4),
    validation=Streets(900_000, 50, 4),
    held_out=Streets(1_000_000, 100, 4),
    contrast=ContrastSettings(steps=7500, batch=16, lr=1e-3),
    n_decoder_streets=2500,
    decoder_steps=4000,
    study_steps=500,
    depthclip_band=(0.12, 0.27),
    clip2depth_band=(0.04, 0.10),
)

SHORT: Final = replace(
    FULL,
    train=Streets(0, 250, 4),
    held_out=Streets(1_000_000, 25, 4),
    contrast=ContrastSettings(steps=400, batch=16, lr=1e-3),
    n_decoder_streets=250,
    decoder_steps=800,
    study_steps=100,
    depthclip_band=(0.25, 0.50),
    clip2depth_band=(0.12, 0.40),
)
"""A few minutes: shows that the way works, not how far it leads."""


def check_bands(results: Mapping[str, Any], recipe: Recipe) -> None:
    """
    Make sure that the weights came out as the recipe should make them.

    Raises
    ------
    DataError
        If abs_rel of a method lies outside of its band.

    """
    bands = {'DepthCLIP': recipe.depthclip_band, 'CLIP2Depth': recipe.clip2depth_band}
    for name, (least, most) in bands.items():
        found = results['table'][name]['abs_rel']
        if not least <= found <= most:
            raise DataError(
                f'abs_rel of {name} came out as {found:.3f}, and this recipe should lead to '
                f'{least:g} to {most:g}: something in the training is not as it was'
            )
