# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every setting of an evaluation once: default, unit, range, description."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from clip_depth_ros.errors import did_you_mean
from clip_depth_ros.settings.base import setting
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.types import PredKind
from pydantic import field_validator

PREDICT: Final = (
    'ours', 'clip2depth', 'depthclip', 'topic', 'dir', 'constant', 'prior', 'prior-mean',
    'random',
)
"""Whose depth can be evaluated."""


class EvaluateSettings(SourceSettings):
    """What an evaluation is made of: frames, answers, how they are compared."""

    predict: tuple[str, ...] = setting(
        (),
        'Whose depth is evaluated; the first is the method in question, the others are shown '
        'beside it. ours: this package with its settings; clip2depth, depthclip: with that '
        'method; topic: depth images in the recording (pred_topic); dir: files (pred_dir); and '
        'what needs no image: constant (the best one for these very frames), prior '
        '(weighted-median depth of blocks of pixels over prior_from), prior-mean (mean depth of '
        'each pixel over prior_from), random (uniform over the range). Empty: what pred_topic '
        'and pred_dir name, otherwise ours; then the baselines.',
    )
    pred_topic: tuple[str, ...] = setting(
        (),
        'Depth images, or stereo_msgs/DisparityImage, in the recording that were published by '
        'other nodes, or by this package.',
    )
    pred_dir: tuple[str, ...] = setting(
        (),
        'Folders of predicted depth maps: .npy in metres (or what pred_kind says), or 16-bit PNG.',
    )
    pred_kind: PredKind = setting(
        'depth',
        'What pred_topic and pred_dir hold. depth: metres; inverse-depth: 1/m; relative: inverse '
        'depth up to scale and shift, as MiDaS and Depth Anything answer it, larger is nearer; '
        'disparity: pixels of a stereo camera; stereo_msgs/DisparityImage, which is taken for '
        'this if you do not set it, has what makes metres of them, anything else is relative. '
        'Scale and shift of what is relative are fitted to the truth of each image, in 1/m.',
    )
    pred_per_metre: float = setting(
        256.0,
        'The 16-bit value of predicted depth, in a PNG or a 16UC1 topic, that stands for one '
        'metre (or 1/m, or pixel of disparity). If you do not set it, 1000 for topics.',
        gt=0,
    )
    prior_from: str = setting(
        '',
        'Recording or folder with other frames, of the same kind, to which the prior is fitted.',
    )
    seed: int = setting(0, 'Seed for random answers and for the bootstrap.', ge=0)

    protocol: str = setting(
        'auto',
        'How answers are scored: the name of a protocol that comes with this package, or your '
        'own YAML file; auto: the usual one for the source.',
    )
    bootstrap_samples: int = setting(
        1000, 'Number of resamples for the 95 % intervals.', ge=100, le=100000
    )
    bootstrap_block: int = setting(
        1,
        'Frames that are resampled together; usually 1. Either way, intervals take into account '
        'that neighbours in a recording score alike.',
        ge=1,
    )

    batch_size: int = setting(8, 'Images that a predictor is given at once.', ge=1)
    n_workers: int = setting(2, 'Processes that read and score frames.', ge=1, le=64)

    @field_validator('predict')
    @classmethod
    def _check_predict(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [name for name in names if name not in PREDICT]:
            near = did_you_mean(unknown[0], PREDICT)
            raise ValueError(f'no {unknown[0]!r} among {", ".join(PREDICT)}{near}')
        return names

    def clashes(self) -> Iterator[str]:
        """Yield what does not go together."""
        yield from super().clashes()
        wanted = {
            'pred_topic': ['topic'], 'pred_dir': ['dir'], 'prior_from': ['prior', 'prior-mean'],
        }
        for needed, names in wanted.items():
            for name in {*names}.intersection(self.predict):
                if not getattr(self, needed):
                    yield f'predict={name} needs {needed}: say where it is'
            if getattr(self, needed) and not {*names} & {*self.predicted()}:
                yield (
                    f'{needed} would not be used, as `predict` leaves {names[0]!r} out: add it, '
                    f'or leave {needed} out'
                )
        if 'pred_kind' in self.given() and not (self.pred_topic or self.pred_dir):
            yield 'pred_kind would not be used, as there is no pred_topic and no pred_dir'

    def predicted(self) -> tuple[str, ...]:
        """Return whose depth is evaluated, completed where nothing is named."""
        if self.predict:
            return tuple(dict.fromkeys(self.predict))
        named = {'topic': self.pred_topic, 'dir': self.pred_dir}
        recorded = tuple(name for name, value in named.items() if value)
        prior = ('prior',) if self.prior_from else ()
        return (*(recorded or ('ours',)), 'constant', *prior, 'random')
