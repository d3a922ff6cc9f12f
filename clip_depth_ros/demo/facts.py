# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a recording of inputs and outputs shows about the nodes: counted, not assumed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.core.clouds import points_of
from clip_depth_ros.core.images import size_of
from clip_depth_ros.core.stamps import stamp_ns_of
from clip_depth_ros.demo.plan import DemoPlan
from clip_depth_ros.settings.node import DIAGNOSTICS, OUTPUTS
from clip_depth_ros.types import RecordedMessage
import numpy as np

FILM_FRAMES: Final = 30
"""Images of the animated picture: three seconds of most recordings."""

_ALWAYS: Final = ('depth', 'color')
"""Outputs of every image; the others need its camera."""


@dataclass
class MethodFacts:
    """
    What was found in the recording of one node.

    Attributes
    ----------
    stamps : dict of str to list of int
        Header stamps of each output, by its name in ``OUTPUTS``, nanoseconds, as they arrived.
    latencies_ms : list of float
        From an image's arrival at the recorder to the arrival of its depth there.
    max_reprojection_error_px : float
        Largest distance between a cloud point's projection and its own pixel; NaN without clouds.
    mismatched : list of str
        Depth images whose frame or size is not that of the camera image, in words.
    diagnostics : dict of str to str
        The last diagnostics of the node.

    """

    stamps: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    latencies_ms: list[float] = field(default_factory=list)
    max_reprojection_error_px: float = float('nan')
    mismatched: list[str] = field(default_factory=list)
    diagnostics: dict[str, str] = field(default_factory=dict)
    _pairs: dict[int, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))

    def add(
        self,
        output: str,
        recorded: RecordedMessage,
        message: Any,
        arrival: tuple[int, Any] | None,
    ) -> None:
        """
        Take one message of an output, by its name in ``OUTPUTS``: as recorded, and decoded.

        ``arrival`` says when its image arrived, nanoseconds, and the outline that its depth
        should have.
        """
        stamp_ns = stamp_ns_of(message.header)
        self.stamps[output].append(stamp_ns)
        if output == 'depth' and arrival is not None:
            image_time_ns, wanted = arrival
            self.latencies_ms.append((recorded.bag_time_ns - image_time_ns) / 1e6)
            if _outline(message) != wanted:
                self.mismatched.append(f'depth is {_outline(message)}, wanted {wanted}')
        elif output in ('info', 'cloud'):
            # A cloud is projected with the camera_info of the same stamp, once both are there.
            pair = self._pairs[stamp_ns]
            pair[output] = message
            if len(pair) == 2:
                error_px = _reprojection_error_px(**self._pairs.pop(stamp_ns))
                self.max_reprojection_error_px = float(
                    np.fmax(self.max_reprojection_error_px, error_px)
                )

    @property
    def outputs(self) -> list[str]:
        """Return what came out: without a camera to go by, no camera_info and no cloud at all."""
        return [output for output in OUTPUTS if self.stamps[output] or output in _ALWAYS]

    def answered_once(self, sent_stamps: Sequence[int]) -> bool:
        """Return whether all that came out has every sent stamp exactly once and nothing else."""
        return all(Counter(self.stamps[output]) == Counter(sent_stamps) for output in self.outputs)

    def latency_ms(self, percent: float) -> float | None:
        """Return a percentile of the latencies; None without any."""
        if not self.latencies_ms:
            return None
        return round(float(np.percentile(self.latencies_ms, percent)), 2)


@dataclass
class DemoFacts:
    """
    What was found in the recording, and how the processes ended.

    ``exit_codes`` are by process and ``methods`` by method; ``sent`` are the header stamps of the
    images, nanoseconds, in the order of their arrival.
    """

    exit_codes: Mapping[str, int]
    sent: list[int] = field(default_factory=list)
    methods: dict[str, MethodFacts] = field(default_factory=dict)

    def n_dropped(self) -> int:
        """Return how many images the nodes say they dropped, all nodes together."""
        said = (facts.diagnostics.get('images_dropped', 0) for facts in self.methods.values())
        return sum(map(int, said))

    def slowest_ms(self) -> float | None:
        """Return the time within which even the slowest node answers 95 % of its images."""
        times = [facts.latency_ms(95) for facts in self.methods.values()]
        return max((time for time in times if time is not None), default=None)

    def shown_stamp(self) -> int | None:
        """Return the one in the middle of those for which all nodes published all they do."""
        complete = self._complete()
        return complete[len(complete) // 2] if complete else None

    def film_stamps(self) -> list[int]:
        """Return up to 30 of these that follow each other, about the one in the middle."""
        complete = self._complete()
        first = max(0, (len(complete) - FILM_FRAMES) // 2)
        return complete[first:first + FILM_FRAMES]

    def _complete(self) -> list[int]:
        answered = (
            facts.stamps[output] for facts in self.methods.values() for output in facts.outputs
        )
        return sorted(set(self.sent).intersection(*answered))


def gather_facts(plan: DemoPlan, exit_codes: Mapping[str, int]) -> DemoFacts:
    """Read the recording of a plan and return what it shows; RecordingError if it is damaged."""
    facts = DemoFacts(exit_codes, methods={method.name: MethodFacts() for method in plan.methods})
    of_topic = {
        method.topic(output): (method, output) for method in plan.methods for output in OUTPUTS
    }
    arrivals: dict[int, tuple[int, Any]] = {}
    with BagReader(plan.recording) as bag:
        wanted = {plan.image_topic, DIAGNOSTICS, *of_topic} & set(bag.topics)
        for recorded in bag.messages(wanted):
            message: Any = bag.decode(recorded)
            if recorded.topic == DIAGNOSTICS:
                for method in plan.methods:
                    said = _values_of(message, method.node_name)
                    facts.methods[method.name].diagnostics.update(said)
                continue
            stamp_ns = stamp_ns_of(message.header)
            if recorded.topic == plan.image_topic:
                facts.sent.append(stamp_ns)
                scale = plan.methods[0].settings.depth_scale
                arrivals[stamp_ns] = (recorded.bag_time_ns, _outline(message, scale))
            else:
                method, output = of_topic[recorded.topic]
                facts.methods[method.name].add(
                    output, recorded, message, arrivals.get(stamp_ns)
                )
    return facts


def _reprojection_error_px(cloud: Any, info: Any) -> float:
    """
    Return the largest distance between points of a cloud, projected, and their own pixels.

    The cloud is organised, and its stride follows from the sizes of both messages; the camera_info
    has P of the depth image. NaN if no point is known.
    """
    stride_x, stride_y = -(-info.width // cloud.width), -(-info.height // cloud.height)
    v, u = np.indices((cloud.height, cloud.width)).reshape(2, -1)
    x, y, z = points_of(cloud).T
    projected_u, projected_v = info.p[0] * x / z + info.p[2], info.p[5] * y / z + info.p[6]
    errors = np.hypot(projected_u - u * stride_x, projected_v - v * stride_y)
    return float(np.fmax.reduce(errors))


def _outline(image: Any, scale: float = 1.0) -> tuple[int, int, str]:
    """Return size and frame of an image, or of the depth image that it should get."""
    height, width = (max(1, round(side * scale)) for side in size_of(image))
    return width, height, image.header.frame_id


def _values_of(array: Any, node_name: str) -> Mapping[str, str]:
    """Return the values of a depth node's status, if the array holds one."""
    for status in array.status:
        if status.name == f'{node_name}: depth':
            return {value.key: value.value for value in status.values}
    return {}
