# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which depth methods a demo runs, each in a node of its own, and what must be said of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from clip_depth_ros.errors import WeightsError
from clip_depth_ros.predictor.build import choose_method
from clip_depth_ros.settings.installation import assets_dir, BUNDLED_CLIP
from clip_depth_ros.settings.node import NodeSettings, OUTPUTS, read_parameters

TITLES: Final[Mapping[str, str]] = {'clip2depth': 'CLIP2Depth', 'depthclip': 'DepthCLIP'}
"""The methods by setting, with the names that people know; first the one that is trained."""

STREET: Final[Mapping[str, Any]] = {'bins': 'outdoor', 'min_depth_m': 1.0, 'max_depth_m': 80.0}
"""What suits a street, whatever the weights."""

BUNDLED_NOTE: Final = (
    'NOTE: the weights that come with the package were trained on synthetic streets, to show both '
    'methods without a download. They are not for real cameras.'
)
RANDOM_NOTE: Final = (
    'NOTE: the depth values mean nothing: this CLIP has random weights. What you see is that '
    'images, stamps, camera_info and clouds flow as they should, not how well depth is seen.'
)
NEXT_STEPS: Final[Mapping[str, str]] = {
    "with a network, OpenAI's CLIP (one download)": 'make demo ARGS="--bag BAG --allow-download"',
    'without one, its file RN50.pt (see Weights in the README)':
        'make demo ARGS="--bag BAG --clip-weights RN50.pt"',
    'CLIP2Depth, trained on depth of your streets or rooms': 'clip-depth train --help',
}
"""How to go on with a real camera: when, and the command."""

_ABOUT_CLIP: Final = frozenset({'backbone', 'pretrained', 'clip_weights', 'allow_download'})


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoMethod:
    """
    A method and the node that runs it.

    Attributes
    ----------
    name : str
        As the setting ``method`` has it; also the namespace of its node.
    parameters : mapping
        Parameters of the node.
    settings : NodeSettings
        What they make, checked.

    """

    name: str
    parameters: Mapping[str, Any]
    settings: NodeSettings

    @property
    def title(self) -> str:
        """Give the name that people know."""
        return TITLES[self.name]

    @property
    def namespace(self) -> str:
        """Give the namespace of the node's topics."""
        return f'/{self.name}'

    @property
    def node_name(self) -> str:
        """Give the full name of the node."""
        return f'{self.namespace}/depth_node'

    def topic(self, output: str) -> str:
        """Give the topic of an output, by its name in ``OUTPUTS``."""
        return f'{self.namespace}/{OUTPUTS[output].topic}'


def output_topics(namespace: str) -> dict[str, str]:
    """Give what a node in a namespace publishes: type by topic."""
    return {f'{namespace}/{output.topic}': output.msgtype for output in OUTPUTS.values()}


def demo_methods(given: Mapping[str, Any]) -> tuple[DemoMethod, ...]:
    """
    Give the methods that the settings allow, the trained one first.

    Parameters
    ----------
    given : mapping
        Settings that the user named; what is about the CLIP replaces the bundled one.

    Raises
    ------
    ConfigError
        If a setting is wrong.
    WeightsError
        If weights that should have come with the package are missing, or CLIP2Depth is asked for
        and there are none.

    """
    parameters = {**(STREET if _ABOUT_CLIP & given.keys() else bundled_parameters()), **given}
    settings = NodeSettings.from_mapping(parameters)
    if settings.method != 'auto':
        names = [settings.method]
    else:
        names = [*TITLES] if settings.means_clip2depth() else ['depthclip']
    return tuple(_method(name, parameters) for name in names)


def bundled_parameters() -> dict[str, Any]:
    """Give the preset of the weights that come with the package, ``config/synthetic.yaml``."""
    return {**STREET, **read_parameters('synthetic')}


def note_of(settings: NodeSettings) -> str:
    """Give what must be said about the weights; empty for those of the user."""
    if settings.uses_bundled():
        return BUNDLED_NOTE
    is_random = settings.pretrained == 'random' and not settings.clip_weights
    return RANDOM_NOTE if is_random else ''


def _method(name: str, parameters: Mapping[str, Any]) -> DemoMethod:
    own = {**parameters, 'method': name}
    settings: NodeSettings = NodeSettings.from_mapping(own)
    # Now rather than after the drive is rendered and the node has loaded torch.
    clip = assets_dir() / BUNDLED_CLIP
    if settings.uses_bundled() and not clip.is_file():
        raise WeightsError(
            f'the bundled CLIP weights {str(clip)!r} are not there: install clip_depth_ros again, '
            'or train them with "make weights" in a checkout'
        )
    choose_method(settings)
    return DemoMethod(name=name, parameters=own, settings=settings)
