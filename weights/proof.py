# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How good weights are, in tables: on streets and behind cameras that nobody trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
import json
from pathlib import Path
from typing import Any, Final

from clip_depth_ros.evaluation.results.result import Result
from clip_depth_ros.evaluation.run.answers import Answers, ImageAnswers
from clip_depth_ros.evaluation.run.baselines import (
    Constant,
    fit_constant,
    PixelPrior,
    Shuffled,
    UniformRandom,
)
from clip_depth_ros.evaluation.run.evaluate import evaluate
from clip_depth_ros.evaluation.score.baselines import fit_mean_prior
from clip_depth_ros.model.architecture import find_architecture
from clip_depth_ros.predictor.build import build_predictor
from clip_depth_ros.settings.installation import BUNDLED_CLIP, BUNDLED_CLIP2DEPTH, versions
from clip_depth_ros.settings.predictor import TINY
from clip_depth_ros.sources.kinds.synthetic import WorldSource
from clip_depth_ros.sources.samples import SampleSource
from clip_depth_ros.types import DepthPredictor
from clip_depth_ros.world.rendered_streets import open_frames, Streets
from clip_depth_ros.world.rig import CANONICAL_FOCAL_PX
import numpy as np
from weights.real import judged
from weights.recipe import LENSES, VOCABULARY
from weights.streets import KeptStreets, render_all
from weights.table import (
    buckets_of,
    camera_buckets,
    CONSTANT,
    DEPTH_CAP_M,
    MIN_DEPTH_M,
    ORACLE,
    Oracle,
    predict_all,
    PROTOCOL,
    Row,
    Rows,
    rows_of,
    seam_ratios,
)
from weights.workshop import Workshop

TEMPERATURES: Final = (2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0, 7.0, 8.0)

Changes = Mapping[str, Any]

ABLATIONS: Final[tuple[tuple[str, str, Changes, Changes], ...]] = (
    ('mirror', 'learned mirror, rays told', {}, {}),
    ('mirror', 'the same, camera ignored', {}, {'camera': 'ignore'}),
    ('mirror-1', 'the same, seed 1', {'seed': 1}, {}),
    ('mirror-2', 'the same, seed 2', {'seed': 2}, {}),
    ('no-rays', 'rays not told', {'rays': False}, {}),
    ('none', 'no condition', {'condition': 'none'}, {}),
    ('fixed-mirror', 'random mirror, not trained', {'condition': 'fixed_mirror'}, {}),
    ('sentence', 'a sentence in place of the mirror', {'condition': 'sentence'}, {}),
    # Few steps: its tokens are not worth keeping.
    (
        'random-clip', 'CLIP of random weights',
        {'clip_weights': '', 'pretrained': 'random', 'cache_tokens': False}, {},
    ),
)
"""Each run's name, what it is called in tables, how it is trained, and how it is asked."""


class Proof:
    """
    Tables of the weights of a workshop.

    Parameters
    ----------
    workshop : Workshop
        Has made them, and makes others for the study.

    """

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    def choose_temperature(self) -> float:
        """Return the temperature with the least abs_rel on the validation streets."""
        predictors: dict[float, DepthPredictor] = {}
        for temperature in TEMPERATURES:
            settings = self._workshop.predictor_settings('depthclip', temperature=temperature)
            shared = next(iter(predictors.values()), None)
            predictors[temperature] = build_predictor(settings, shared)
        named = {f'{temperature:g}': each for temperature, each in predictors.items()}
        result = self._judged('the temperature', self._workshop.validation(), named)
        abs_rel = {name: row['abs_rel'] for name, row in rows_of(result).items()}
        return float(min(abs_rel, key=lambda name: abs_rel[name]))

    def results(self) -> dict[str, Any]:
        """Return the tables of the held-out streets, with all that belongs to them."""
        recipe, temperature = self._workshop.recipe, self.choose_temperature()
        tables, buckets = {}, {}
        predictors = self._predictors(temperature)
        title, rows = self._kitti(predictors)
        tables['kitti'] = {'title': _title("behind KITTI's camera", recipe.held_out), 'rows': rows}
        for name, streets, words in (
            ('cameras', recipe.cameras, 'behind cameras drawn as those of training'),
            ('corners', recipe.corners, 'behind cameras of kinds never drawn in training'),
        ):
            result = self._behind_cameras(name, streets, predictors)
            tables[name] = {'title': _title(words, streets), 'rows': rows_of(result)}
            if name == 'cameras':
                seeds = [int(each.removeprefix('seed ')) for each in result.frames.recordings]
                rigs = {seed: streets.rig(seed) for seed in streets.seeds}
                for kind, bucket_of in camera_buckets([rigs[seed] for seed in seeds]).items():
                    buckets[kind] = buckets_of(result, bucket_of)
        buckets['lens'] = {
            f'{lens:g} times longer' if lens > 1 else "KITTI's": rows_of(self._behind_cameras(
                f'lens-{lens:g}', replace(recipe.held_out, frames_per_seed=1, lens=lens),
                predictors,
            ))
            for lens in LENSES
        }
        seams = self._seams(predictors)
        for each in predictors.values():
            each.close()
        return {
            'protocol': title,
            'tables': tables,
            'buckets': buckets,
            'temperature': temperature,
            'seam_ratios_rows_columns': seams,
            'recipe': json.loads(json.dumps(asdict(self._workshop.recipe))),
            'sha256': self._workshop.hashes(),
            'versions': versions(),
        }

    def real(
        self, folder: Path, temperature: float, before: Path | None = None
    ) -> list[dict[str, Any]]:
        """
        Return tables of real frames, which are in no table that comes with the package by itself.

        ``before`` is a folder of earlier weights that are shown beside these: CLIP and CLIP2Depth
        by the names of the bundled ones, and the description of the CLIP if it is another one.
        """
        predictors = self._predictors(temperature)
        if before:
            description = before / 'tiny_clip.json'
            settings = self._workshop.predictor_settings(
                'clip2depth',
                backbone=str(description) if description.is_file() else TINY,
                clip_weights=str(before / BUNDLED_CLIP),
                clip2depth_weights=str(before / BUNDLED_CLIP2DEPTH),
            )
            predictors['CLIP2Depth, earlier weights'] = build_predictor(settings)
        return [*judged(folder, predictors)]

    def _predictors(self, temperature: float) -> dict[str, DepthPredictor]:
        """Return the predictors that tables have, by the names that they have there."""
        of = self._workshop.predictor_settings
        seeing = build_predictor(of('clip2depth'))
        return {
            'DepthCLIP': build_predictor(of('depthclip', temperature=temperature)),
            'CLIP2Depth': seeing,
            'CLIP2Depth, camera ignored': build_predictor(
                of('clip2depth', camera='ignore'), seeing
            ),
        }

    def _kitti(self, predictors: Mapping[str, DepthPredictor]) -> tuple[str, Rows]:
        """Return title and rows of the table behind KITTI's camera."""
        source = self._source('held_out', self._workshop.recipe.held_out)
        [prior] = self._workshop.frames('prior')
        answers: dict[str, Answers | DepthPredictor] = {
            'uniform random': UniformRandom(MIN_DEPTH_M, DEPTH_CAP_M, 0),
            CONSTANT: Constant(fit_constant(source, PROTOCOL, self._workshop.n_workers)),
        }
        for mean in ('mean', 'geometric mean'):
            truths = (gt.astype(np.float32) for gt in prior.depth_m)
            prior_m = fit_mean_prior(truths, PROTOCOL, 'other streets', geometric=mean != 'mean')
            answers[f'per-pixel prior, {mean}'] = PixelPrior(prior_m, 'other streets')
        answers[ORACLE] = Oracle(VOCABULARY.bins_m, CANONICAL_FOCAL_PX)
        for name in ('DepthCLIP', 'CLIP2Depth'):
            answers[name] = predictors[name]
            shown = ImageAnswers(predictors[name], PROTOCOL)
            answers[f'{name}, shuffled over frames'] = Shuffled(shown, source, source.names)
        result = self._judged("KITTI's camera", source, answers)
        return result.title, rows_of(result)

    def _behind_cameras(
        self, name: str, streets: Streets, predictors: Mapping[str, DepthPredictor]
    ) -> Result:
        source = self._source(name, streets)
        answers: dict[str, Answers | DepthPredictor] = {
            CONSTANT: Constant(fit_constant(source, PROTOCOL, self._workshop.n_workers)),
            ORACLE: Oracle(VOCABULARY.bins_m, CANONICAL_FOCAL_PX),
            **predictors,
        }
        return self._judged(name, source, answers)

    def _judged(
        self,
        name: str,
        source: SampleSource,
        answers: Mapping[str, Answers | DepthPredictor],
    ) -> Result:
        return evaluate(
            source,
            answers,
            PROTOCOL,
            n_workers=self._workshop.n_workers if self._workshop.n_workers > 1 else 0,
            on_progress=lambda done, total: self._workshop.tell(f'judging {name}', done, total),
        )

    def _source(self, name: str, streets: Streets) -> WorldSource:
        """Return streets as a source, rendered once."""
        if streets.has_one_size:
            self._workshop.rendered(name, streets)
            return WorldSource(streets, rendered=self._workshop.folder(name))
        source, done = KeptStreets(streets, self._workshop.folder(name)), 0

        def tell(count: int) -> None:
            nonlocal done
            done += count
            self._workshop.tell(f'rendering {name}', done, len(streets))

        render_all(source, self._workshop.n_workers, tell)
        return source

    def _seams(self, predictors: Mapping[str, DepthPredictor]) -> dict[str, tuple[float, float]]:
        held_out = self._workshop.recipe.held_out
        streets = replace(held_out, n_seeds=min(25, held_out.n_seeds))
        frames = open_frames(self._workshop.folder('held_out'), streets)
        camera = streets.rig(streets.first_seed).intrinsics
        height, width = find_architecture(TINY).config['vision_cfg']['patch_size']
        return {
            name: seam_ratios(
                predict_all(predictors[name], frames, camera), frames, (height, width)
            )
            for name in ('DepthCLIP', 'CLIP2Depth')
        }

    def study(self, known: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """
        Train the ablations, and score them on the first half of the held-out cameras' seeds.

        Parameters
        ----------
        known : mapping
            What was given last by a study of these weights that was stopped; may be empty.

        Returns
        -------
        iterator of dict
            All that is known so far, after each training: tables by name.

        """
        recipe = self._workshop.recipe
        words = _title('behind cameras drawn as those of training', self._studied)
        ablations: Rows = dict(known.get('ablations', {}).get('rows', {}))
        title = f'CLIP2Depth, {recipe.study_steps} steps each: {words}'
        so_far = {'ablations': {'title': title, 'rows': ablations}}
        for run, name, changes, seen in ABLATIONS:
            if name not in ablations:
                weights = self._workshop.trained(
                    f'ablation-{run}', steps=recipe.study_steps, **{'seed': 0, **changes}
                )
                of_backbone = {
                    key: changes[key] for key in ('pretrained', 'clip_weights') if key in changes
                }
                ablations[name] = self._tried(weights, **of_backbone, **seen)
                yield so_far

    @property
    def _studied(self) -> Streets:
        cameras = self._workshop.recipe.cameras
        return replace(cameras, n_seeds=max(1, cameras.n_seeds // 2), frames_per_seed=1)

    def _tried(self, weights: Path, **changes: Any) -> Row:
        """Return the numbers of CLIP2Depth behind the held-out cameras."""
        settings = self._workshop.predictor_settings(
            'clip2depth', clip2depth_weights=str(weights), **changes
        )
        predictor = build_predictor(settings)
        source = self._source('study', self._studied)
        row = rows_of(self._judged(weights.parent.name, source, {'CLIP2Depth': predictor}))
        predictor.close()
        return row['CLIP2Depth']


def _title(words: str, streets: Streets) -> str:
    """Say in words which frames the numbers are of."""
    seeds = streets.seeds
    size = f' of {streets.width}x{streets.height}' if streets.has_one_size else ''
    return (
        f'{len(streets)} rendered frames{size} {words}, held-out seeds {seeds.start} to '
        f'{seeds.stop - 1}'
    )
