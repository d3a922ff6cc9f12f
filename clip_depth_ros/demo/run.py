# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A demo run: nodes and player as processes of their own, everything recorded over DDS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import contextlib
import dataclasses
import os
from pathlib import Path
import tempfile
import time
from typing import Final

from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.bags.topics import TF_STATIC
from clip_depth_ros.bags.writer import BagWriter
from clip_depth_ros.demo.facts import DemoFacts, gather_facts
from clip_depth_ros.demo.plan import DemoMethod, DemoPlan, output_topics
from clip_depth_ros.demo.processes import (
    isolated_environ,
    LoggedProcess,
    parameters_yaml,
    shared_cores,
)
from clip_depth_ros.errors import ClipDepthError
from clip_depth_ros.ros.environment import use_shipped_dds_profile
from clip_depth_ros.ros.recorder import RecordingSession
from clip_depth_ros.settings.node import DIAGNOSTICS, OUTPUTS
from tqdm import tqdm

_START_TIMEOUT_S: Final = 180.0
_ANSWER_TIMEOUT_S: Final = 60.0
_MARGIN: Final = 1.2


class _Node(LoggedProcess):
    """The real node, running one method in a namespace of its own."""

    def __init__(
        self, plan: DemoPlan, method: DemoMethod, folder: Path, environ: Mapping[str, str]
    ) -> None:
        self.method = method
        parameters = folder / f'{method.name}.yaml'
        parameters.write_text(parameters_yaml(method.parameters), encoding='utf-8')
        command = [
            'clip_depth_ros.ros.depth_node', '--ros-args',
            '-r', f'__ns:={method.namespace}',
            '-r', f'image:={plan.image_topic}',
            '-r', f'camera_info:={plan.info_topic}',
            '--params-file', str(parameters),
        ]
        name = f'{method.name}_node'
        super().__init__(name, command, plan.out_dir / f'{name}.log', environ)


def run_unhurried(plan: DemoPlan) -> DemoFacts:
    """
    Run a demo; if images were dropped, run it again at a pace that the nodes can keep.

    Raises
    ------
    ClipDepthError
        As :func:`run_once`.

    """
    facts = run_once(plan)
    slowest_ms = facts.slowest_ms()
    if not facts.n_dropped() or plan.hz is None or slowest_ms is None:
        return facts
    slower_hz = round(min(plan.hz / 2, 1000 / (_MARGIN * slowest_ms)), 2)
    print(
        f'{facts.n_dropped()} images were dropped at {plan.hz:g} a second: this machine is busy '
        f'or slow. Playing again at {slower_hz:g} a second.'
    )
    return run_once(dataclasses.replace(plan, hz=slower_hz))


def run_once(plan: DemoPlan) -> DemoFacts:
    """
    Play a recording into the nodes, record what goes in and comes out, and look through it.

    Raises
    ------
    ClipDepthError
        If a node does not become active, or a process ends early; with the end of its log.

    """
    environ = isolated_environ()
    use_shipped_dds_profile(environ)
    os.environ.update(environ)
    with tempfile.TemporaryDirectory(prefix='clip_depth_demo_') as folder:
        node_environ = shared_cores(environ, len(plan.methods))
        nodes = [_Node(plan, method, Path(folder), node_environ) for method in plan.methods]
        player = LoggedProcess(
            'player', _player_command(plan), plan.out_dir / 'player.log', environ
        )
        return gather_facts(plan, _run(plan, nodes, player))


def _run(plan: DemoPlan, nodes: Sequence[_Node], player: LoggedProcess) -> dict[str, int]:
    """Play and record; return the exit codes by process."""
    exit_codes = {}
    with contextlib.ExitStack() as stack:
        writer = stack.enter_context(BagWriter(plan.recording, force=True))
        _copy_static_transforms(plan, writer)
        session = stack.enter_context(RecordingSession(_recorded_topics(plan), writer.write))
        for node in nodes:
            stack.enter_context(node)
        _wait_until_listening(session, nodes, plan)
        with player:
            _wait_for_answers(session, nodes, player, plan)
            exit_codes['player'] = player.end()
        _wait_for_last_words(session, nodes)
        exit_codes |= {node.name: node.end() for node in nodes}
    return exit_codes


def _recorded_topics(plan: DemoPlan) -> dict[str, str]:
    topics = {**plan.topics, DIAGNOSTICS: 'diagnostic_msgs/msg/DiagnosticArray'}
    for method in plan.methods:
        topics |= output_topics(method.namespace)
    return topics


def _n_listeners(plan: DemoPlan) -> int:
    """Return how many listen to the camera: the nodes and the recorder."""
    return len(plan.methods) + 1


def _player_command(plan: DemoPlan) -> list[str]:
    pace = [] if plan.hz is None else ['--hz', str(plan.hz)]
    listeners = [plan.image_topic, plan.info_topic] * _n_listeners(plan)
    return [
        'clip_depth_ros.cli.main', 'bag', 'play', str(plan.bag), *pace,
        '--topics', *plan.topics, '--wait-for', *listeners,
    ]


def _copy_static_transforms(plan: DemoPlan, writer: BagWriter) -> None:
    """
    Copy the static transforms, which cannot be recorded where tf2_msgs is missing.

    They get today's receive time, as everything else in the recording has: the original's would
    stretch it over years.
    """
    with BagReader(plan.bag) as bag:
        if TF_STATIC in bag.topics:
            for message in bag.messages([TF_STATIC]):
                writer.write(dataclasses.replace(message, bag_time_ns=time.time_ns()))


def _wait_until_listening(
    session: RecordingSession, nodes: Sequence[_Node], plan: DemoPlan
) -> None:
    def is_ready(node: _Node) -> bool:
        said = session.said_by(node.method.node_name)
        listened = set(said.get('outputs_subscribed', '').split())
        return said.get('state') == 'active' and listened == set(OUTPUTS)

    def is_listening() -> bool:
        camera = (plan.image_topic, plan.info_topic)
        return all(map(is_ready, nodes)) and all(
            session.count_subscribers(topic) >= _n_listeners(plan) for topic in camera
        )

    def check() -> None:
        for node in nodes:
            node.check_alive()
            said = session.said_by(node.method.node_name)
            if said.get('state') == 'unconfigured' and said.get('last_error'):
                raise ClipDepthError(f'the node did not start: {said["last_error"]}')

    if not session.spin_until(is_listening, _START_TIMEOUT_S, check):
        late = [node for node in nodes if not is_ready(node)] or nodes
        raise ClipDepthError(
            f'{late[0].name} was not ready within {_START_TIMEOUT_S:.0f} s; it printed:\n'
            f'{late[0].tail()}'
        )


def _wait_for_answers(
    session: RecordingSession, nodes: Sequence[_Node], player: LoggedProcess, plan: DemoPlan
) -> None:
    """Record until every image is accounted for in every node and the player has ended."""
    ended_s: float | None = None
    depth_topics = [node.method.topic('depth') for node in nodes]
    with tqdm(
        total=plan.n_frames * len(nodes), desc='depth images', unit='frame', disable=None
    ) as bar:

        def update() -> None:
            bar.update(sum(session.counts.get(topic, 0) for topic in depth_topics) - bar.n)

        def check() -> None:
            nonlocal ended_s
            for node in nodes:
                node.check_alive()
            update()
            if (code := player.exit_code()) is not None:
                ended_s = ended_s or time.monotonic()
                if code:
                    raise ClipDepthError(f'the player failed ({code}):\n{player.tail()}')

        def is_over() -> bool:
            return ended_s is not None and (
                all(_has_answered(session, node.method, plan.n_frames) for node in nodes)
                or time.monotonic() - ended_s > _ANSWER_TIMEOUT_S
            )

        session.spin_until(is_over, float('inf'), check)
        update()


def _has_answered(session: RecordingSession, method: DemoMethod, n_frames: int) -> bool:
    """Return whether a node has nothing left to answer: each image is answered or dropped."""
    if all(session.counts.get(method.topic(output), 0) >= n_frames for output in OUTPUTS):
        return True
    said = session.said_by(method.node_name)
    names = ('received', 'processed', 'dropped', 'failed')
    received, *done = (int(said.get(f'images_{name}', 0)) for name in names)
    is_quiet = said.get('rate_in_hz') == '0.00'
    return received > 0 and received == sum(done) and is_quiet


def _wait_for_last_words(session: RecordingSession, nodes: Sequence[_Node]) -> None:
    """Wait for diagnostics that the nodes made after their last answer."""
    names = [node.method.node_name for node in nodes]
    wanted = {name: session.n_said_by(name) + 2 for name in names}

    def check() -> None:
        for node in nodes:
            node.check_alive()

    session.spin_until(
        lambda: all(session.n_said_by(name) >= n for name, n in wanted.items()), 10.0, check
    )
