# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a recording of inputs and outputs proves about the node: counted, not assumed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TYPE_CHECKING

from clip_depth_ros.core.depth_encoding import decode_depth
from clip_depth_ros.core.images import decode_plain, ImageBuffer
from clip_depth_ros.data.bags import BagReader
from clip_depth_ros.data.messages import stamp_ns_of
from clip_depth_ros.types import Depth, RecordedMessage, Rgb
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from clip_depth_ros.cli.demo_run import DemoPlan, DemoResult

DEPTH: Final = '/depth/image_rect'
INFO: Final = '/depth/camera_info'
CLOUD: Final = '/depth/points'
COLOR: Final = '/depth/image_color'
DIAGNOSTICS: Final = '/diagnostics'


@dataclass
class RecordingFacts:
    """
    What was found in the recording.

    Attributes
    ----------
    stamps : dict of str to list of int
        Header stamps of the image topic and of each output, nanoseconds, as they came.
    latencies_ms : list of float
        From an image's arrival at the recorder to the arrival of its depth there.
    max_reprojection_error_px : float
        Largest distance between a cloud point's projection and its own pixel; NaN without clouds.
    mismatched : list of str
        Outputs whose frame or size is not that of their image.
    diagnostics : dict of str to str
        The last diagnostics of the node.

    """

    stamps: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    latencies_ms: list[float] = field(default_factory=list)
    max_reprojection_error_px: float = float('nan')
    mismatched: list[str] = field(default_factory=list)
    diagnostics: dict[str, str] = field(default_factory=dict)

    def answered_once(self, sent_stamps: list[int], topic: str) -> bool:
        """Say whether an output has every sent stamp exactly once and nothing else."""
        return Counter(self.stamps[topic]) == Counter(sent_stamps)

    def latency_ms(self, percent: float) -> float | None:
        """Give a percentile of the latencies; None without any."""
        if not self.latencies_ms:
            return None
        return round(float(np.percentile(self.latencies_ms, percent)), 2)


@dataclass(frozen=True, slots=True)
class DemoFrame:
    """One frame with everything that was published for it, to be shown to a person."""

    rgb: Rgb
    depth_m: Depth
    color: Rgb
    xyz_m: NDArray[np.float32]
    point_rgb: NDArray[np.uint8]
    true_depth_m: Depth | None


def gather_facts(
    recording: Path, image_topic: str, *, depth_scale: float = 1.0
) -> RecordingFacts:
    """
    Read a recording once and say what it holds.

    Parameters
    ----------
    recording : Path
        Inputs and outputs.
    image_topic : str
        The camera's images.
    depth_scale : float
        Size of depth images relative to them.

    Raises
    ------
    RecordingError
        If it cannot be read.

    """
    facts = RecordingFacts()
    arrivals: dict[int, tuple[int, Any]] = {}
    infos: dict[int, Any] = {}
    clouds: dict[int, Any] = {}
    for recorded, message in _decoded(recording, image_topic):
        if recorded.topic == DIAGNOSTICS:
            facts.diagnostics.update(_depth_node_values(message))
            continue
        stamp_ns = stamp_ns_of(message.header)
        facts.stamps[recorded.topic].append(stamp_ns)
        if recorded.topic == image_topic:
            arrivals[stamp_ns] = (recorded.bag_time_ns, _outline(message, depth_scale))
        elif recorded.topic == DEPTH:
            _check_depth(facts, arrivals.get(stamp_ns), recorded, message)
        elif recorded.topic == INFO:
            infos[stamp_ns] = message
        elif recorded.topic == CLOUD:
            clouds[stamp_ns] = message
        _check_cloud(facts, infos, clouds, stamp_ns)
    return facts


def read_frame(
    recording: Path, image_topic: str, true_depth_topic: str, stamp_ns: int
) -> DemoFrame | None:
    """Give what the recording holds for a stamp; None when an output is missing."""
    found: dict[str, Any] = {}
    with BagReader(recording) as bag:
        topics = {image_topic, true_depth_topic, DEPTH, COLOR, CLOUD} & set(bag.topics)
        for recorded in bag.messages(topics):
            message: Any = bag.decode(recorded)
            if stamp_ns_of(message.header) == stamp_ns:
                found[recorded.topic] = message
    if not {image_topic, DEPTH, COLOR, CLOUD} <= set(found):
        return None
    points = _points(found[CLOUD])
    truth = found.get(true_depth_topic)
    return DemoFrame(
        rgb=decode_plain(ImageBuffer.of(found[image_topic])),
        depth_m=decode_depth(ImageBuffer.of(found[DEPTH])),
        color=decode_plain(ImageBuffer.of(found[COLOR])),
        xyz_m=points[..., :3].reshape(-1, 3),
        point_rgb=_point_colours(points),
        true_depth_m=decode_depth(ImageBuffer.of(truth)) if truth else None,
    )


def _decoded(recording: Path, image_topic: str) -> Iterator[tuple[RecordedMessage, Any]]:
    with BagReader(recording) as bag:
        topics = {image_topic, DEPTH, INFO, CLOUD, COLOR, DIAGNOSTICS} & set(bag.topics)
        for recorded in bag.messages(topics):
            yield recorded, bag.decode(recorded)


def _outline(image: Any, scale: float = 1.0) -> tuple[int, int, str]:
    """Give size and frame of an image, or of the depth image that it should get."""
    width, height = (max(1, round(side * scale)) for side in (image.width, image.height))
    return width, height, image.header.frame_id


def _check_depth(
    facts: RecordingFacts, arrival: tuple[int, Any] | None, recorded: RecordedMessage, depth: Any
) -> None:
    if arrival is None:
        return
    image_time_ns, outline = arrival
    facts.latencies_ms.append((recorded.bag_time_ns - image_time_ns) / 1e6)
    if _outline(depth) != outline:
        facts.mismatched.append(f'depth is {_outline(depth)}, wanted {outline}')


def _check_cloud(
    facts: RecordingFacts, infos: dict[int, Any], clouds: dict[int, Any], stamp_ns: int
) -> None:
    """Project a cloud with the camera_info of the same stamp, once both are there."""
    if stamp_ns not in infos or stamp_ns not in clouds:
        return
    error_px = reprojection_error_px(clouds.pop(stamp_ns), infos[stamp_ns])
    facts.max_reprojection_error_px = float(
        np.fmax(facts.max_reprojection_error_px, error_px)
    )


def reprojection_error_px(cloud: Any, info: Any) -> float:
    """
    Give how far the points of an organised cloud fall from their own pixels, at most.

    Parameters
    ----------
    cloud : sensor_msgs/PointCloud2
        Organised, its stride the ratio of the sizes.
    info : sensor_msgs/CameraInfo
        With a P for the depth image.

    """
    xyz_m = _points(cloud)[..., :3].astype(np.float64)
    stride_x, stride_y = -(-info.width // cloud.width), -(-info.height // cloud.height)
    v, u = np.indices((cloud.height, cloud.width))
    projected_u = info.p[0] * xyz_m[..., 0] / xyz_m[..., 2] + info.p[2]
    projected_v = info.p[5] * xyz_m[..., 1] / xyz_m[..., 2] + info.p[6]
    errors = np.hypot(projected_u - u * stride_x, projected_v - v * stride_y)
    return float(np.nanmax(errors)) if np.isfinite(errors).any() else float('nan')


def _depth_node_values(array: Any) -> dict[str, str]:
    """Give the values of the depth node's status, if the array holds one."""
    for status in array.status:
        if status.name.endswith(': depth'):
            return {value.key: value.value for value in status.values}
    return {}


def _points(cloud: Any) -> NDArray[np.float32]:
    n_fields = cloud.point_step // 4
    points = np.frombuffer(cloud.data.tobytes(), np.float32)
    return points.reshape(cloud.height, cloud.width, n_fields)


def _point_colours(points: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Give uint8 (N, 3) RGB of packed colours; grey where the cloud has none."""
    if points.shape[2] < 4:
        return np.full((points[..., 0].size, 3), 128, np.uint8)
    packed = np.ascontiguousarray(points[..., 3]).view(np.uint8).reshape(-1, 4)
    return np.ascontiguousarray(packed[:, 2::-1])


def summary_of(plan: DemoPlan, result: DemoResult, facts: RecordingFacts, note: str) -> Any:
    """
    Give what a run showed, as plain values for JSON.

    ``latency_ms`` is from an image's arrival at the recorder to that of its depth: transport,
    inference and publishing, as a robot's next node would see them. ``node`` holds the node's
    own last diagnostics.
    """
    sent = facts.stamps[plan.image_topic]
    answers = {topic: facts.answered_once(sent, topic) for topic in (DEPTH, INFO, CLOUD, COLOR)}
    node = {key: value for key, value in facts.diagnostics.items() if value}
    frames = {
        'published': len(sent),
        **{name: int(node.get(f'images_{name}', 0)) for name in ('received', 'processed')},
        **{name: int(node.get(f'images_{name}', 0)) for name in ('dropped', 'failed')},
    }
    problems = _problems(plan, result, facts, frames)
    complete = set(sent).intersection(*(facts.stamps[topic] for topic in answers))
    in_order = sorted(complete)
    return {
        'ok': not problems,
        'problems': problems,
        'note': note,
        'bag': plan.bag.name,
        'image_topic': plan.image_topic,
        'frames': frames,
        'messages': {topic: len(facts.stamps[topic]) for topic in answers},
        'every_frame_answered_once': all(answers.values()),
        'latency_ms': {'p50': facts.latency_ms(50), 'p95': facts.latency_ms(95)},
        'max_reprojection_error_px': _json_number(facts.max_reprojection_error_px),
        'mismatched': facts.mismatched,
        'exit_codes': dict(result.exit_codes),
        'preview_stamp_ns': in_order[len(in_order) // 2] if in_order else None,
        'parameters': {key: _json_value(value) for key, value in plan.parameters.items()},
        'node': node,
    }


def _problems(
    plan: DemoPlan, result: DemoResult, facts: RecordingFacts, frames: Mapping[str, int]
) -> list[str]:
    """Say what is unexplained: failed processes, images neither answered nor dropped."""
    problems = [f'{name} ended with {code}' for name, code in result.exit_codes.items() if code]
    problems += facts.mismatched[:3]
    logs = f'look into {plan.out_dir}/*.log'
    if frames['published'] != plan.n_frames:
        problems.append(f'{frames["published"]} of {plan.n_frames} images were recorded; {logs}')
    if lost := frames['published'] - frames['received']:
        problems.append(f'{lost} images never reached the node; try again, or slower with --hz 1')
    if frames['failed']:
        problems.append(f'{frames["failed"]} images could not be read; {logs}')
    if len(facts.stamps[DEPTH]) != frames['processed']:
        problems.append(
            f'the node answered {frames["processed"]} images and {len(facts.stamps[DEPTH])} depth '
            f'images came back; {logs}'
        )
    if len(facts.stamps[CLOUD]) < frames['processed']:
        reason = facts.diagnostics.get('camera_problem') or logs
        problems.append(
            f'{frames["processed"] - len(facts.stamps[CLOUD])} images got no cloud: {reason}'
        )
    if not frames['processed']:
        problems.append(f'no image was answered; {logs}')
    return problems


def _json_number(value: float) -> float | None:
    return round(value, 6) if np.isfinite(value) else None


def _json_value(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
