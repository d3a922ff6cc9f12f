# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a run showed: how good the depth is, what is wrong, as plain values for JSON, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, ExitStack
from dataclasses import dataclass, field
from typing import Any, Final, get_args

from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.core.plain_text import wrapped
from clip_depth_ros.demo.facts import DemoFacts, MethodFacts
from clip_depth_ros.demo.plan import DemoMethod, DemoPlan, note_of
from clip_depth_ros.errors import DataError
from clip_depth_ros.evaluation.report.frames import read_frames_again, ReportFrame
from clip_depth_ros.evaluation.results.camera_use import heading
from clip_depth_ros.evaluation.results.result import Result
from clip_depth_ros.evaluation.results.summary import heading_lines
from clip_depth_ros.evaluation.results.tables import (
    narrow_table,
    own_alignment,
    SHUFFLED,
    table_lines,
)
from clip_depth_ros.evaluation.results.verdict import verdict
from clip_depth_ros.evaluation.run.answers import Answers, RecordedAnswers
from clip_depth_ros.evaluation.run.baselines import Constant, fit_constant, Shuffled
from clip_depth_ros.evaluation.run.evaluate import evaluate
from clip_depth_ros.evaluation.run.recorded_depth import RecordedDepth
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol, load_protocol
from clip_depth_ros.evaluation.score.score import METRICS
from clip_depth_ros.settings.node import OUTPUTS
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.frames import open_for_evaluation, SourceFrames
from clip_depth_ros.types import CameraUse, Depth
import numpy as np

CONSTANT: Final = 'constant'

_MAX_TRUE_PIXELS: Final = 40_000_000
"""Of the true depths that are kept for pictures: 160 MB."""

NO_TRUTH: Final = (
    'The recording has no true depth (depth images or a LiDAR), so there are no errors to show '
    'and no metrics.'
)


@dataclass(frozen=True, slots=True)
class Evaluated:
    """
    The evaluation of a recording, and what its pages show.

    ``frames`` are those of its report; ``true_depths_m`` has the true depth of each image of
    :meth:`DemoFacts.film_stamps`, float32 (H, W), by its stamp, where there is any.
    """

    result: Result
    frames: Sequence[ReportFrame]
    true_depths_m: Mapping[int, Depth] = field(default_factory=dict)


def protocol_for(plan: DemoPlan) -> EvaluationProtocol:
    """Return the protocol ``plain`` over the range of depth that the nodes answer."""
    settings = plan.methods[0].settings
    limits = {'min_depth_m': settings.min_depth_m, 'depth_cap_m': settings.max_depth_m}
    return load_protocol('plain', limits)


def evaluate_recording(plan: DemoPlan, facts: DemoFacts) -> Evaluated | str:
    """
    Evaluate each method that answered, beside controls that look at no image.

    Predictors are called by the titles of their methods, the best constant ``constant``, and a
    method's answers given to other images ``shuffled <title>``. A sentence says why not, if the
    recording has no answers or no true depth that counts.
    """
    answered = [method for method in plan.methods if facts.methods[method.name].stamps['depth']]
    with BagReader(plan.recording) as bag:
        if not answered or not plan.truth or bag.topics.keys().isdisjoint(plan.truth.values()):
            return NO_TRUTH
    topics = {method.title: method.topic('depth') for method in answered}
    settings = SourceSettings(
        kind='bag', image_topic=plan.image_topic, camera_info_topic=plan.info_topic, **plan.truth
    )
    try:
        source = open_for_evaluation(
            [str(plan.recording)], settings, pred_topics=topics.values()
        )
        with closing(source):
            shown_ns = [facts.shown_stamp(), *facts.film_stamps()]
            protocol, tolerance_s = protocol_for(plan), settings.sync_tolerance_s
            return _evaluated(source, topics, protocol, tolerance_s, shown_ns)
    except DataError as error:
        return f'There are no metrics: {error}.'


def _evaluated(
    source: SourceFrames,
    topics: Mapping[str, str],
    protocol: EvaluationProtocol,
    tolerance_s: float,
    shown_ns: Sequence[int | None],
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
        shown = read_frames_again(result, source, asks, protocol)
        return Evaluated(result, shown, _true_depths(result, source, shown_ns))


def _true_depths(
    result: Result, source: SourceFrames, stamps_ns: Sequence[int | None]
) -> dict[int, Depth]:
    """Return the true depth of images by their stamps: as many as fit, the first in any case."""
    frames = result.frames
    indices = dict(zip(frames.stamps_ns, frames.indices, strict=True))
    depths_m: dict[int, Depth] = {}
    for stamp_ns in dict.fromkeys(stamps_ns):
        if stamp_ns is not None and stamp_ns in indices:
            depths_m[stamp_ns] = source[indices[stamp_ns]].target_m
        if sum(depth_m.size for depth_m in depths_m.values()) > _MAX_TRUE_PIXELS:
            break
    return depths_m


def summary_of(plan: DemoPlan, facts: DemoFacts, evaluated: Evaluated | str) -> dict[str, Any]:
    """
    Return what a run showed, as plain values for JSON.

    ``camera`` says of how many images it was used, and the focal lengths, pixels, of the last one
    and at network input. ``latency_ms`` is from an image's arrival at the recorder to that of its
    depth: transport, inference and publishing, as a robot's next node would see them. ``node``
    holds a node's own last diagnostics.
    """
    methods = {
        method.name: _method_summary(method, facts.methods[method.name], facts.sent)
        for method in plan.methods
    }
    problems = [*_problems(plan, facts, methods)]
    return {
        'ok': not problems,
        'problems': problems,
        'note': note_of(plan.methods[0].settings),
        'source': plan.source,
        'bag': plan.bag.name,
        'image_topic': plan.image_topic,
        'images_published': len(facts.sent),
        'images_per_s': plan.hz,
        'metrics': None if isinstance(evaluated, str) else _metrics(plan, evaluated.result),
        'methods': methods,
        'exit_codes': dict(facts.exit_codes),
    }


def _method_summary(method: DemoMethod, facts: MethodFacts, sent: list[int]) -> dict[str, Any]:
    node = {key: value for key, value in facts.diagnostics.items() if value}
    names = ('received', 'processed', 'dropped', 'failed')
    uses = {use: int(node.get(f'images_camera_{use}', 0)) for use in get_args(CameraUse)}
    error_px = facts.max_reprojection_error_px
    return {
        'title': method.title,
        'frames': {name: int(node.get(f'images_{name}', 0)) for name in names},
        'messages': {method.topic(output): len(facts.stamps[output]) for output in OUTPUTS},
        'every_frame_answered_once': facts.answered_once(sent),
        'latency_ms': {'p50': facts.latency_ms(50), 'p95': facts.latency_ms(95)},
        'max_reprojection_error_px': round(error_px, 6) if np.isfinite(error_px) else None,
        'mismatched': facts.mismatched,
        'camera': {
            'images': uses,
            'assumed_hfov_deg': node.get('assumed_hfov_deg') if uses['assumed'] else None,
            **{f'{place}_fx_px': node.get(f'{place}_fx_px') for place in ('image', 'network')},
        },
        'parameters': {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in method.parameters.items()
        },
        'node': node,
    }


def _metrics(plan: DemoPlan, result: Result) -> dict[str, Any]:
    """Return the metrics of methods and controls under the protocol, with its caption."""
    own = own_alignment(result)
    scores = {
        title: {
            'title': title,
            'images': found.n_frames,
            **{
                metric: estimate.mean
                for metric in METRICS if (estimate := found.estimates.get(f'{own}/{metric}'))
            },
        }
        for title, found in result.predictors.items() if found.n_frames
    }
    names = {method.title: method.name for method in plan.methods}
    n_images = scores[CONSTANT]['images']
    return {
        'protocol': (
            f'{plan.source}, {n_images} images, {heading(result)}, images of '
            f'{result.source.get("image_sizes", "unknown size")}'
        ),
        'images': n_images,
        'methods': {names[title]: score for title, score in scores.items() if title in names},
        'controls': {
            'best_constant': scores[CONSTANT],
            **{
                f'{names[title]}_shuffled': scores[SHUFFLED + title]
                for title in names if SHUFFLED + title in scores
            },
        },
    }


def _problems(
    plan: DemoPlan, facts: DemoFacts, methods: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """Say what is unexplained: failed processes, images neither answered nor dropped."""
    for name, code in facts.exit_codes.items():
        if code:
            yield f'{name} ended with {code}'
    logs = f'look into {plan.out_dir}/*.log'
    if len(facts.sent) != plan.n_frames:
        yield f'{len(facts.sent)} of {plan.n_frames} images were recorded; {logs}'
    for name, method in methods.items():
        for problem in _problems_of(method, facts.methods[name], len(facts.sent), logs):
            yield f'{method["title"]}: {problem}'


def _problems_of(
    summary: Mapping[str, Any], facts: MethodFacts, n_sent: int, logs: str
) -> Iterator[str]:
    yield from facts.mismatched[:3]
    frames = summary['frames']
    processed, n_depths = frames['processed'], len(facts.stamps['depth'])
    if lost := n_sent - frames['received']:
        yield f'{lost} images never reached the node; try again, or slower with --hz 1'
    if frames['failed']:
        yield f'{frames["failed"]} images could not be read; {logs}'
    if n_depths != processed:
        yield f'the node answered {processed} images and {n_depths} depth images came back; {logs}'
    # Without any cloud there is no camera to go by, which is no fault of the node.
    if 0 < (n_clouds := len(facts.stamps['cloud'])) < processed:
        reason = facts.diagnostics.get('camera_problem') or logs
        yield f'{processed - n_clouds} images got no cloud: {reason}'
    if not processed:
        yield f'no image was answered; {logs}'


def sentence_of(summary: Mapping[str, Any]) -> str:
    """Say what went through which nodes, and what came back."""
    methods = summary['methods'].values()
    device = next(iter(methods))['node'].get('device', 'an unknown device')
    nodes = 'the real node' if len(methods) == 1 else f'{len(methods)} real nodes'
    n_sent = summary['images_published']
    answers = ' '.join(_answers_of(method) for method in methods)
    return f'{n_sent} camera images went through {nodes} over DDS on {device}. {answers}'


def _answers_of(method: Mapping[str, Any]) -> str:
    counts, latency = method['frames'], method['latency_ms']
    is_once = method['every_frame_answered_once']
    once = 'each exactly once' if is_once else 'some outputs are missing or repeated'
    slow = ' (the machine is slower than that: --hz plays slower)'
    dropped = f'{counts["dropped"]} dropped{slow if counts["dropped"] else ""}'
    time = 'no depth came back' if latency['p50'] is None else (
        f'depth in {latency["p50"]:.0f} ms (median; 95 %: {latency["p95"]:.0f} ms)'
    )
    use = camera_text(method)
    camera = f', camera {use}' if use else ''
    answered = f'{counts["processed"]} answered ({once})'
    cloud = OUTPUTS['cloud'].topic
    has_cloud = any(n for topic, n in method['messages'].items() if topic.endswith(cloud))
    problem = '' if has_cloud else method['node'].get('camera_problem', '')
    no_cloud = f', no cloud ({problem})' if problem else ''
    return f'{method["title"]}: {answered}, {dropped}, {time}{camera}{no_cloud}.'


def camera_text(method: Mapping[str, Any]) -> str:
    """Say of how many images the camera was used, assumed or ignored; empty if nobody told."""
    camera = method['camera']
    counts = {use: n_images for use, n_images in camera['images'].items() if n_images}
    width = f' ({camera["assumed_hfov_deg"]} degrees wide)' if camera['assumed_hfov_deg'] else ''
    return ', '.join(
        f'{use}{width if use == "assumed" else ""}'
        + (f' for {n_images} images' if len(counts) > 1 else '')
        for use, n_images in counts.items()
    )


def metric_lines(evaluated: Evaluated | str) -> list[str]:
    """Return a verdict and the main metrics as text of 80 columns, or why there are none."""
    if isinstance(evaluated, str):
        return [evaluated]
    result = evaluated.result
    heading = [part for line in heading_lines(result) for part in wrapped(line, 80)]
    return [
        *wrapped(verdict(result), 80), '', *heading, '', *table_lines(narrow_table(result)),
    ]
