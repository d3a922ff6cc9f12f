# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One frozen CLIP: what it sees in frames, what is fitted to that, and how good it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.core.metrics import DepthMetrics
from clip_depth_ros.errors import ConfigError, DataError
from clip_depth_ros.evaluation.score.baselines import fit_median_prior, prior_at
from clip_depth_ros.evaluation.score.prepare import no_truth
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.evaluation.score.score import score_frame
from clip_depth_ros.predictor.build import build_predictor
from clip_depth_ros.predictor.depthclip import DepthClipPredictor
from clip_depth_ros.predictor.scenes import fill
from clip_depth_ros.predictor.torch_networks import TorchWords
from clip_depth_ros.settings.fit import FitSettings
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.sources.samples import reasons_text, SampleSource, Subset
from clip_depth_ros.training.place.bins import fit_bins, Fitted, learn_words, Range
from clip_depth_ros.training.place.seen import RememberingWords, see, Seen
from clip_depth_ros.training.place.words import (
    check_told_apart,
    ContextWords,
    vocabulary_notes,
)
from clip_depth_ros.types import Depth, DepthMap

ZERO_SHOT, FITTED, SCENE_WISE, LEARNED = 'zero-shot', 'fitted', 'scene-wise', 'learned words'
PRIOR: Final = 'prior'
"""What tables call the methods, and the one that looks at no image."""

LEAST_FRAMES: Final = 2
"""To fit to; another one at least is held out."""

OnProgress = Callable[[str, int, int], None]
"""Is told what is done, how many frames are through, and of how many."""


@dataclass(frozen=True, slots=True)
class Looked:
    """Frames that can be used, and what is seen in them; vectors where words are learned."""

    source: Subset
    seen: list[Seen]
    vectors: list[Seen]

    def parted(self, place: int) -> tuple[Subset, Looked]:
        """Return the frame at a place, and the others."""

        def without(each: Sequence[Any]) -> list[Any]:
            return [*each[:place], *each[place + 1:]]

        whole, indices = self.source.source, self.source.indices
        others = Subset(whole, tuple(without(indices)))
        one = Subset(whole, indices[place:place + 1])
        return one, Looked(others, without(self.seen), without(self.vectors))


class Fitting:
    """One frozen CLIP, and all that is done with it."""

    def __init__(
        self,
        settings: FitSettings,
        start: PredictorSettings,
        protocol: EvaluationProtocol,
        on_progress: OnProgress,
    ) -> None:
        self._settings, self._start = settings, start
        self.protocol, self._on_progress = protocol, on_progress
        built = build_predictor(start)
        assert isinstance(built, DepthClipPredictor)
        assert isinstance(built.network, TorchWords)
        self._plain, self.network = built, built.network
        self._remembering = RememberingWords(built.network)
        self.first = Fitted(start.resolved_temperature(), {None: start.resolved_bins_m()})
        is_official = built.network.features == 'official'
        cap_m = protocol.depth_cap_m
        self.limits = Range(start.min_depth_m, start.max_depth_m, cap_m, is_official)
        self._fitted_on = ''
        words = start.resolved_words()
        self.notes = vocabulary_notes(self.network.backbone.text, words)
        check_told_apart(words, built.words, 'depth_words')
        if start.scene_aware:
            scenes = [*start.resolved_scenes()]
            sentences = [fill(start.scene_template, scene) for scene in scenes]
            check_told_apart(scenes, self.network.embed(sentences), 'scene_bins')
        if settings.learn_words:
            self._new_words()  # what is wrong with it is said before frames are looked at

    def look(self, source: SampleSource) -> Looked:
        """Look at each frame once; DataError if too few can be used."""
        predictor = self._predictor(self._start)
        kept, seen, vectors, problems = [], [], [], []
        for index in range(len(source)):
            self._on_progress('look', index, len(source))
            try:
                sample = source[index]
                each = see(predictor, sample, self.protocol)
                if each is None:
                    raise DataError(no_truth(Size(*sample.target_m.shape), self.protocol))
            except DataError as error:
                problems.append(str(error))
                continue
            kept.append(index)
            seen.append(each)
            if self._settings.learn_words:
                own = see(self._plain, sample, self.protocol, vectors=True)
                vectors += [own] if own else []
        self._on_progress('look', len(source), len(source))
        wanted = LEAST_FRAMES + self._settings.leave_one_out
        if len(seen) < wanted:
            why = f' ({reasons_text(problems)})' if problems else ''
            raise DataError(
                f'{source.name}: {len(seen)} of {len(source)} frames have depth that can be '
                f'fitted to, {wanted} or more are wanted{why}'
            )
        self._note_left_out(problems, len(source))
        if self._start.scene_aware:
            _check_scenes(seen, [*self._start.resolved_scenes()])
        self._fitted_on = f'{len(kept)} frames of {source.name}'
        return Looked(Subset(source, tuple(kept)), seen, vectors)

    def fits(self, looked: Looked) -> dict[str, Fitted]:
        """Return what is fitted to frames, by its name in tables; the last is what was asked."""
        seen = looked.seen
        fits = {FITTED: fit_bins(seen, self.first, self.limits)}
        last = fits[FITTED]
        if self._start.scene_aware:
            bins_m = dict.fromkeys([None, *self._start.resolved_scenes()], last.bins_m[None])
            last = fit_bins(seen, replace(last, bins_m=bins_m), self.limits)
            fits[SCENE_WISE] = last
        if self._settings.learn_words:
            before = replace(last, words=self._plain.words)
            fits[LEARNED] = learn_words(
                looked.vectors, before, self._new_words(), self.limits
            )
        return fits

    def score(
        self,
        held_out: SampleSource,
        looked: Looked,
        fits: Mapping[str, Fitted],
        scores: dict[str, list[DepthMetrics]],
    ) -> None:
        """Add the metrics of each held-out frame, of what was fitted to others, by method."""
        predictors, problems = self.predictors(fits), []
        prior_m = fit_median_prior(truths(looked.source), self.protocol, looked.source.name)
        for index in range(len(held_out)):
            try:
                sample = held_out[index]
                answers = {
                    name: each.predict(sample.rgb, sample.intrinsics)
                    for name, each in predictors.items()
                }
                answers[PRIOR] = DepthMap(prior_at(prior_m, sample.target_m.shape))
                found = {
                    name: score_frame(answer, sample, self.protocol, details=False)
                    for name, answer in answers.items()
                }
            except DataError as error:
                problems.append(str(error))
                continue
            for name, score in found.items():
                scores[name].append(score.metrics(self.protocol.alignment))
            if not self._settings.leave_one_out:
                self._on_progress('score', index + 1, len(held_out))
        self._note_left_out(problems, len(held_out))

    def predictors(self, fits: Mapping[str, Fitted]) -> dict[str, DepthClipPredictor]:
        """Return a predictor for each fit, and that of the start; they share what was seen."""
        predictors = {ZERO_SHOT: self._predictor(self._start)}
        for name, fit in fits.items():
            predictors[name] = each = self._predictor(self._start.changed(**self.values(fit)))
            each.words = each.words if fit.words is None else fit.words
        return predictors

    def _predictor(self, settings: PredictorSettings) -> DepthClipPredictor:
        return DepthClipPredictor(settings, self._remembering, self._plain.why)

    def values(self, fit: Fitted) -> dict[str, Any]:
        """Return a fit as settings, but for its words."""
        scenes = {scene: bins_m for scene, bins_m in fit.bins_m.items() if scene is not None}
        return {
            'method': 'depthclip',
            'temperature': fit.temperature,
            'bins_m': list(fit.bins_m[None]),
            'scene_aware': bool(scenes),
            **({'scene_bins': [
                f'{scene}: {" ".join(map(str, bins_m))}' for scene, bins_m in scenes.items()
            ]} if scenes else {}),
            'fitted_on': self._fitted_on,
        }

    def _note_left_out(self, problems: Sequence[str], n_frames: int) -> None:
        if problems:
            self.notes.append(
                f'{len(problems)} of {n_frames} frames were left out: {reasons_text(problems)}'
            )

    def _new_words(self) -> ContextWords:
        return ContextWords(self.network.backbone, self._start)


def truths(source: SampleSource) -> Iterator[Depth | DataError]:
    for index in range(len(source)):
        try:
            yield source[index].target_m
        except DataError as error:
            yield error


def _check_scenes(seen: Sequence[Seen], scenes: Sequence[str]) -> None:
    """Refuse, with ConfigError, a scene that no frame shows."""
    counts = Counter(each.scene for each in seen)
    if empty := [scene for scene in scenes if not counts[scene]]:
        found = ', '.join(f'{counts[scene]} as {scene!r}' for scene in scenes if counts[scene])
        raise ConfigError(
            f'scene_bins: none of the {len(seen)} frames is recognised as '
            f'{" or ".join(map(repr, empty))} ({found}): name the scenes of this place alone, two '
            'or more, add frames of those, or leave scene_aware out'
        )
