# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A demo run: node and player as processes of their own, everything recorded over DDS."""

from __future__ import annotations

from collections.abc import Mapping
import dataclasses
from dataclasses import dataclass
import os
from pathlib import Path
import tempfile
import time
from typing import Any, Final

from clip_depth_ros.cli.demo_processes import isolated_environ, LoggedProcess, parameters_yaml
from clip_depth_ros.cli.demo_summary import CLOUD, COLOR, DEPTH, DIAGNOSTICS, INFO
from clip_depth_ros.data.bag_writer import BagWriter
from clip_depth_ros.data.bags import BagReader, BagTopic
from clip_depth_ros.data.topics import TF_STATIC
from clip_depth_ros.errors import ClipDepthError
from clip_depth_ros.ros.dds import use_shipped_dds_profile
from clip_depth_ros.ros.recording_session import RecordingSession
from tqdm import tqdm

OUTPUTS: Final[Mapping[str, str]] = {
    DEPTH: 'sensor_msgs/msg/Image',
    INFO: 'sensor_msgs/msg/CameraInfo',
    CLOUD: 'sensor_msgs/msg/PointCloud2',
    COLOR: 'sensor_msgs/msg/Image',
    DIAGNOSTICS: 'diagnostic_msgs/msg/DiagnosticArray',
}

_START_TIMEOUT_S: Final = 180.0
_ANSWER_TIMEOUT_S: Final = 60.0
_RECORDER_AND_NODE: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPlan:
    """
    What to play and where to.

    Attributes
    ----------
    bag : Path
        Recording to play.
    image_topic, info_topic : str
        Its camera.
    n_frames : int
        Images in it.
    hz : float, optional
        Images per second; None plays as recorded.
    parameters : mapping
        Parameters of the node.
    out_dir : Path
        Folder for ``depth.mcap`` and the logs.
    topics : mapping of str to str
        Type by topic of what is played.

    """

    bag: Path
    image_topic: str
    info_topic: str
    n_frames: int
    hz: float | None
    parameters: Mapping[str, Any]
    out_dir: Path
    topics: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DemoResult:
    """Where the recording is, what the node said last, and how both processes ended."""

    recording: Path
    depth_node: Mapping[str, str]
    exit_codes: Mapping[str, int]


def run_demo(plan: DemoPlan) -> DemoResult:
    """
    Play a recording into the real node and record what goes in and what comes out.

    Raises
    ------
    ClipDepthError
        If the node does not become active, or a process ends early; with the end of its log.

    """
    environ = isolated_environ()
    use_shipped_dds_profile(environ)
    os.environ.update(environ)
    with tempfile.TemporaryDirectory(prefix='clip_depth_demo_') as folder:
        parameters = Path(folder) / 'depth_node.yaml'
        parameters.write_text(parameters_yaml(plan.parameters), encoding='utf-8')
        return _run(plan, parameters, environ)


def _run(plan: DemoPlan, parameters: Path, environ: Mapping[str, str]) -> DemoResult:
    recording = plan.out_dir / 'depth.mcap'
    node = LoggedProcess(
        'depth_node', _node_command(plan, parameters), plan.out_dir / 'depth_node.log', environ
    )
    player = LoggedProcess(
        'player', _player_command(plan), plan.out_dir / 'player.log', environ
    )
    with BagWriter(recording, force=True) as writer:
        _copy_static_transforms(plan, writer)
        with RecordingSession({**plan.topics, **OUTPUTS}, writer.write) as session, node:
            _wait_until_listening(session, node, plan)
            with player:
                _wait_for_answers(session, node, player, plan)
                exit_codes = {'player': player.end()}
            last_words = _last_words(session, node)
            exit_codes['depth_node'] = node.end()
    return DemoResult(recording, last_words, exit_codes)


def _node_command(plan: DemoPlan, parameters: Path) -> list[str]:
    return [
        'clip_depth_ros.ros.depth_node', '--ros-args',
        '-r', f'image:={plan.image_topic}',
        '-r', f'camera_info:={plan.info_topic}',
        '--params-file', str(parameters),
    ]


def _player_command(plan: DemoPlan) -> list[str]:
    pace = [] if plan.hz is None else ['--hz', str(plan.hz)]
    listeners = [plan.image_topic, plan.info_topic] * _RECORDER_AND_NODE
    return [
        'clip_depth_ros.cli.main', 'bag', 'play', str(plan.bag), *pace,
        '--topics', *plan.topics, '--wait-for', *listeners,
    ]


def _copy_static_transforms(plan: DemoPlan, writer: BagWriter) -> None:
    """
    Copy what cannot be recorded where tf2_msgs is missing, as if it was received now.

    Everything else in the recording has today's receive times; a message with that of the
    original would stretch it over years.
    """
    with BagReader(plan.bag) as bag:
        if TF_STATIC in bag.topics:
            for message in bag.messages([TF_STATIC]):
                writer.write(dataclasses.replace(message, bag_time_ns=time.time_ns()))


def playable_topics(topics: Mapping[str, BagTopic]) -> dict[str, str]:
    """
    Give the topics of a recording to play, with their types.

    Transforms are left out, and what a depth node has published before: it would mix with the
    answers of this run.
    """
    return {
        name: topic.msgtype
        for name, topic in topics.items()
        if not topic.msgtype.startswith('tf2_msgs/') and name not in OUTPUTS
    }


def _wait_until_listening(
    session: RecordingSession, node: LoggedProcess, plan: DemoPlan
) -> None:
    def is_listening() -> bool:
        said = session.depth_node
        listened = set(said.get('outputs_subscribed', '').split())
        return (
            said.get('state') == 'active'
            and listened == {'depth', 'info', 'cloud', 'color'}
            and session.count_subscribers(plan.image_topic) >= _RECORDER_AND_NODE
            and session.count_subscribers(plan.info_topic) >= _RECORDER_AND_NODE
        )

    def check() -> None:
        node.check_alive()
        said = session.depth_node
        if said.get('state') == 'unconfigured' and said.get('last_error'):
            raise ClipDepthError(f'the node did not start: {said["last_error"]}')

    if not session.spin_until(is_listening, _START_TIMEOUT_S, check):
        raise ClipDepthError(
            f'the node was not ready within {_START_TIMEOUT_S:.0f} s; it printed:\n{node.tail()}'
        )


def _wait_for_answers(
    session: RecordingSession, node: LoggedProcess, player: LoggedProcess, plan: DemoPlan
) -> None:
    """Record until every image is accounted for and the player has ended."""
    ended_s: float | None = None
    with tqdm(
        total=plan.n_frames, desc='depth images', unit='frame', disable=None
    ) as bar:

        def update() -> None:
            bar.update(session.counts.get(DEPTH, 0) - bar.n)

        def check() -> None:
            nonlocal ended_s
            node.check_alive()
            update()
            if (code := player.exit_code()) is not None:
                ended_s = ended_s or time.monotonic()
                if code:
                    raise ClipDepthError(f'the player failed ({code}):\n{player.tail()}')

        def is_over() -> bool:
            return ended_s is not None and (
                _n_answered(session) >= plan.n_frames
                or _is_all_accounted_for(session)
                or time.monotonic() - ended_s > _ANSWER_TIMEOUT_S
            )

        session.spin_until(is_over, float('inf'), check)
        update()


def _n_answered(session: RecordingSession) -> int:
    return min(session.counts.get(topic, 0) for topic in (DEPTH, INFO, CLOUD, COLOR))


def _is_all_accounted_for(session: RecordingSession) -> bool:
    """Say whether the node has nothing left to answer: all it received is done or dropped."""
    said = session.depth_node
    names = ('received', 'processed', 'dropped', 'failed')
    received, *done = (int(said.get(f'images_{name}', 0)) for name in names)
    is_quiet = said.get('rate_in_hz') == '0.00'
    return received > 0 and received == sum(done) and is_quiet


def _last_words(session: RecordingSession, node: LoggedProcess) -> Mapping[str, str]:
    """Wait for diagnostics that were made after the last answer."""
    n_seen = session.counts.get(DIAGNOSTICS, 0)
    session.spin_until(
        lambda: session.counts.get(DIAGNOSTICS, 0) >= n_seen + 2, 10.0, node.check_alive
    )
    return dict(session.depth_node)


def limited(bag: Path, image_topic: str, n_frames: int, target: Path) -> Path:
    """
    Give a recording with the first images of another one, and all that came before the next.

    Raises
    ------
    ClipDepthError
        If the bag cannot be read or the copy not written.

    """
    with BagReader(bag) as reader, BagWriter(target, force=True) as writer:
        n_images = 0
        for message in reader.messages():
            n_images += message.topic == image_topic
            if n_images > n_frames:
                break
            writer.write(message)
    return target
