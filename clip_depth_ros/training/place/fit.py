# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Fit DepthCLIP to a place: look at frames with depth, fit, score what was held out, write.

CLIP stays frozen and sees each frame once. Read :func:`fit_place` from top to bottom.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
import json
from pathlib import Path
from typing import Final

from clip_depth_ros.core.files import atomic_write_bytes, check_free, make_folder
from clip_depth_ros.core.metrics import DepthMetrics, mean_metrics
from clip_depth_ros.errors import ConfigError, DataError
from clip_depth_ros.evaluation.score.baselines import fit_constant
from clip_depth_ros.evaluation.score.protocols import (
    EvaluationProtocol,
    load_protocol,
    protocol_title,
)
from clip_depth_ros.predictor.scenes import words_file
from clip_depth_ros.settings.fit import FitSettings
from clip_depth_ros.settings.node import parameters_yaml
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.sources.frames import check_none_is_a_part, open_for_evaluation
from clip_depth_ros.sources.held_out import check_apart, in_time
from clip_depth_ros.sources.registry import one_kind_of
from clip_depth_ros.sources.samples import DepthSample, reasons_text, SampleSource, Subset
from clip_depth_ros.training.place.bins import error_on, Fitted
from clip_depth_ros.training.place.fitting import (
    Fitting,
    LEAST_FRAMES,
    Looked,
    OnProgress,
    PRIOR,
    truths,
    ZERO_SHOT,
)
from clip_depth_ros.training.validation import score_one, SheetRow, write_sheet
import numpy as np

PARAMETERS, WORDS, REPORT = 'fitted.yaml', 'words.safetensors', 'fit.json'
BEFORE, AFTER = 'before.png', 'after.png'

CONSTANT: Final = 'best constant'
"""Of all constants, that for the very frames that are held out: a bound."""

_FEW: Final = 10
_SHEET_FRAMES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class FitResult:
    """
    What came out.

    Attributes
    ----------
    path : Path
        The parameter file.
    held_out : mapping of str to DepthMetrics
        Means over the held-out frames, by method: zero-shot, fitted, scene-wise and learned words
        where these were asked for, prior, best constant.
    on_fit : mapping of str to float
        abs_rel on the frames that were fitted to, of some pixels.
    n_fitted, n_held_out : int
        Frames.
    scenes : mapping of str to int
        How many of the frames that were fitted to are recognised as which scene.
    protocol : str
        What the numbers mean.
    notes : sequence of str
        What should stand beside them.

    """

    path: Path
    held_out: Mapping[str, DepthMetrics]
    on_fit: Mapping[str, float]
    n_fitted: int
    n_held_out: int
    scenes: Mapping[str, int]
    protocol: str
    notes: Sequence[str]


def fit_place(
    sources: Sequence[str],
    settings: FitSettings,
    predictor: PredictorSettings,
    out_dir: Path,
    *,
    force: bool = False,
    on_progress: OnProgress = lambda stage, done, total: None,
) -> FitResult:
    """
    Fit temperature, bins and, if asked for, words to frames, and write them.

    Parameters
    ----------
    sources : sequence of str
        As for :func:`clip_depth_ros.sources.frames.open_frames`.
    settings : FitSettings
        Which frames, which of them are held out, what is fitted.
    predictor : PredictorSettings
        Words, bins and temperature to start from; with ``scene_aware``, each of its scenes gets
        bins of its own.
    out_dir : Path
        Gets the parameter file (:data:`PARAMETERS`, written last), learned words, a report, and
        pictures before and after.
    force : bool
        Whether to overwrite them.
    on_progress : callable
        Is told how far it is.

    Raises
    ------
    ConfigError
        If settings do not go together, no frame shows one of the scenes, or words for distance
        are read alike.
    DataError
        If there are too few frames with depth.
    OutputError
        If something is there already.
    ClipDepthError
        As ``build_predictor`` raises.

    """
    check_free([out_dir / name for name in _files(settings)], force=force)
    start = _start(predictor)
    frames, held_out, protocol = _opened(sources, settings)
    fitting = Fitting(settings, start, protocol, on_progress)
    looked = fitting.look(frames)
    make_folder(out_dir)  # what cannot be written is said before the work
    final = fitting.fits(looked)
    scores: dict[str, list[DepthMetrics]] = defaultdict(list)
    if settings.leave_one_out:
        held_out = looked.source
        for place in range(len(looked.seen)):
            one, others = looked.parted(place)
            fitting.score(one, others, fitting.fits(others), scores)
            on_progress('leave one out', place + 1, len(looked.seen))
    else:
        fitting.score(held_out, looked, final, scores)
    return _written(fitting, looked, final, held_out, scores, predictor, out_dir)


def _files(settings: FitSettings) -> list[str]:
    return [PARAMETERS, REPORT, BEFORE, AFTER, *([WORDS] if settings.learn_words else [])]


def _start(asked: PredictorSettings) -> PredictorSettings:
    """Return the settings to start from; ConfigError if they do not lead to DepthCLIP's words."""
    if asked.method == 'clip2depth':
        raise ConfigError(
            "method='clip2depth' has no words and bins that could be fitted: set "
            "method='depthclip', or adapt CLIP2Depth with clip-depth train"
        )
    asked.refuse(
        'exported_model', because='as a fit needs the weights; the parameters that it writes go '
        'with the exported model, too'
    )
    asked.refuse('learned_words', because='as a fit starts from sentences')
    # Each frame is recognised on its own: what was seen before must not decide.
    start: PredictorSettings = asked.changed(method='depthclip', scene_smoothing=0.0, fitted_on='')
    return start


def _opened(
    sources: Sequence[str], settings: FitSettings
) -> tuple[SampleSource, SampleSource, EvaluationProtocol]:
    """Open the frames that are fitted to, and those that are held out; by which protocol."""
    frames = open_for_evaluation(sources, settings)
    protocol = load_protocol(frames.default_protocol)
    if settings.validation_data:
        places = {'data': sources, 'validation_data': settings.validation_data}
        check_apart(one_kind_of(sources, settings.kind), places)
        others = open_for_evaluation(settings.validation_data, settings)
        check_none_is_a_part({'data': frames.files, 'validation_data': others.files})
        fitted: SampleSource = frames
        held_out: SampleSource = others
    elif settings.leave_one_out:
        fitted = held_out = frames
    else:
        if len(frames) <= LEAST_FRAMES:
            raise DataError(
                f'{frames.name} has {len(frames)} frames, {LEAST_FRAMES} to fit to and one to '
                'hold out are wanted: use more, or name others in validation_data'
            )
        fitted, held_out = in_time(
            frames, [settings.validation_share], settings.validation_gap_s
        )
    return _evenly(fitted, settings.max_frames), _evenly(held_out, settings.max_frames), protocol


def _evenly(source: SampleSource, most: int) -> Subset:
    """Return at most so many frames of a source, evenly spaced."""
    count = min(most, len(source))
    return Subset(source, tuple(np.linspace(0, len(source) - 1, count).round().astype(int)))


def _written(
    fitting: Fitting,
    looked: Looked,
    fits: Mapping[str, Fitted],
    held_out: SampleSource,
    scores: Mapping[str, Sequence[DepthMetrics]],
    asked: PredictorSettings,
    out_dir: Path,
) -> FitResult:
    """Write all files, the parameters last, and say what came out."""
    if not scores.get(ZERO_SHOT):
        raise DataError(
            f'none of the {len(held_out)} held-out frames of {held_out.name} could be scored: '
            + reasons_text(fitting.notes)
        )
    last = fits[[*fits][-1]]
    result = FitResult(
        path=out_dir / PARAMETERS,
        held_out={
            **{name: mean_metrics(each) for name, each in scores.items()},
            CONSTANT: mean_metrics([*_of_constant(held_out, fitting.protocol)]),
        },
        on_fit={
            ZERO_SHOT: error_on(looked.seen, fitting.first, fitting.limits),
            **{
                name: error_on(
                    looked.seen if fit.words is None else looked.vectors, fit, fitting.limits
                )
                for name, fit in fits.items()
            },
        },
        n_fitted=len(looked.seen),
        n_held_out=len(scores[ZERO_SHOT]),
        scenes=dict(Counter(each.scene for each in looked.seen if each.scene is not None)),
        protocol=protocol_title(fitting.protocol),
        notes=[],
    )
    result = replace(result, notes=[*fitting.notes, *_cautions(result)])
    values = asked.model_dump(mode='json', exclude_unset=True)
    values |= fitting.values(last)
    if last.words is not None:
        words_path = (out_dir / WORDS).resolve()
        atomic_write_bytes(words_path, words_file(last.words, fitting.network))
        values['learned_words'] = str(words_path)
    values.pop('bins', None)  # bins_m stand above them
    _write_sheets(fitting, held_out, fits, out_dir)
    report = {**asdict(result), 'path': str(result.path), 'settings': values}
    atomic_write_bytes(out_dir / REPORT, (json.dumps(report, indent=2) + '\n').encode())
    text = ''.join(f'# {line}\n' for line in _said(result)) + parameters_yaml(values)
    atomic_write_bytes(result.path, text.encode())
    return result


def _of_constant(
    held_out: SampleSource, protocol: EvaluationProtocol
) -> Iterator[DepthMetrics]:
    """Yield the metrics of the best constant for these very frames: a bound."""
    constant_m = fit_constant(truths(held_out), protocol)
    for gt in truths(held_out):
        if not isinstance(gt, DataError):
            yield from score_one(np.full(gt.shape, constant_m, np.float32), gt, protocol)


def _write_sheets(
    fitting: Fitting, held_out: SampleSource, fits: Mapping[str, Fitted], out_dir: Path
) -> None:
    predictors = fitting.predictors(fits)
    chosen = _evenly(held_out, _SHEET_FRAMES)
    for name, predictor in ((BEFORE, predictors[ZERO_SHOT]), (AFTER, predictors[[*fits][-1]])):
        rows = [
            SheetRow(
                sample.rgb, sample.target_m,
                predictor.predict(sample.rgb, sample.intrinsics).depth_m,
            )
            for sample in _readable(chosen)
        ]
        write_sheet(
            out_dir / name, rows,
            min_depth_m=fitting.limits.near_m,
            max_depth_m=min(fitting.limits.far_m, fitting.limits.cap_m),
        )


def _readable(source: SampleSource) -> Iterator[DepthSample]:
    for index in range(len(source)):
        try:
            yield source[index]
        except DataError:
            continue


def _cautions(result: FitResult) -> Iterator[str]:
    """Yield what a reader must not overlook."""
    if result.n_held_out < _FEW:
        yield f'{result.n_held_out} held-out frames show nothing for certain'
    found = [name for name in result.on_fit if name != ZERO_SHOT]
    for before, after in pairwise([ZERO_SHOT, *found]):
        if result.on_fit[after] >= result.on_fit[before]:
            yield f'{after} is no better than {before} on the frames of the fit, and so the same'
    if result.held_out[found[-1]].abs_rel >= result.held_out[PRIOR].abs_rel:
        yield 'the prior, which looks at no image, has no more abs_rel: the images do not help'


def _said(result: FitResult) -> Iterator[str]:
    """Yield what the parameter file says of itself."""
    yield 'Written by clip-depth fit. abs_rel on held-out frames:'
    yield ', '.join(f'{name} {each.abs_rel:.3f}' for name, each in result.held_out.items())
    yield f'{result.n_held_out} frames; {result.protocol}'
