# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Play a recording into the real node, record what comes out, and show it.

Node and player are processes of their own and talk over DDS, as on a robot. Without --bag a short
synthetic drive is rendered and played. The output folder gets summary.json, depth.mcap (opens in
RViz and Foxglove), preview.png, cloud.ply, report.html and the logs of both processes.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TYPE_CHECKING

if TYPE_CHECKING:
    from clip_depth_ros.cli.demo_run import DemoPlan, DemoResult
    from clip_depth_ros.cli.demo_summary import RecordingFacts

RANDOM_NOTE: Final = (
    'NOTE: the depth values mean nothing yet. No trained weights come with the package so far, so '
    'this demo runs a randomly initialised CLIP: what it shows is that images, stamps, '
    'camera_info and clouds flow as they should, not how well depth is seen.'
)

STREET: Final[Mapping[str, Any]] = {'bins': 'outdoor', 'min_depth_m': 1.0, 'max_depth_m': 80.0}
"""What suits a street."""

UNTRAINED: Final[Mapping[str, Any]] = {'backbone': 'tiny', 'pretrained': 'random'}
"""What runs everywhere and sees nothing; in force unless a flag asks for other weights."""

_ABOUT_WEIGHTS: Final = frozenset({'backbone', 'pretrained', 'clip_weights', 'allow_download'})
_RECORDINGS: Final = ('drive.mcap', 'input.mcap', 'depth.mcap')
_RESULTS: Final = ('summary.json', 'preview.png', 'cloud.ply', 'report.html')

_SYNTHETIC_FRAMES: Final = 40
_SYNTHETIC_SIZE: Final = (640, 192)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of ``clip-depth demo``."""
    from clip_depth_ros.cli.flags import add_setting_flags

    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument('--bag', type=Path, help='recording to play (default: a synthetic drive)')
    parser.add_argument(
        '--frames',
        type=int,
        metavar='N',
        help=f'play the first N images (default: {_SYNTHETIC_FRAMES} of the drive, all of a bag)',
    )
    parser.add_argument(
        '--out', type=Path, default=Path('demo_output'), help='folder (default: %(default)s)'
    )
    parser.add_argument('--hz', type=float, help='images a second (default: as recorded)')
    parser.add_argument('--seed', type=int, default=0, help='of the synthetic drive')
    parser.add_argument('--image', metavar='TOPIC', help='image topic of the bag')
    parser.add_argument('--camera-info', metavar='TOPIC', help='camera_info topic of the bag')
    add_setting_flags(parser)


def run(args: argparse.Namespace) -> int:
    """
    Run the demo; 0 if every image was answered or counted as dropped and the processes ended well.

    Raises
    ------
    ClipDepthError
        If the recording cannot be played or the node does not run; what was wrong and where.

    """
    from clip_depth_ros.cli.demo_run import run_demo
    from clip_depth_ros.cli.demo_summary import gather_facts
    from clip_depth_ros.cli.flags import given_settings
    from clip_depth_ros.config import NodeSettings

    given = given_settings(args)
    weights = {} if _ABOUT_WEIGHTS & given.keys() else UNTRAINED
    parameters = {**weights, **STREET, **given}
    settings = NodeSettings.from_mapping(parameters)
    note = RANDOM_NOTE if settings.pretrained == 'random' and not settings.clip_weights else ''
    if note:
        print(note)
    _clear(args.out, args.bag)
    plan = _plan(args, parameters)
    result = run_demo(plan)
    facts = gather_facts(
        result.recording, plan.image_topic, depth_scale=settings.depth_scale
    )
    return _show(plan, result, facts, note, settings.color_far_m())


def _clear(out_dir: Path, bag: Path | None) -> None:
    """Make the folder, without the results of an earlier run: they must not pass for today's."""
    from clip_depth_ros.errors import ConfigError
    from clip_depth_ros.files import make_folder

    folder = make_folder(out_dir)
    if bag is not None and bag.resolve() in [(folder / name).resolve() for name in _RECORDINGS]:
        raise ConfigError(
            f'{bag} lies where the demo would write its own recording: name another folder with '
            '--out'
        )
    for name in _RESULTS:
        (folder / name).unlink(missing_ok=True)


def _plan(args: argparse.Namespace, parameters: Mapping[str, Any]) -> DemoPlan:
    """Render or pick the recording, and find its camera."""
    from clip_depth_ros.cli.demo_run import DemoPlan, limited, playable_topics
    from clip_depth_ros.data.bags import BagReader
    from clip_depth_ros.errors import ConfigError

    if args.frames is not None and args.frames < 1:
        raise ConfigError(f'--frames must be 1 or more, got {args.frames}')
    if args.hz is not None and not 0 < args.hz < float('inf'):
        raise ConfigError(f'--hz must be a positive number, got {args.hz}')
    bag = args.bag or _render(args)
    with BagReader(bag) as reader:
        image_topic, info_topic = _camera_topics(args, reader.topics)
        n_frames = reader.topics[image_topic].count
        topics = playable_topics(reader.topics)
    if args.frames and args.frames < n_frames:
        bag = limited(bag, image_topic, args.frames, args.out / 'input.mcap')
        n_frames = args.frames
    return DemoPlan(
        bag=bag,
        image_topic=image_topic,
        info_topic=info_topic,
        n_frames=n_frames,
        hz=args.hz,
        parameters=parameters,
        out_dir=args.out,
        topics=topics,
    )


def _render(args: argparse.Namespace) -> Path:
    from clip_depth_ros.data.bag_writer import write_recording
    from clip_depth_ros.data.drive_messages import drive_messages
    from clip_depth_ros.data.world.drive import render_drive
    from tqdm import tqdm

    n_frames = args.frames or _SYNTHETIC_FRAMES
    width, height = _SYNTHETIC_SIZE
    frames = render_drive(args.seed, n_frames, width=width, height=height)
    target: Path = args.out / 'drive.mcap'
    bar = tqdm(frames, desc='rendering', total=n_frames, unit='frame', disable=None)
    write_recording(drive_messages(bar), target, force=True)
    return target


def _camera_topics(args: argparse.Namespace, topics: Mapping[str, Any]) -> tuple[str, str]:
    """Give the image and camera_info topics: the flags', ours, or the only ones there are."""
    from clip_depth_ros.data.topics import CAMERA_INFO, IMAGE

    return (
        _only_topic(topics, 'sensor_msgs/msg/Image', args.image, IMAGE, '--image'),
        _only_topic(
            topics, 'sensor_msgs/msg/CameraInfo', args.camera_info, CAMERA_INFO, '--camera-info'
        ),
    )


def _only_topic(
    topics: Mapping[str, Any], msgtype: str, given: str | None, ours: str, flag: str
) -> str:
    from clip_depth_ros.errors import TopicError

    candidates = [name for name, topic in topics.items() if topic.msgtype == msgtype]
    if not candidates:
        raise TopicError(
            f'the demo needs a {msgtype} topic, and the bag has none; it has {sorted(topics)}'
        )
    chosen = given or (ours if ours in candidates else None)
    if chosen is None and len(candidates) == 1:
        chosen = candidates[0]
    if chosen not in candidates:
        wanted = f'topic {given!r}' if given else f'the one {msgtype} topic'
        raise TopicError(f'{wanted} is not in the bag; it has {candidates}: name one with {flag}')
    return chosen


def _show(
    plan: DemoPlan, result: DemoResult, facts: RecordingFacts, note: str, far_m: float
) -> int:
    """Write the summary, the pictures and the page; print where they are."""
    import json

    from clip_depth_ros.cli.demo_pages import sentence_of, write_pages
    from clip_depth_ros.cli.demo_summary import summary_of
    from clip_depth_ros.files import atomic_write_bytes

    summary = summary_of(plan, result, facts, note)
    text = json.dumps(summary, indent=2) + '\n'
    atomic_write_bytes(plan.out_dir / 'summary.json', text.encode())
    print(sentence_of(summary))
    for problem in summary['problems']:
        print(f'  PROBLEM: {problem}')
    pages = write_pages(plan, summary, far_m)
    for path in [plan.out_dir / 'summary.json', result.recording, *pages]:
        print(f'  {path}')
    return 0 if summary['ok'] else 1
