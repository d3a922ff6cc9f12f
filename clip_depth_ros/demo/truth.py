# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How good the published depth is: the recorded topics, evaluated as any others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing, ExitStack
from dataclasses import dataclass
from typing import Final

from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.bags.topics import TRUE_DEPTH
from clip_depth_ros.demo.facts import DemoFacts
from clip_depth_ros.demo.plan import DemoPlan
from clip_depth_ros.errors import DataError
from clip_depth_ros.evaluation.report.frames import read_frames_again, ReportFrame
from clip_depth_ros.evaluation.results.result import Result
from clip_depth_ros.evaluation.results.tables import SHUFFLED
from clip_depth_ros.evaluation.run.answers import Answers, RecordedAnswers
from clip_depth_ros.evaluation.run.baselines import Constant, fit_constant, Shuffled
from clip_depth_ros.evaluation.run.evaluate import evaluate
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol, load_protocol
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.frames import open_for_evaluation, SourceFrames
from clip_depth_ros.sources.predicted import RecordedDepth

CONSTANT: Final = 'constant'

NO_TRUTH: Final = (
    'The recording has no true depth (/ground_truth/depth), so there are no errors to show and no '
    'metrics.'
)


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The evaluation of a recording, and the frames that its report shows."""

    result: Result
    frames: Sequence[ReportFrame]


def protocol_for(plan: DemoPlan) -> EvaluationProtocol:
    """Return the protocol ``plain`` over the range of depth that the nodes answer."""
    settings = plan.methods[0].settings
    limits = {'min_depth_m': settings.min_depth_m, 'depth_cap_m': settings.max_depth_m}
    return load_protocol('plain', limits)


def evaluate_recording(plan: DemoPlan, facts: DemoFacts) -> Evaluated | str:
    """
    Evaluate each method that answered, beside controls that look at no image.

    Predictors are called by the titles of their methods, the best constant ``constant``, and a
    method's answers given to other images ``shuffled <title>``.

    Returns
    -------
    Evaluated or str
        A sentence that says why not, if the recording has no answers or no true depth that counts.

    Raises
    ------
    RecordingError
        If the recording cannot be read.

    """
    answered = [method for method in plan.methods if facts.methods[method.name].stamps['depth']]
    with BagReader(plan.recording) as bag:
        if TRUE_DEPTH not in bag.topics or not answered:
            return NO_TRUTH
    topics = {method.title: method.topic('depth') for method in answered}
    settings = SourceSettings(
        kind='bag', image_topic=plan.image_topic, camera_info_topic=plan.info_topic,
        depth_topic=TRUE_DEPTH,
    )
    try:
        source = open_for_evaluation(
            [str(plan.recording)], settings, pred_topics=topics.values()
        )
        with closing(source):
            return _evaluated(source, topics, protocol_for(plan), settings.sync_tolerance_s)
    except DataError as error:
        return f'There are no metrics: {error}.'


def _evaluated(
    source: SourceFrames,
    topics: Mapping[str, str],
    protocol: EvaluationProtocol,
    tolerance_s: float,
) -> Evaluated:
    with ExitStack() as stack:
        answers: dict[str, Answers] = {}
        for title, topic in topics.items():
            lookup = stack.enter_context(
                closing(RecordedDepth(source.recordings, topic, tolerance_s))
            )
            answers[title] = RecordedAnswers(lookup, protocol)
        controls: dict[str, Answers] = {
            CONSTANT: Constant(fit_constant(source, protocol, n_workers=0))
        }
        if len(source) > 1:
            controls |= {
                SHUFFLED + title: Shuffled(each, source, source.names)
                for title, each in answers.items()
            }
        result = evaluate(source, {**answers, **controls}, protocol)
        asks = {title: each.answer for title, each in answers.items()}
        return Evaluated(result, read_frames_again(result, source, asks, protocol))
