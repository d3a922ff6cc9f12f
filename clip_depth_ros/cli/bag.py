# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Make recordings from KITTI folders or from a synthetic world, look into them, play them."""

from __future__ import annotations

import argparse
from pathlib import Path


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
        help='turn a KITTI raw or object folder into an MCAP recording',
        description='Turn a KITTI folder into an MCAP recording with image, camera_info, LiDAR '
        'cloud and tf_static. Raw: a drive, a date or their root. Object: the root, training or '
        'testing.',
    )
    verb.add_argument('folder', type=Path, metavar='DIR', help='KITTI folder')
    _add_output(verb, '<name of DIR>.mcap')
    verb.add_argument('--frames', type=_positive_int, metavar='N', help='only the first N frames')
    verb.add_argument(
        '--rate',
        type=_positive_float,
        default=10.0,
        metavar='HZ',
        help='frames per second of object folders, which have no stamps (default: %(default)s)',
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
        '--frames', type=_positive_int, default=100, metavar='N', help='(default: %(default)s)'
    )
    verb.add_argument('--seed', type=int, default=0, metavar='S', help='(default: %(default)s)')
    verb.add_argument(
        '--width', type=_positive_int, default=320, metavar='PX', help='(default: %(default)s)'
    )
    verb.add_argument(
        '--height', type=_positive_int, default=96, metavar='PX', help='(default: %(default)s)'
    )
    verb.add_argument(
        '--rate', type=_positive_float, default=10.0, metavar='HZ', help='(default: %(default)s)'
    )
    verb.set_defaults(run_verb=_run_synth)


def _add_info(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser('info', help='list what a recording holds')
    verb.add_argument('bag', type=Path, metavar='BAG', help='.bag, .mcap, .db3 or rosbag2 folder')
    verb.set_defaults(run_verb=_run_info)


def _add_play(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser(
        'play',
        help='publish a recording (needs rclpy)',
        description='Publish a recording of any kind through rclpy. Topics whose message type is '
        'not installed are left out with a warning. Ctrl-C stops.',
    )
    verb.add_argument('bag', type=Path, metavar='BAG', help='.bag, .mcap, .db3 or rosbag2 folder')
    pace = verb.add_mutually_exclusive_group()
    pace.add_argument(
        '--rate', type=_positive_float, default=1.0, help='speed factor (default: %(default)s)'
    )
    pace.add_argument(
        '--hz', type=_positive_float, help='instead: images per second, whatever was recorded'
    )
    verb.add_argument('--loop', action='store_true', help='start again at the end')
    verb.add_argument(
        '--clock', action='store_true', help='publish /clock, for nodes with use_sim_time'
    )
    verb.add_argument(
        '--topics', nargs='+', metavar='TOPIC', help='only these topics (default: all)'
    )
    verb.add_argument(
        '--remap', nargs='+', type=_remap, default=[], metavar='FROM:=TO', help='other names'
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
        type=Path,
        metavar='BAG',
        help='NAME.mcap for one file, any other name for a rosbag2 folder '
        f'(default: {default} in the current folder)',
    )
    verb.add_argument('--force', action='store_true', help='replace a recording that is there')


def _positive_int(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f'should be a whole number above 0, got {text!r}')
    return int(text)


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
    from clip_depth_ros.cli.bag_make import make_from_kitti

    return make_from_kitti(args)


def _run_synth(args: argparse.Namespace) -> int:
    from clip_depth_ros.cli.bag_make import make_synthetic

    return make_synthetic(args)


def _run_info(args: argparse.Namespace) -> int:
    from clip_depth_ros.cli.bag_info import print_info

    return print_info(args)


def _run_play(args: argparse.Namespace) -> int:
    from clip_depth_ros.cli.bag_play import play_bag

    return play_bag(args)
