# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Make recordings from KITTI folders or a synthetic world, inspect them, and play them."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator
from pathlib import Path
import time
from typing import TYPE_CHECKING

from clip_depth_ros.cli.flags import count_flag, path_flag

if TYPE_CHECKING:  # each verb loads what it needs, so that --help is fast
    from clip_depth_ros.bags.reader import BagReader
    from clip_depth_ros.types import RecordedMessage


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verbs: kitti, synth, info, play."""
    verbs = parser.add_subparsers(dest='verb', required=True, metavar='VERB')
    _add_kitti(verbs)
    _add_synth(verbs)
    _add_info(verbs)
    _add_play(verbs)


def run(args: argparse.Namespace) -> int:
    """Run the verb that was given."""
    return int(args.run_verb(args))


def _add_kitti(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser(
        'kitti',
        help='turn a KITTI raw, object or odometry folder into an MCAP recording',
        description='Turn a KITTI folder into an MCAP recording with image, camera_info, LiDAR '
        'cloud and tf_static. Raw: a drive, a date or their root. Object: the root, training or '
        'testing. Odometry: a sequence or the root.',
    )
    verb.add_argument('folder', type=path_flag, metavar='DIR', help='KITTI folder')
    _add_output(verb, '<name of DIR>.mcap')
    verb.add_argument('--frames', type=count_flag, metavar='N', help='only the first N frames')
    verb.add_argument(
        '--rate',
        type=_positive_float,
        metavar='HZ',
        help='frames per second if there are no timestamps: for object folders (default: 10) and '
        'drives without timestamps.txt (default: refused)',
    )
    verb.set_defaults(run_verb=_run_kitti)


def _add_synth(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser(
        'synth',
        help='render a synthetic drive with ground truth into an MCAP recording',
        description='Render a drive through a made-up street: image, camera_info, true depth and '
        'classes, LiDAR cloud, tf. The same seed gives the same recording.',
    )
    _add_output(verb, 'synthetic_<seed>.mcap')
    verb.add_argument(
        '--frames', type=count_flag, default=100, metavar='N', help='(default: %(default)s)'
    )
    verb.add_argument('--seed', type=int, default=0, metavar='S', help='(default: %(default)s)')
    verb.add_argument(
        '--width', type=count_flag, default=320, metavar='PX', help='(default: %(default)s)'
    )
    verb.add_argument(
        '--height', type=count_flag, default=96, metavar='PX', help='(default: %(default)s)'
    )
    verb.add_argument(
        '--cameras',
        choices=('kitti', 'varied', 'corners'),
        default='kitti',
        help="the camera: KITTI's, or another drawn from the seed, of about width x height pixels "
        'in a shape of its own (default: %(default)s)',
    )
    verb.add_argument(
        '--lens-factor',
        type=_positive_float,
        default=1.0,
        metavar='X',
        help='factor by which the lens is longer (default: %(default)s)',
    )
    verb.add_argument(
        '--rate', type=_positive_float, default=10.0, metavar='HZ', help='(default: %(default)s)'
    )
    verb.set_defaults(run_verb=_run_synth)


def _add_info(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser('info', help='list what a recording contains')
    verb.add_argument(
        'bag', type=path_flag, metavar='BAG', help='.bag, .mcap, .db3 or rosbag2 folder'
    )
    verb.set_defaults(run_verb=_run_info)


def _add_play(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser(
        'play',
        help='publish a recording (needs rclpy)',
        description='Publish a recording of any kind through rclpy. Topics whose message type is '
        'not installed are skipped with a warning. Ctrl-C stops.',
    )
    verb.add_argument(
        'bag', type=path_flag, metavar='BAG', help='.bag, .mcap, .db3 or rosbag2 folder'
    )
    pace = verb.add_mutually_exclusive_group()
    pace.add_argument(
        '--rate', type=_positive_float, default=1.0, help='speed factor (default: %(default)s)'
    )
    pace.add_argument(
        '--hz', type=_positive_float,
        help='play this many images per second, whatever the recorded rate',
    )
    verb.add_argument('--loop', action='store_true', help='start again at the end')
    verb.add_argument(
        '--clock', action='store_true', help='publish /clock, for nodes with use_sim_time'
    )
    verb.add_argument(
        '--topics', nargs='+', metavar='TOPIC', help='only these topics (default: all)'
    )
    verb.add_argument(
        '--remap', nargs='+', type=_remap, default=[], metavar='FROM:=TO', help='rename topics'
    )
    verb.add_argument(
        '--wait-for',
        nargs='+',
        default=[],
        metavar='TOPIC',
        help='start when somebody subscribes to these topics (names after remapping); a topic '
        'named twice waits for two',
    )
    verb.add_argument(
        '--wait-timeout',
        type=_positive_float,
        default=10.0,
        metavar='S',
        help='how long to wait for subscribers, seconds (default: %(default)s)',
    )
    verb.set_defaults(run_verb=_run_play)


def _add_output(verb: argparse.ArgumentParser, default: str) -> None:
    verb.add_argument(
        '--out',
        type=path_flag,
        metavar='BAG',
        help='NAME.mcap for one file, any other name for a rosbag2 folder '
        f'(default: {default} in the current folder)',
    )
    verb.add_argument('--force', action='store_true', help='replace a recording that is there')


def _positive_float(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float('nan')
    if not 0 < number < float('inf'):
        raise argparse.ArgumentTypeError(f'should be a number above 0, got {text!r}')
    return number


def _remap(text: str) -> tuple[str, str]:
    old, separator, new = text.partition(':=')
    if not (old and separator and new):
        raise argparse.ArgumentTypeError(f'should read FROM:=TO, got {text!r}')
    return old, new


def _run_kitti(args: argparse.Namespace) -> int:
    from clip_depth_ros.bags.writer import write_recording
    from clip_depth_ros.sources.as_messages import kitti_messages
    from clip_depth_ros.sources.kitti_files import find_kitti_frames
    from tqdm import tqdm

    frames = find_kitti_frames(
        args.folder, rate_hz=args.rate or 10.0, drive_rate_hz=args.rate or 0.0
    )[: args.frames]
    out = args.out or Path(f'{args.folder.resolve().name}.mcap')
    messages = kitti_messages(tqdm(frames, unit='frame', disable=None))
    write_recording(messages, out, force=args.force)
    n_without_scan = sum(frame.scan_path is None for frame in frames)
    without = f', {n_without_scan} of them without a LiDAR scan' if n_without_scan else ''
    print(f'{out}: {len(frames)} frames{without}')
    return 0


def _run_synth(args: argparse.Namespace) -> int:
    from clip_depth_ros.bags.writer import write_recording
    from clip_depth_ros.sources.as_messages import drive_messages
    from clip_depth_ros.world.drive import Drive
    from clip_depth_ros.world.rig import rig_of
    from tqdm import tqdm

    out = args.out or Path(f'synthetic_{args.seed}.mcap')
    rig = rig_of(args.cameras, args.seed, args.width, args.height).with_lens(args.lens_factor)
    drive = Drive(args.seed, rig=rig, rate_hz=args.rate)
    bar = tqdm(drive.frames(args.frames), total=args.frames, unit='frame', disable=None)
    write_recording(drive_messages(bar), out, force=args.force)
    print(f'{out}: {args.frames} frames, seed {args.seed}')
    return 0


def _run_info(args: argparse.Namespace) -> int:
    from clip_depth_ros.bags.reader import BagReader

    with BagReader(args.bag) as bag:
        for line in _info_lines(bag):
            print(line)
    return 0


def _info_lines(bag: BagReader) -> Iterator[str]:
    from clip_depth_ros.core.plain_text import printable

    yield f'recording  {bag.path}'
    span_ns = bag.time_span_ns
    if span_ns is not None:
        yield f'start      {_utc(span_ns[0])}'
        yield f'duration   {(span_ns[1] - span_ns[0]) / 1e9:.3f} s'
    topics = list(bag.topics.values())
    yield f'messages   {sum(topic.count for topic in topics)}'
    names = [printable(topic.name, in_one_line=True) for topic in topics]
    types = [printable(', '.join(topic.msgtypes), in_one_line=True) for topic in topics]
    name_width, type_width = (max(map(len, texts), default=0) for texts in (names, types))
    for topic, name, msgtype in zip(topics, names, types, strict=True):
        latched = '  latched' if topic.latched else ''
        yield f'{topic.count:9d}  {name:{name_width}}  {msgtype:{type_width}}{latched}'


def _utc(time_ns: int) -> str:
    # Whole seconds and the rest apart: float seconds cannot hold nanoseconds.
    seconds, nanoseconds = divmod(time_ns, 10**9)
    try:
        moment = time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(seconds))
    except (OverflowError, OSError, ValueError):  # damaged times
        return f'{time_ns} ns'
    return f'{moment}.{nanoseconds:09d} UTC'


def _run_play(args: argparse.Namespace) -> int:
    from clip_depth_ros.bags.reader import BagReader
    from clip_depth_ros.ros.environment import use_shipped_dds_profile

    use_shipped_dds_profile()
    with BagReader(args.bag) as bag:
        counts = _play(bag, args)
    for topic, count in sorted(counts.items()):
        print(f'{count:9d}  {topic}')
    return 0


def _play(bag: BagReader, args: argparse.Namespace) -> dict[str, int]:
    from clip_depth_ros.ros.player import play, PlayOptions
    from tqdm import tqdm

    names = list(bag.topics) if args.topics is None else args.topics
    bag.messages(names)  # refuses an unknown topic before anything starts
    chosen = {name: bag.topics[name] for name in names}
    options = PlayOptions(
        rate=args.rate,
        hz=args.hz,
        loop=args.loop,
        clock=args.clock,
        remaps=dict(args.remap),
        latched={'/tf_static', *(name for name, topic in chosen.items() if topic.latched)},
        wait_for=args.wait_for,
        wait_timeout_s=args.wait_timeout,
    )
    total = None if args.loop else sum(topic.count for topic in chosen.values())
    with tqdm(total=total, unit='message', disable=None) as bar:
        return play(
            _BagMessages(bag, names),
            {name: topic.msgtype for name, topic in chosen.items()},
            options,
            on_published=lambda _: bar.update(),
        )


class _BagMessages:
    """The messages of an open recording, to be gone through any number of times."""

    def __init__(self, bag: BagReader, topics: Collection[str]) -> None:
        self._bag = bag
        self._topics = topics

    def __iter__(self) -> Iterator[RecordedMessage]:
        return self._bag.messages(self._topics)
