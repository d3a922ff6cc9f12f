# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames of a recording with everything that was published for them, to be shown to a person."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TYPE_CHECKING

from clip_depth_ros.bags.reader import BagReader
from clip_depth_ros.bags.topics import TRUE_DEPTH
from clip_depth_ros.core.depth_images import decode_depth
from clip_depth_ros.core.images import rgb_of
from clip_depth_ros.core.stamps import stamp_ns_of
from clip_depth_ros.demo.facts import cloud_points
from clip_depth_ros.types import Depth, Rgb
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from clip_depth_ros.demo.plan import DemoPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoFrame:
    """
    One image with what belongs to it.

    Attributes
    ----------
    stamp_ns : int
        Header stamp.
    rgb : uint8 (H, W, 3)
        The camera image.
    depths_m : mapping of str to float32 (h, w)
        What was published, by the title of the method.
    true_depth_m : float32 (H, W), optional
        The truth, where the recording has it.
    xyz_m, point_rgb : float32 (N, 3), uint8 (N, 3)
        The cloud of the first method.

    """

    stamp_ns: int
    rgb: Rgb
    depths_m: Mapping[str, Depth]
    true_depth_m: Depth | None
    xyz_m: NDArray[np.float32]
    point_rgb: NDArray[np.uint8]


def read_frames(recording: Path, plan: DemoPlan, stamps: Collection[int]) -> list[DemoFrame]:
    """
    Give the frames of some stamps for which every node published everything, in order.

    Raises
    ------
    RecordingError
        If the recording cannot be read.

    """
    found: dict[int, dict[str, Any]] = {stamp_ns: {} for stamp_ns in sorted(stamps)}
    depth_topics = {method.topic('depth') for method in plan.methods}
    cloud_topic = plan.methods[0].topic('cloud')
    with BagReader(recording) as bag:
        topics = {plan.image_topic, TRUE_DEPTH, cloud_topic, *depth_topics} & set(bag.topics)
        for recorded in bag.messages(topics):
            message: Any = bag.decode(recorded)
            stamp_ns = stamp_ns_of(message.header)
            if stamp_ns in found:
                found[stamp_ns][recorded.topic] = message
    return [_frame(stamp_ns, messages, plan) for stamp_ns, messages in found.items()]


def _frame(stamp_ns: int, messages: Mapping[str, Any], plan: DemoPlan) -> DemoFrame:
    points = cloud_points(messages[plan.methods[0].topic('cloud')])
    truth = messages.get(TRUE_DEPTH)
    return DemoFrame(
        stamp_ns=stamp_ns,
        rgb=rgb_of(messages[plan.image_topic]),
        depths_m={
            method.title: decode_depth(messages[method.topic('depth')])
            for method in plan.methods
        },
        true_depth_m=None if truth is None else decode_depth(truth),
        xyz_m=points[..., :3].reshape(-1, 3),
        point_rgb=_point_colours(points),
    )


def _point_colours(points: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Give uint8 (N, 3) RGB of packed colours; grey where the cloud has none."""
    if points.shape[2] < 4:
        return np.full((points[..., 0].size, 3), 128, np.uint8)
    packed = np.ascontiguousarray(points[..., 3]).view(np.uint8).reshape(-1, 4)
    return np.ascontiguousarray(packed[:, 2::-1])
