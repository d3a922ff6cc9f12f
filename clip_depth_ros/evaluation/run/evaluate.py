# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The evaluation itself: frames are read, answered, compared and summed up, many at a time.

Other processes may read frames ahead and compare answers; this one asks the predictors. Nothing of
a frame is kept but its numbers.

Batches are the same whatever was done before and whoever does them: batch k is frames k B to
k B + B - 1, always answered as a whole, so that numbers do not depend on interruptions or on the
number of processes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
import re
from typing import Any, Final

from clip_depth_ros import __version__
from clip_depth_ros.core.files import fingerprint
from clip_depth_ros.errors import ConfigError, DataError
from clip_depth_ros.evaluation.results.result import Result
from clip_depth_ros.evaluation.run.answers import Answers, ImageAnswers
from clip_depth_ros.evaluation.run.collect import collect
from clip_depth_ros.evaluation.run.frames import (
    AnsweredFrame,
    FrameRecord,
    record_of,
    SCORING,
    Scoring,
)
from clip_depth_ros.evaluation.run.team import ALL, FrameTeam, plan, Shard, Step
from clip_depth_ros.evaluation.score.intervals import Resampling
from clip_depth_ros.evaluation.score.protocols import (
    differences,
    EvaluationProtocol,
    load_protocol,
    protocol_title,
)
from clip_depth_ros.settings.installation import versions
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.frames import open_for_evaluation, SourceFrames
from clip_depth_ros.sources.samples import DepthSample, SampleSource
from clip_depth_ros.types import DepthPredictor

OnProgress = Callable[[int, int], None]
"""Gets the number of frames that are done, and of all."""

_VARIES: Final = {'device_memory_mb'}
"""What predictors say of themselves that changes as they work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """
    What is evaluated, and how.

    Attributes
    ----------
    source : SampleSource
        The frames. Where it has ``gt_kind``, ``notes``, ``problems`` or ``files``, as what
        :func:`open_source` returns has, the result says so.
    answers : mapping of str to Answers
        Predictors by name, the one in question first; an answer may depend on its batch alone.
    protocol : EvaluationProtocol
        How answers are compared.
    batch_size : int
        Frames that predictors see at once.
    n_workers : int
        Processes that read and compare frames beside this one; the source is sent to them. With
        none, this process does it all.
    resampling : Resampling
        For the intervals.
    settings : mapping of str to str
        What else the result should name.

    """

    source: SampleSource
    answers: Mapping[str, Answers]
    protocol: EvaluationProtocol
    batch_size: int = 8
    n_workers: int = 0
    resampling: Resampling = field(default_factory=Resampling)
    settings: Mapping[str, str] = field(default_factory=dict)

    def identity(self) -> dict[str, Any]:
        """
        Return all that decides the numbers, as plain values, before predictors are asked anything.

        Where the source has ``files``, what these are: while they change, so may the frames.
        Networks round differently in batches of another size. The number of a cuda device is left
        out, as processes that share the work have one each.
        """
        source, files = self.source, getattr(self.source, 'files', ())
        return {
            'version': __version__,
            'protocol': self.protocol.model_dump(mode='json'),
            'source': {'name': source.name, 'n_frames': len(source), **source.describe()},
            **({'files': fingerprint(files)} if files else {}),
            'predictors': {name: _steady(each.describe()) for name, each in self.answers.items()},
            'batch_size': self.batch_size,
        }

    def result(self, records: Iterable[FrameRecord], identity: Mapping[str, Any]) -> Result:
        """
        Return the result of all frames, whose records come in their order.

        The identity is as it was before the first frame was read, so that a comparison notices
        when files of the same names are not the same.
        """
        source = self.source
        return collect(
            records,
            answers=self.answers,
            title=protocol_title(self.protocol, gt_kind=_gt_kind(source)),
            protocol=self.protocol,
            source={
                'name': source.name,
                **source.describe(),
                'notes': '; '.join(_notes(self)),
                **{name: identity[name] for name in ('files',) if name in identity},
            },
            settings=self.settings,
            versions=versions(),
            n_frames=len(source),
            source_problems=getattr(source, 'problems', ()),
            resampling=self.resampling,
        )


def open_source(
    *sources: str | Path, protocol: EvaluationProtocol | str = 'plain', **settings: Any
) -> SourceFrames:
    """
    Open frames with known depth.

    Parameters
    ----------
    sources : str or Path
        Recordings, folders, a labelled NYU .mat, or seeds of the rendered drive, such as
        ``1000000-1000003``: one or more of one kind.
    protocol : EvaluationProtocol or str
        By which protocol they will be evaluated: it says how LiDAR points become depth, which
        only those of monodepth2 do in another way.
    settings : optional
        Any of :class:`SourceSettings`: which frames, and what is true.

    Raises
    ------
    ConfigError
        If a setting or the protocol is unknown, or a setting is missing.
    DataError
        If a source is not there, or cannot be read.

    """
    rules = load_protocol(protocol) if isinstance(protocol, str) else protocol
    chosen: SourceSettings = SourceSettings.from_mapping(settings)
    return open_for_evaluation(
        [str(source) for source in sources],
        chosen,
        lidar_value=rules.lidar_value,
        lidar_pixel=rules.lidar_pixel,
    )


def evaluate(
    source: SampleSource,
    predictors: Mapping[str, DepthPredictor | Answers],
    protocol: EvaluationProtocol | str = 'auto',
    *,
    batch_size: int = 8,
    n_workers: int = 0,
    resampling: Resampling | None = None,
    on_progress: OnProgress = lambda done, total: None,
) -> Result:
    """
    Say how good predictors are, frame by frame and on average, in memory.

    Parameters
    ----------
    source : SampleSource
        Frames with true depth: what :func:`open_source` returns, or any sequence of
        :class:`DepthSample` with ``name`` and ``describe()``.
    predictors : mapping of str to DepthPredictor or Answers
        By the names that tables give them, the one in question first. They are not closed.
    protocol : EvaluationProtocol or str
        How answers are compared: a protocol, or the name of one that comes with this package;
        ``auto``: what is usual for the source.
    batch_size : int
        Frames that predictors see at once.
    n_workers : int
        Processes that read and compare frames beside this one; with none, this one does it all.
        A script that uses some needs ``if __name__ == '__main__':``, and a source that can be
        pickled.
    resampling : Resampling, optional
        How the 95 % intervals are computed.
    on_progress : callable
        Gets the number of frames that are done, and of all.

    Raises
    ------
    ConfigError
        If there is no such protocol, or the source was opened for another one.
    ClipDepthError
        Whatever a predictor raises but DataError: what that says of a frame or an answer is a
        problem of the frame, and named in the result.

    """
    if isinstance(protocol, str):
        usual = str(getattr(source, 'default_protocol', 'plain'))
        protocol = load_protocol(usual if protocol == 'auto' else protocol)
    _check_lidar(source, protocol)
    evaluation = Evaluation(
        source=source,
        answers={
            name: each if isinstance(each, Answers) else ImageAnswers(each, protocol)
            for name, each in predictors.items()
        },
        protocol=protocol,
        batch_size=batch_size,
        n_workers=n_workers,
        resampling=resampling or Resampling(),
    )
    identity = evaluation.identity()
    with closing(scored_frames(evaluation)) as records:
        return evaluation.result(_counted(records, len(source), on_progress), identity)


def scored_frames(
    evaluation: Evaluation,
    part: Shard = ALL,
    done: Collection[int] = (),
    scoring: Scoring = SCORING,
) -> Generator[FrameRecord, None, None]:
    """
    Yield what is known of each frame of a part of the work, in the order of the source.

    Frames that are done are left out, as they were compared before. Tests bring their own scoring,
    in modules that can be imported.
    """
    source, answers, n_workers = evaluation.source, evaluation.answers, evaluation.n_workers
    steps = plan(len(source), evaluation.batch_size, part, done)
    compare = partial(record_of, protocol=evaluation.protocol, scoring=scoring)
    comparing: deque[Future[list[FrameRecord]]] = deque()
    previous: AnsweredFrame | None = None
    # Of a single step there is nothing to share out.
    n_shared = min(n_workers, len(steps)) if len(steps) > 1 else 0
    with FrameTeam(source, compare, n_shared) as team:
        for number, (step, samples) in enumerate(zip(steps, team.read(steps), strict=True)):
            before, batch = _frames(step, samples)
            if before:
                previous = _context(before, batch[0], answers, scoring)
            answered = _answered(batch, answers)
            missing = {*step.batch}.difference(done)
            columns = [frame.answers for frame in answered]
            comparing.append(team.compare(number, columns, previous, missing))
            previous = answered[-1]
            while comparing and (comparing[0].done() or len(comparing) > 2 * n_workers):
                yield from comparing.popleft().result()
        while comparing:
            yield from comparing.popleft().result()


def _steady(described: Mapping[str, str]) -> dict[str, str]:
    return {
        key: re.sub(r'^cuda:\d+$', 'cuda', value)
        for key, value in described.items()
        if key not in _VARIES
    }


def _check_lidar(source: SampleSource, protocol: EvaluationProtocol) -> None:
    """Refuse truth that is not what the protocol says it is: no caption would be right."""
    described = source.describe()
    for rule, usual in (('lidar_value', 'z'), ('lidar_pixel', 'nearest')):
        is_lidar = _gt_kind(source) == 'raw-lidar'
        there = {value or usual for key, value in described.items() if key.endswith(rule)}
        if is_lidar and {getattr(protocol, rule)} != (there or {usual}):
            raise ConfigError(
                f'protocol {protocol.name!r} has {rule}={getattr(protocol, rule)}, and '
                f'{source.name} was opened with {", ".join(there) or usual}: open it for this '
                'protocol (open_source(..., protocol=...))'
            )


def _counted(
    records: Iterable[FrameRecord], n_frames: int, on_progress: OnProgress
) -> Iterator[FrameRecord]:
    on_progress(0, n_frames)
    for n_done, record in enumerate(records, 1):
        yield record
        on_progress(n_done, n_frames)


def _frames(
    step: Step, samples: Sequence[DepthSample | DataError]
) -> tuple[list[AnsweredFrame], list[AnsweredFrame]]:
    """Return the frames before the batch, and those of the batch."""
    frames = [*map(AnsweredFrame, [*step.before, *step.batch], samples)]
    return frames[:len(step.before)], frames[len(step.before):]


def _context(
    before: Sequence[AnsweredFrame],
    first: AnsweredFrame,
    answers: Mapping[str, Answers],
    scoring: Scoring,
) -> AnsweredFrame:
    """Return the frame before the first of a batch, answered as in its own if that is needed."""
    last = before[-1]
    if isinstance(last.sample, DataError) or isinstance(first.sample, DataError):
        return last
    return _answered(before, answers)[-1] if scoring.follows(last.sample, first.sample) else last


def _answered(
    frames: Sequence[AnsweredFrame], answers: Mapping[str, Answers]
) -> list[AnsweredFrame]:
    """Ask every predictor for a batch, except for the frames that could not be read."""
    samples = [frame.sample for frame in frames if not isinstance(frame.sample, DataError)]
    if not samples:
        return [*frames]
    columns = [each.answer(samples) for each in answers.values()]
    rows = iter([*zip(samples, *columns, strict=True)])
    return [
        frame
        if isinstance(frame.sample, DataError)
        else replace(frame, answers=dict(zip(answers, next(rows)[1:], strict=True)))
        for frame in frames
    ]


def _gt_kind(source: SampleSource) -> str:
    return str(getattr(source, 'gt_kind', 'any'))


def _notes(evaluation: Evaluation) -> Iterator[str]:
    """Yield what a reader must know beside the numbers."""
    source = evaluation.source
    yield from differences(evaluation.protocol, gt_kind=_gt_kind(source), n_frames=len(source))
    described = source.describe().items()
    truths = {value for key, value in described if key.endswith(('depth_topic', 'lidar_topic'))}
    if truths := truths - {''}:
        yield f'the truth is {", ".join(sorted(truths))}'
    yield from getattr(source, 'notes', ())
    for name, each in evaluation.answers.items():
        if each.describe().get('found_by') == 'order':
            yield f'{name}: no file has the name of a frame, they are taken in order'
