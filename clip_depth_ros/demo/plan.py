# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a demo plays, and to which methods: each runs in a node of its own."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
import re
from typing import Any, Final

from clip_depth_ros.bags.choice import choose_topics
from clip_depth_ros.bags.message_types import COMPRESSED_IMAGE_TYPE
from clip_depth_ros.bags.reader import BagReader, BagTopic
from clip_depth_ros.bags.topics import BagTopics, TOPIC_SETTINGS, with_topic_set
from clip_depth_ros.bags.writer import BagWriter, write_recording
from clip_depth_ros.demo import SYNTHETIC_FRAMES, SYNTHETIC_HZ
from clip_depth_ros.errors import ConfigError, WeightsError
from clip_depth_ros.predictor.choice import choose_method
from clip_depth_ros.settings.installation import (
    assets_dir,
    BUNDLED_CLIP,
    BUNDLED_PRESET,
    BUNDLED_WORTH,
)
from clip_depth_ros.settings.node import DIAGNOSTICS, NodeSettings, OUTPUTS, read_preset
from clip_depth_ros.sources.as_messages import drive_messages
from clip_depth_ros.world.drive import Drive
from tqdm import tqdm

TITLES: Final[Mapping[str, str]] = {'clip2depth': 'CLIP2Depth', 'depthclip': 'DepthCLIP'}
"""Names of the methods, as people know them, by setting; the trained one first."""

STREET: Final[Mapping[str, Any]] = {'bins': 'outdoor', 'min_depth_m': 1.0, 'max_depth_m': 80.0}
"""Settings that suit a street, whatever the weights."""

BUNDLED_NOTE: Final = (
    'NOTE: these are the weights that come with the package, to show both methods without a '
    f'download: {BUNDLED_WORTH}.'
)
RANDOM_NOTE: Final = (
    'NOTE: the depth values mean nothing: this CLIP has random weights. What you see is that '
    'images, stamps, camera_info and clouds flow as they should, not how well depth is seen.'
)
NEXT_STEPS: Final[Mapping[str, str]] = {
    "with a network, OpenAI's CLIP (one download)": 'clip-depth demo --bag BAG --allow-download',
    'without one, its file RN50.pt (the README says where from)':
        'clip-depth demo --bag BAG --clip-weights RN50.pt',
    'CLIP2Depth, trained on depth of your streets or rooms': 'clip-depth train --help',
}
"""How to go on with a real camera: the command by occasion."""

_ABOUT_CLIP: Final = frozenset({'backbone', 'pretrained', 'clip_weights', 'allow_download'})
_ROS_NAME: Final = re.compile(r'(/[A-Za-z_][A-Za-z0-9_]*)+')
_SYNTHETIC_SIZE: Final = (640, 192)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoMethod:
    """
    A method and the node that runs it.

    ``name`` is the value of the setting ``method`` and the namespace of the node; ``settings`` are
    the node's parameters, checked.
    """

    name: str
    parameters: Mapping[str, Any]
    settings: NodeSettings

    @property
    def title(self) -> str:
        """Return the name that people know."""
        return TITLES[self.name]

    @property
    def namespace(self) -> str:
        """Return the namespace of the node's topics."""
        return f'/{self.name}'

    @property
    def node_name(self) -> str:
        """Return the full name of the node."""
        return f'{self.namespace}/depth_node'

    def topic(self, output: str) -> str:
        """Return the topic of an output, by its name in ``OUTPUTS``."""
        return f'{self.namespace}/{OUTPUTS[output].topic}'


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPlan:
    """
    What to play, to which methods, and where the results go.

    Attributes
    ----------
    bag : Path
        Recording to play.
    source : str
        What that is, in words.
    image_topic, info_topic : str
        The camera in it; no camera_info where there is none.
    truth : mapping of str to str
        What is known of its depth: a topic, by the setting that names it; empty if nothing is.
    n_frames : int
        The number of images in it.
    hz : float, optional
        Images per second; None plays at the recorded pace.
    methods : tuple of DemoMethod
        Each gets a node.
    out_dir : Path
        Folder for ``depth.mcap`` and the logs.
    topics : mapping of str to str
        Type by topic, of the topics that are played.

    """

    bag: Path
    source: str
    image_topic: str
    info_topic: str
    truth: Mapping[str, str]
    n_frames: int
    hz: float | None
    methods: tuple[DemoMethod, ...]
    out_dir: Path
    topics: Mapping[str, str]

    @property
    def recording(self) -> Path:
        """Return the recording of inputs and outputs."""
        return self.out_dir / 'depth.mcap'

    @property
    def camera_topics(self) -> tuple[str, ...]:
        """Return what the nodes listen to."""
        return tuple(topic for topic in (self.image_topic, self.info_topic) if topic)

    @property
    def n_listeners(self) -> int:
        """Return how many listen to the camera: the nodes and the recorder."""
        return len(self.methods) + 1


def output_topics(namespace: str) -> dict[str, str]:
    """Return the types of what a node in a namespace publishes, by topic."""
    return {f'{namespace}/{output.topic}': output.msgtype for output in OUTPUTS.values()}


def demo_methods(given: Mapping[str, Any], preset: str | None = None) -> tuple[DemoMethod, ...]:
    """
    Return the methods that the settings allow, the trained one first.

    Parameters
    ----------
    given : mapping
        Settings that the user named; with one about the CLIP, the bundled weights are not used.
    preset : str, optional
        Name or path of settings in place of those that suit a street.

    Raises
    ------
    ConfigError
        If a setting is wrong, or there is no such preset.
    WeightsError
        If weights that come with the package are missing, or CLIP2Depth is asked for and there
        are no weights for it.

    """
    own = STREET if _ABOUT_CLIP & given.keys() else bundled_parameters()
    parameters = {**(read_preset(preset) if preset else own), **given}
    settings = NodeSettings.from_mapping(parameters)
    settings.refuse('cameras', because='a demo has one camera, without a name')
    if settings.method != 'auto':
        names = [settings.method]
    else:
        names = [*TITLES] if settings.means_clip2depth() else ['depthclip']
    return tuple(_method(name, parameters) for name in names)


def bundled_parameters() -> dict[str, Any]:
    """Return the preset of the weights that come with the package, ``config/synthetic.yaml``."""
    return {**STREET, **read_preset(BUNDLED_PRESET)}


def note_of(settings: NodeSettings) -> str:
    """Return what must be said about the weights; nothing about those of the user."""
    if settings.uses_bundled():
        return BUNDLED_NOTE
    is_random = settings.pretrained == 'random' and not settings.clip_weights
    return RANDOM_NOTE if is_random else ''


def make_plan(args: argparse.Namespace, methods: tuple[DemoMethod, ...]) -> DemoPlan:
    """
    Render or pick the recording that the flags ask for, and find its camera.

    Raises
    ------
    ConfigError
        If a flag is wrong.
    ClipDepthError
        If the recording cannot be read, or has no camera or several.

    """
    if args.frames is not None and args.frames < 1:
        raise ConfigError(f'--frames must be 1 or more, got {args.frames}')
    if args.hz is not None and not 0 < args.hz < float('inf'):
        raise ConfigError(f'--hz must be a positive number, got {args.hz}')
    bag = args.bag or _render(args)
    with BagReader(bag) as reader:
        topics = _playable_topics(reader.topics)
        used = _used_topics(reader, args, ignored=reader.topics.keys() - topics.keys())
        n_frames = reader.topics[used.image].count
    if topics[used.image] == COMPRESSED_IMAGE_TYPE:
        methods = tuple(_listening_to_compressed(method) for method in methods)
    if args.frames and args.frames < n_frames:
        bag = _limited(bag, used.image, args.frames, args.out / 'input.mcap')
        n_frames = args.frames
    return DemoPlan(
        bag=bag,
        source=f'recording {args.bag.name}' if args.bag else f'synthetic drive seed {args.seed}',
        image_topic=used.image,
        info_topic=used.camera_info,
        truth=_truth(used),
        n_frames=n_frames,
        hz=args.hz or (None if args.bag else SYNTHETIC_HZ),
        methods=methods,
        out_dir=args.out,
        topics=topics,
    )


def _playable_topics(topics: Mapping[str, BagTopic]) -> dict[str, str]:
    """
    Return the topics of a recording to play, with their types.

    Transforms are left out, names that are none in ROS 2 (realsense-viewer's), and what a depth
    node published when it was recorded: that would mix with the answers of this run.
    """
    namespaces = ['', *(f'/{name}' for name in TITLES)]
    answers = {topic for namespace in namespaces for topic in output_topics(namespace)}
    return {
        name: topic.msgtype
        for name, topic in topics.items()
        if not topic.msgtype.startswith('tf2_msgs/')
        and name not in {*answers, DIAGNOSTICS}
        and _ROS_NAME.fullmatch(name)
    }


def _limited(bag: Path, image_topic: str, n_frames: int, target: Path) -> Path:
    """Return a copy of a recording that ends before image ``n_frames + 1``."""
    with BagReader(bag) as reader, BagWriter(target, force=True) as writer:
        n_images = 0
        for message in reader.messages():
            n_images += message.topic == image_topic
            if n_images > n_frames:
                break
            writer.write(message)
    return target


def _method(name: str, parameters: Mapping[str, Any]) -> DemoMethod:
    own = {**parameters, 'method': name}
    settings: NodeSettings = NodeSettings.from_mapping(own)
    # Checked now, before the drive is rendered and the node has loaded torch.
    clip = assets_dir() / BUNDLED_CLIP
    if settings.uses_bundled() and not clip.is_file():
        raise WeightsError(
            f'the bundled CLIP weights {str(clip)!r} are not there: install clip_depth_ros again, '
            'or train them with "make weights" in a checkout'
        )
    choose_method(settings)
    return DemoMethod(name=name, parameters=own, settings=settings)


def _render(args: argparse.Namespace) -> Path:
    n_frames = args.frames or SYNTHETIC_FRAMES
    width, height = _SYNTHETIC_SIZE
    frames = Drive(args.seed, width=width, height=height).frames(n_frames)
    target: Path = args.out / 'drive.mcap'
    bar = tqdm(frames, desc='rendering', total=n_frames, unit='frame', disable=None)
    write_recording(drive_messages(bar), target, force=True)
    return target


def _used_topics(
    bag: BagReader, args: argparse.Namespace, *, ignored: Collection[str]
) -> BagTopics:
    """Return camera and truth as an evaluation would choose them, if there is any truth."""
    named = {name: topic for name, topic in vars(args).items() if name in TOPIC_SETTINGS}
    return choose_topics(
        bag, **with_topic_set(bag, 'auto', named), ignored=ignored, depth='if there',
        image_may_be_depth=False,
    )


def _truth(used: BagTopics) -> dict[str, str]:
    """Return the topic of the true depth, by the setting that names it."""
    if not used.depth:
        return {}
    return {'lidar_topic' if used.is_lidar else 'depth_topic': used.depth}


def _listening_to_compressed(method: DemoMethod) -> DemoMethod:
    return _method(method.name, {**method.parameters, 'image_transport': 'compressed'})
