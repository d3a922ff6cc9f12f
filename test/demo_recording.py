# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A demo's recording made by hand: what nodes would have published, without starting any."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clip_depth_ros.bags.messages import camera_info_message, header, image_message
from clip_depth_ros.bags.topics import CAMERA_FRAME, CAMERA_INFO, IMAGE, TRUE_DEPTH
from clip_depth_ros.bags.writer import BagWriter, recorded
from clip_depth_ros.core.clouds import CloudBuilder
from clip_depth_ros.demo.plan import DemoMethod, DemoPlan
from clip_depth_ros.settings.node import DIAGNOSTICS, NodeSettings, OUTPUTS
from clip_depth_ros.types import Depth, Intrinsics
import numpy as np
from rosbags.typesys.stores.ros2_jazzy import (
    diagnostic_msgs__msg__DiagnosticArray as DiagnosticArray,
    diagnostic_msgs__msg__DiagnosticStatus as DiagnosticStatus,
    diagnostic_msgs__msg__KeyValue as KeyValue,
    sensor_msgs__msg__PointCloud2 as PointCloud2,
    sensor_msgs__msg__PointField as PointField,
)

START_NS = 1_000 * 10**9
STEP_NS = 10**8
MS = 10**6


@dataclass(frozen=True)
class Moment:
    """One image: the truth, if there is one, and what each method answered, if it did."""

    truth: Depth | None
    answers: Mapping[str, Depth]


def methods(*names: str) -> tuple[DemoMethod, ...]:
    """Return methods as the demo makes them, 1 to 80 m."""
    values = {'backbone': 'tiny', 'pretrained': 'bundled', 'min_depth_m': 1.0, 'bins': 'outdoor'}
    return tuple(
        DemoMethod(
            name=name,
            parameters={**values, 'method': name},
            settings=NodeSettings.from_mapping({**values, 'method': name}),
        )
        for name in names
    )


def plan_of(folder: Path, moments: Sequence[Moment], *names: str) -> DemoPlan:
    """Return the plan of a run that left these moments in a folder."""
    return DemoPlan(
        bag=folder / 'drive.mcap', source='synthetic drive seed 7', image_topic=IMAGE,
        info_topic=CAMERA_INFO, truth={'depth_topic': TRUE_DEPTH},
        n_frames=len(moments), hz=4.0, methods=methods(*names),
        out_dir=folder, topics={},
    )


def write_demo(
    plan: DemoPlan, moments: Sequence[Moment], outputs: Collection[str] = tuple(OUTPUTS)
) -> Path:
    """Write depth.mcap: each answer comes 50 ms after its image, with info, cloud and colours."""
    path = plan.out_dir / 'depth.mcap'
    with BagWriter(path, force=True) as writer:
        for i, moment in enumerate(moments):
            stamp_ns = START_NS + i * STEP_NS
            for topic, message, delay_ns in _messages(plan, moment, stamp_ns, outputs):
                writer.write(recorded(topic, message, stamp_ns + delay_ns))
        for method in plan.methods:
            n_answers = sum(method.name in moment.answers for moment in moments)
            status = _diagnostics(method, len(moments), n_answers)
            writer.write(recorded(DIAGNOSTICS, status, stamp_ns + 900 * MS))
    return path


def camera(width: int, height: int) -> Intrinsics:
    """Return a camera that looks straight ahead."""
    return Intrinsics(width, width, (width - 1) / 2, (height - 1) / 2, width, height)


def _messages(
    plan: DemoPlan, moment: Moment, stamp_ns: int, outputs: Collection[str]
) -> list[tuple[str, Any, int]]:
    where: Any = {'stamp_ns': stamp_ns, 'frame_id': CAMERA_FRAME}
    depths = [moment.truth, *moment.answers.values()]
    height, width = next(depth for depth in depths if depth is not None).shape
    image = np.full((height, width, 3), 100, np.uint8)
    intrinsics = camera(width, height)
    messages: list[tuple[str, Any, int]] = [
        (IMAGE, image_message(image, 'rgb8', **where), 0),
        (CAMERA_INFO, camera_info_message(intrinsics, **where), 0),
    ]
    if moment.truth is not None:
        messages.append((TRUE_DEPTH, image_message(moment.truth, '32FC1', **where), 1))
    for method in plan.methods:
        if method.name in moment.answers:
            depth = moment.answers[method.name]
            rgb = image[:depth.shape[0], :depth.shape[1]]
            answer = {
                'depth': image_message(depth, '32FC1', **where),
                'color': image_message(image, 'rgb8', **where),
                'confidence': image_message(np.full_like(depth, 0.5), '32FC1', **where),
                'info': camera_info_message(intrinsics, **where),
                'cloud': _cloud(depth, rgb, intrinsics, stamp_ns),
            }
            messages += [
                (method.topic(name), answer[name], 50 * MS) for name in outputs if name in answer
            ]
    return messages


def _cloud(depth: Depth, rgb: Any, intrinsics: Intrinsics, stamp_ns: int) -> PointCloud2:
    v, u = np.indices(depth.shape)
    rays = np.stack(
        [(u - intrinsics.cx) / intrinsics.fx, (v - intrinsics.cy) / intrinsics.fy], axis=-1
    ).astype(np.float32)
    points = CloudBuilder(rays, stride=1, with_rgb=True).build(depth, rgb)
    height, width = depth.shape
    return PointCloud2(
        header=header(stamp_ns, CAMERA_FRAME), height=height, width=width,
        fields=[
            PointField(name, 4 * i, PointField.FLOAT32, 1)
            for i, name in enumerate(('x', 'y', 'z', 'rgb'))
        ],
        is_bigendian=False, point_step=16, row_step=16 * width,
        data=np.ascontiguousarray(points).reshape(-1).view(np.uint8), is_dense=False,
    )


def _diagnostics(method: DemoMethod, n_received: int, n_answers: int) -> DiagnosticArray:
    values = {
        'images_received': n_received, 'images_processed': n_answers,
        'images_dropped': n_received - n_answers, 'images_failed': 0, 'device': 'cpu',
        'method': f'{method.name} <made by hand>', 'assumed_hfov_deg': '60',
        'images_camera_used': n_answers - 1, 'images_camera_assumed': 1, 'image_fx_px': '8.00',
        'network_fx_px': '186.00',
    }
    pairs = [KeyValue(key, str(value)) for key, value in values.items()]
    status = DiagnosticStatus(0, f'{method.node_name}: depth', 'running', 'cpu', pairs)
    return DiagnosticArray(header(0, ''), [status])
