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

from clip_depth_ros.bags.message_types import TRANSFORMS_TYPE
from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.bags.topics import TF, TF_STATIC
from clip_depth_ros.bags.writer import BagWriter
from clip_depth_ros.demo.facts import DemoFacts, gather_facts
from clip_depth_ros.demo.plan import DemoMethod, DemoPlan, output_topics
from clip_depth_ros.demo.processes import LoggedProcess, safe_path_environ
from clip_depth_ros.errors import ClipDepthError, ConfigError
from clip_depth_ros.ros.environment import use_shipped_dds_profile
from clip_depth_ros.ros.recorder import RecordingSession
from clip_depth_ros.settings.node import DIAGNOSTICS, OUTPUTS, parameters_yaml
from tqdm import tqdm

_START_TIMEOUT_S: Final = 180.0
_ANSWER_TIMEOUT_S: Final = 60.0
_MARGIN: Final = 1.2
_MAX_DOMAIN: Final = 232


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
            '-r', f'image/compressed:={plan.image_topic}',
            *(['-r', f'camera_info:={plan.info_topic}'] if plan.info_topic else []),
            '--params-file', str(parameters),
        ]
        name = f'{method.name}_node'
        super().__init__(name, command, plan.out_dir / f'{name}.log', environ)


def run_unhurried(plan: DemoPlan) -> DemoFacts:
    """Run as :func:`run_once`; if images were dropped, again at a pace that the nodes keep."""
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
    environ = safe_path_environ(_isolated_environ())
    use_shipped_dds_profile(environ)
    os.environ.update(environ)
    with tempfile.TemporaryDirectory(prefix='clip_depth_demo_') as folder:
        return gather_facts(plan, _run(plan, Path(folder), environ))


def _run(plan: DemoPlan, folder: Path, environ: Mapping[str, str]) -> dict[str, int]:
    """Play and record, with parameter files in a folder; return the exit codes by process."""
    exit_codes = {}
    node_environ = shared_cores(environ, len(plan.methods))
    nodes: list[_Node] = []
    with contextlib.ExitStack() as stack:
        writer = stack.enter_context(BagWriter(plan.recording, force=True))
        copy_transforms(plan.bag, writer)
        session = stack.enter_context(RecordingSession(_recorded_topics(plan), writer.write))
        for method in plan.methods:
            nodes.append(_Node(plan, method, folder, node_environ))
            stack.enter_context(nodes[-1])
        _wait_until_listening(session, nodes, plan)
        player_log = plan.out_dir / 'player.log'
        with LoggedProcess('player', _player_command(plan), player_log, environ) as player:
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


def _player_command(plan: DemoPlan) -> list[str]:
    pace = [] if plan.hz is None else ['--hz', str(plan.hz)]
    listeners = [*plan.camera_topics] * plan.n_listeners
    return [
        'clip_depth_ros.cli.main', 'bag', 'play', str(plan.bag), *pace,
        '--topics', *plan.topics, '--wait-for', *listeners,
    ]


def copy_transforms(bag_path: Path, writer: BagWriter) -> None:
    """
    Copy all transforms, static or not, which cannot be recorded where tf2_msgs is missing.

    They get today's receive time, as everything else in the recording has: the original's would
    stretch it over years. Those of ``/tf`` are looked up by their own stamps.
    """
    with BagReader(bag_path) as bag:
        there = {
            topic for topic in (TF, TF_STATIC)
            if topic in bag.topics and bag.topics[topic].msgtypes == (TRANSFORMS_TYPE,)
        }
        for message in bag.messages(there):
            writer.write(dataclasses.replace(message, bag_time_ns=time.time_ns()))


def _wait_until_listening(
    session: RecordingSession, nodes: Sequence[_Node], plan: DemoPlan
) -> None:
    def is_ready(node: _Node) -> bool:
        said = session.said_by(node.method.node_name)
        listened = set(said.get('outputs_subscribed', '').split())
        return said.get('state') == 'active' and listened == set(OUTPUTS)

    def is_listening() -> bool:
        return all(map(is_ready, nodes)) and all(
            session.count_subscribers(topic) >= plan.n_listeners for topic in plan.camera_topics
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
    outputs = [name for name in OUTPUTS if name != 'scan' or method.settings.camera_height_m]
    if all(session.counts.get(method.topic(output), 0) >= n_frames for output in outputs):
        return True
    said = session.said_by(method.node_name)
    names = ('received', 'processed', 'dropped', 'failed')
    received, *done = (int(said.get(f'images_{name}', 0)) for name in names)
    is_quiet = said.get('rate_in_hz') == '0.00'
    return received > 0 and received == sum(done) and is_quiet


def _wait_for_last_words(session: RecordingSession, nodes: Sequence[_Node]) -> None:
    """Wait for diagnostics that the nodes made after their last answer, and that count it."""
    names = [node.method.node_name for node in nodes]
    wanted = {name: session.n_said_by(name) + 2 for name in names}

    def check() -> None:
        for node in nodes:
            node.check_alive()

    def is_said(node: _Node) -> bool:
        name = node.method.node_name
        n_told = int(session.said_by(name).get('images_processed', 0))
        # On a busy machine older ones may still be on their way.
        is_counted = n_told >= session.counts.get(node.method.topic('depth'), 0)
        return is_counted and session.n_said_by(name) >= wanted[name]

    session.spin_until(lambda: all(map(is_said, nodes)), 10.0, check)


def shared_cores(
    environ: Mapping[str, str], n_processes: int, n_cores: int | None = None
) -> dict[str, str]:
    """
    Return an environment in which each of several processes computes on its share of the cores.

    Two PyTorch processes that both take all cores wait for each other most of the time. What the
    user has set stays as it is.
    """
    threads = max(1, (n_cores or os.cpu_count() or 1) // n_processes)
    return {'OMP_NUM_THREADS': str(threads), **environ} if n_processes > 1 else {**environ}


def _isolated_environ(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """
    Return an environment in which ROS talks to this machine only, in a domain of its own.

    What the user has set stays as it is.

    Raises
    ------
    ConfigError
        If the ROS_DOMAIN_ID that is set is not a valid one.

    """
    domain = environ.get('ROS_DOMAIN_ID', '0')
    if not domain.isascii() or not domain.isdecimal() or int(domain) > _MAX_DOMAIN:
        raise ConfigError(
            f'ROS_DOMAIN_ID must be a whole number from 0 to {_MAX_DOMAIN}, got {domain!r}'
        )
    isolated = {
        'ROS_DOMAIN_ID': str(1 + os.getpid() % 101),
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'PYTHONUNBUFFERED': '1',
    }
    return {**isolated, **environ}
