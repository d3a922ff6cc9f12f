# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Publish a webcam, a video or a stream in ROS, with its depth, without a camera driver.

Reads images with OpenCV, publishes Image and camera_info as a driver would, and starts a depth
node, which publishes depth/image_rect, depth/points and the rest for RViz, Nav2 or your own
nodes. --view shows image and depth in a window, or writes about one picture per second if there
is no display. Ctrl-C ends everything.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
import contextlib
from pathlib import Path
from typing import Any, Final, TYPE_CHECKING

from clip_depth_ros.cli.flags import (
    add_preset_flag,
    add_setting_flags,
    count_flag,
    path_flag,
    predictor_settings,
)
from clip_depth_ros.cli.image_camera import add_lens_flags
from clip_depth_ros.errors import ConfigError
from clip_depth_ros.settings.pictures import PictureSettings

if TYPE_CHECKING:
    from clip_depth_ros.core.camera import Calibration
    from clip_depth_ros.core.image_plan import Size
    from clip_depth_ros.demo.processes import LoggedProcess
    from clip_depth_ros.ros.live import LiveCamera, LiveTopics
    from clip_depth_ros.settings.node import NodeSettings
    from clip_depth_ros.types import Rgb

_OWN_FLAG: Final = 'device'
"""Of the camera here; where to compute is said by a preset."""

_USUAL_HZ: Final = 30.0
"""Of videos that do not say it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what ``clip-depth live`` takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument('--device', dest='webcam', type=_webcam, metavar='N', help='webcam number')
    source.add_argument('--video', type=path_flag, metavar='FILE', help='video file')
    source.add_argument('--rtsp', type=_url, metavar='URL', help='stream (rtsp://, http://, ...)')
    add_lens_flags(
        parser, 'horizontal field of view of the camera, degrees; with neither flag, no '
        'camera_info is published, a field of view is assumed, and there is no cloud',
    )
    parser.add_argument(
        '--hz', type=_hz, help='images per second of a video (default: its own rate)'
    )
    parser.add_argument('--loop', action='store_true', help='repeat a video endlessly')
    parser.add_argument('--frames', type=count_flag, metavar='N', help='end after N images')
    parser.add_argument(
        '--view', action='store_true',
        help='show image and depth in a window, or write pictures to --out without a display',
    )
    parser.add_argument(
        '--no-depth', action='store_true', help='publish only the camera, without a depth node'
    )
    parser.add_argument(
        '--out', type=path_flag, default=Path('live_output'), metavar='DIR',
        help="folder for pictures and the node's log (default: %(default)s)",
    )
    parser.add_argument('--force', action='store_true', help='overwrite pictures that are there')
    topics = parser.add_argument_group('topics')
    for flag, default in (
        ('--image-topic', '/camera/image_raw'), ('--camera-info-topic', '/camera/camera_info'),
        ('--frame-id', 'camera_optical_frame'),
    ):
        topics.add_argument(flag, default=default, help='(default: %(default)s)')
    add_preset_flag(parser)
    names = [name for name in PictureSettings.model_fields if name != _OWN_FLAG]
    add_setting_flags(parser, names, settings=PictureSettings)


def run(args: argparse.Namespace) -> int:
    """
    Publish until the frames end, Ctrl-C, or the window is closed.

    Raises
    ------
    ClipDepthError
        If there is no such camera, video or stream, its calibration does not fit, or the depth
        node does not start.

    """
    from clip_depth_ros.ros.environment import let_threads_sleep, use_shipped_dds_profile
    from clip_depth_ros.settings.node import NodeSettings

    if args.no_depth and args.view:
        raise ConfigError('--view shows depth, and --no-depth asks for none: leave one out')
    if args.video is None and (args.hz or args.loop):
        raise ConfigError('--hz and --loop are for --video: a camera gives images as it does')
    settings = predictor_settings(args, args.preset, NodeSettings, is_asked=not args.no_depth)
    settings.refuse('cameras', because='clip-depth live is one camera, without a name')
    use_shipped_dds_profile()
    let_threads_sleep()
    with _opened(args) as video:
        calibration = _calibration(args, video.size)
        _say_camera(args, calibration)
        hz = (args.hz or video.hz or _USUAL_HZ) if args.video else None
        known = [n for n in (args.frames, 0 if args.loop else video.n_frames) if n]
        n_frames = min(known, default=0)
        return _publish(args, settings, calibration, _frames(args, video), hz, n_frames)


def _publish(
    args: argparse.Namespace,
    settings: NodeSettings,
    calibration: Calibration | None,
    frames: Iterator[Rgb],
    hz: float | None,
    n_frames: int,
) -> int:
    from itertools import islice

    from clip_depth_ros.cli.progress import progress
    from clip_depth_ros.ros.live import LiveCamera, LiveTopics

    topics = LiveTopics(
        image=args.image_topic, camera_info=args.camera_info_topic, frame_id=args.frame_id
    )
    view = _view(args, settings) if args.view else None
    with contextlib.ExitStack() as stack:
        camera = stack.enter_context(LiveCamera(topics, calibration, view and view.show))
        node = None if args.no_depth else _start_node(stack, args, settings, topics, camera)
        bar = stack.enter_context(progress('live', total=n_frames, unit='image'))
        with contextlib.suppress(KeyboardInterrupt):
            for counts in camera.publish(islice(frames, args.frames), hz):
                bar.set_postfix({'shown': str(counts.answered)} if view else {})
                bar.update()
                if node is not None:
                    node.check_alive()
            camera.wait_for_last_depth()
    counts = camera.counts
    shown = f', {counts.answered} came back with depth' if view else ''
    print(f'{counts.published} images published on {topics.image}{shown}')
    if paths := getattr(view, 'paths', []):
        print(f'the last of {len(paths)} pictures: {paths[-1]}')
    return 0


def _start_node(
    stack: contextlib.ExitStack,
    args: argparse.Namespace,
    settings: NodeSettings,
    topics: LiveTopics,
    camera: LiveCamera,
) -> LoggedProcess:
    """Start the depth node, wait until it listens, and say where its depth is."""
    import os
    import tempfile

    from clip_depth_ros.core.files import make_folder
    from clip_depth_ros.demo.processes import LoggedProcess, safe_path_environ
    from clip_depth_ros.settings.node import parameters_yaml

    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix='clip_depth_live_')))
    parameters = folder / 'depth_node.yaml'
    parameters.write_text(
        parameters_yaml(settings.model_dump(exclude_unset=True)), encoding='utf-8'
    )
    command = [
        'clip_depth_ros.ros.depth_node', '--ros-args',
        '-r', f'image:={topics.image}', '-r', f'camera_info:={topics.camera_info}',
        '--params-file', str(parameters),
    ]
    log = make_folder(args.out) / 'depth_node.log'
    environ = safe_path_environ(os.environ)
    node = stack.enter_context(LoggedProcess('the depth node', command, log, environ))
    camera.wait_for_node(node.check_alive)
    points = ', points on /depth/points' if args.camera_info or args.hfov_deg else ''
    print(f'depth on {topics.depth}{points} (log: {log}); Ctrl-C ends')
    return node


def _view(args: argparse.Namespace, settings: NodeSettings) -> Any:
    """Return a window, or what writes files where there can be none."""
    from clip_depth_ros.core.files import check_free, make_folder
    from clip_depth_ros.ros.view import FileView, view_file, why_no_window, WindowView

    colors = settings.colors()
    reason = why_no_window()
    if not reason:
        return WindowView(colors)
    folder = make_folder(args.out)
    check_free([view_file(folder, 0)], force=args.force)
    for path in folder.glob(view_file(folder, 0).name.replace('000000', '*')):
        path.unlink()
    print(f'no window, {reason}: pictures go to {folder}, one a second')
    return FileView(folder, colors)


def _opened(args: argparse.Namespace) -> Any:
    from clip_depth_ros.sources.video import VideoReader

    source = next(each for each in (args.webcam, args.video, args.rtsp) if each is not None)
    return VideoReader(source)


def _frames(args: argparse.Namespace, video: Any) -> Iterator[Rgb]:
    yield from video
    while args.loop:
        with _opened(args) as again:
            yield from again


def _calibration(args: argparse.Namespace, size: Size) -> Calibration | None:
    """Return what is published as camera_info; CalibrationError if it is for other images."""
    from clip_depth_ros.core.camera import Calibration
    from clip_depth_ros.sources.camera_files import read_camera_info
    from clip_depth_ros.types import Intrinsics

    if args.camera_info is not None:
        calibration = read_camera_info(args.camera_info)
        calibration.camera('auto', size.width, size.height)
        return calibration
    if args.hfov_deg is not None:
        return Calibration.pinhole(Intrinsics.of_hfov(args.hfov_deg, size.width, size.height))
    return None


def _say_camera(args: argparse.Namespace, calibration: Calibration | None) -> None:
    if calibration is None:
        print(
            'camera: not known, so metres go by an assumed field of view and there is no cloud: '
            'name it with --camera-info FILE or --hfov-deg DEG'
        )
    else:
        said = args.camera_info or f'{args.hfov_deg:g} degrees across'
        print(f'camera: {said}, on {args.camera_info_topic}')


def _webcam(text: str) -> int:
    from clip_depth_ros.sources.video import MAX_WEBCAM

    if not text.isdecimal() or int(text) > MAX_WEBCAM:
        raise argparse.ArgumentTypeError(
            f'should be the number of a webcam, from 0 to {MAX_WEBCAM}, got {text!r} (where to '
            'compute is said by device in a preset)'
        )
    return int(text)


def _url(text: str) -> str:
    if '://' not in text:
        raise argparse.ArgumentTypeError(f'should be a URL such as rtsp://HOST/PATH, got {text!r}')
    return text


def _hz(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= 1000:
        raise argparse.ArgumentTypeError(f'should be above 0 and at most 1000, got {text!r}')
    return number
