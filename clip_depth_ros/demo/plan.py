# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a demo plays, to whom, and where the result is."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from clip_depth_ros.bags.reader import BagReader, BagTopic
from clip_depth_ros.bags.topics import CAMERA_INFO, IMAGE
from clip_depth_ros.bags.writer import BagWriter, write_recording
from clip_depth_ros.demo.methods import DemoMethod, output_topics, TITLES
from clip_depth_ros.errors import ConfigError, TopicError
from clip_depth_ros.settings.demo import SYNTHETIC_FRAMES, SYNTHETIC_HZ
from clip_depth_ros.settings.node import DIAGNOSTICS
from clip_depth_ros.sources.as_messages import drive_messages
from clip_depth_ros.world.drive import render_drive
from tqdm import tqdm

_SYNTHETIC_SIZE: Final = (640, 192)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPlan:
    """
    What to play, to whom, and where to.

    Attributes
    ----------
    bag : Path
        Recording to play.
    source : str
        What it is, for people.
    image_topic, info_topic : str
        Its camera.
    n_frames : int
        Images in it.
    hz : float, optional
        Images per second; None plays as recorded.
    methods : tuple of DemoMethod
        Each gets a node.
    out_dir : Path
        Folder for ``depth.mcap`` and the logs.
    topics : mapping of str to str
        Type by topic of what is played.

    """

    bag: Path
    source: str
    image_topic: str
    info_topic: str
    n_frames: int
    hz: float | None
    methods: tuple[DemoMethod, ...]
    out_dir: Path
    topics: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DemoResult:
    """
    What became of a plan.

    Attributes
    ----------
    recording : Path
        Inputs and outputs.
    exit_codes : mapping of str to int
        How the processes ended, by name.

    """

    recording: Path
    exit_codes: Mapping[str, int]


def make_plan(args: argparse.Namespace, methods: tuple[DemoMethod, ...]) -> DemoPlan:
    """
    Render or pick the recording, and find its camera.

    Parameters
    ----------
    args : argparse.Namespace
        The flags of ``clip-depth demo``.
    methods : tuple of DemoMethod
        What to run.

    Raises
    ------
    ConfigError
        If a flag is wrong.
    ClipDepthError
        If the recording cannot be read or has no camera.

    """
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
        source=f'recording {args.bag.name}' if args.bag else f'synthetic drive seed {args.seed}',
        image_topic=image_topic,
        info_topic=info_topic,
        n_frames=n_frames,
        hz=args.hz or (None if args.bag else SYNTHETIC_HZ),
        methods=methods,
        out_dir=args.out,
        topics=topics,
    )


def playable_topics(topics: Mapping[str, BagTopic]) -> dict[str, str]:
    """
    Give the topics of a recording to play, with their types.

    Transforms are left out, and what a depth node has published before: it would mix with the
    answers of this run.
    """
    namespaces = ['', *(f'/{name}' for name in TITLES)]
    answers = {topic for namespace in namespaces for topic in output_topics(namespace)}
    return {
        name: topic.msgtype
        for name, topic in topics.items()
        if not topic.msgtype.startswith('tf2_msgs/') and name not in {*answers, DIAGNOSTICS}
    }


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


def _render(args: argparse.Namespace) -> Path:
    n_frames = args.frames or SYNTHETIC_FRAMES
    width, height = _SYNTHETIC_SIZE
    frames = render_drive(args.seed, n_frames, width=width, height=height)
    target: Path = args.out / 'drive.mcap'
    bar = tqdm(frames, desc='rendering', total=n_frames, unit='frame', disable=None)
    write_recording(drive_messages(bar), target, force=True)
    return target


def _camera_topics(args: argparse.Namespace, topics: Mapping[str, Any]) -> tuple[str, str]:
    """Give the image and camera_info topics: the flags', ours, or the only ones there are."""
    return (
        _only_topic(topics, 'sensor_msgs/msg/Image', args.image, IMAGE, '--image'),
        _only_topic(
            topics, 'sensor_msgs/msg/CameraInfo', args.camera_info, CAMERA_INFO, '--camera-info'
        ),
    )


def _only_topic(
    topics: Mapping[str, Any], msgtype: str, given: str | None, ours: str, flag: str
) -> str:
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
