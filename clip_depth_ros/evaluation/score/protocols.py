# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Protocols: every choice between an answer and its numbers, as data; and each in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, Final, Literal

from clip_depth_ros.core.alignment import ALIGNMENT_WORDS, INVERSE_ALIGNMENTS
from clip_depth_ros.errors import ConfigError, did_you_mean, SettingsFileError
from clip_depth_ros.evaluation.score.parts import DEPTH_RANGES_M
from clip_depth_ros.settings.base import read_settings, setting, Settings
from clip_depth_ros.settings.installation import shared_file
from clip_depth_ros.settings.paths import user_path
from pydantic import field_validator

BESIDE: Final = ('deltas', 'depth_ranges_m', 'points_m')
"""Fields that change no number, but ask for more of them: they are not part of the name."""


class EvaluationProtocol(Settings):
    """Every choice between an answer and its numbers; printed with each of them."""

    name: str = setting('plain', 'What tables call it.')
    source: str = setting('', 'Where it comes from: paper, code, data set.')
    split: str = setting('', 'The frames that its published numbers are of.')
    n_frames: int = setting(0, 'How many frames those are; 0: any.', ge=0)
    gt: Literal['any', 'annotated', 'raw-lidar', 'depth-images', 'exact'] = setting(
        'any', 'Kind of ground truth that its published numbers are against.'
    )
    lidar_value: Literal['z', 'forward'] = setting(
        'z',
        "What a LiDAR point stands for: z along the camera's axis, or its forward coordinate in "
        'the LiDAR (monodepth2).',
    )
    lidar_pixel: Literal['nearest', 'minus-one'] = setting(
        'nearest',
        'Pixel of a LiDAR point: the one whose centre is nearest, or round(u) - 1 (monodepth2).',
    )
    min_depth_m: float = setting(
        1e-3, 'True depth that counts is above; answers are clamped to it.', unit='m', gt=0
    )
    depth_cap_m: float = setting(
        80.0, 'True depth that counts is below; answers are clamped to it.', unit='m', gt=0
    )
    range_ends: Literal['excluded', 'included'] = setting(
        'excluded', 'Whether true depth of exactly the ends of the range counts.'
    )
    clamp: Literal['range', 'none', 'farthest-gt'] = setting(
        'range',
        'What answers are clamped to: the range; its lower end alone (none), as logarithms need '
        'that; or that and the farthest truth of the image (farthest-gt).',
    )
    input_crop: Literal['none', 'kb'] = setting(
        'none', 'Part of the image that the predictor sees; kb: the bottom centre 1216x352.'
    )
    gt_crop: Literal['none', 'kb'] = setting(
        'none', 'Part of the ground truth that the evaluated window is a part of.'
    )
    eval_crop: Literal['none', 'garg', 'eigen', 'nyu-eigen', 'nyu-depthclip'] = setting(
        'none', 'Window that counts.'
    )
    resize: Literal['depth', 'inverse-depth'] = setting(
        'depth', 'What is resampled when an answer has another size than the ground truth.'
    )
    align_corners: bool = setting(
        False,
        'Resampling keeps the centres of the outermost pixels where they are, as torch does with '
        'align_corners=True, instead of the borders of the image.',
    )
    flip: Literal['none', 'average', 'ramps'] = setting(
        'none',
        'Left-right flip averaging: none, plain mean of depth, or of inverse depth with ramps at '
        'the borders (monodepth2).',
    )
    alignment: Literal[
        'none', 'median', 'scale-shift', 'disparity-scale-shift', 'log-scale', 'scale-l1',
        'scale-shift-l1', 'disparity-scale-shift-l1',
    ] = setting(
        'none',
        'What is fitted to the truth of each image before it is compared: nothing; a scale by '
        'medians, by least squares of log depth, or by least absolute relative errors (l1); scale '
        'and shift by least squares or least absolute errors (l1), of depth or of inverse depth '
        '(disparity).',
    )
    silog: Literal['variance', 'half'] = setting(
        'variance',
        "Of d, the difference of natural logs: 100 sqrt(mean d^2 - mean^2 d), KITTI's, or "
        'sqrt(mean d^2 - mean^2 d / 2), without the 100 (Depth Anything V2).',
    )
    aggregation: Literal['image', 'pixel'] = setting(
        'image', 'Mean over images of per-image values, or over all pixels together.'
    )
    deltas: tuple[float, ...] = setting(
        (),
        'More thresholds of max(pred / gt, gt / pred), above 1, below which pixels are counted; '
        'always there are 1.25^0.5, 1.25, 1.25^2 and 1.25^3.',
        max_length=20,
    )
    depth_ranges_m: tuple[float, ...] = setting(
        DEPTH_RANGES_M,
        'Ends of the ranges of true depth that get metrics of their own, ascending.',
        unit='m', min_length=2, max_length=21,
    )

    points_m: tuple[float, ...] = setting(
        (),
        'Distances within which a point of the answer and one of the truth go together; none: '
        'clouds of points are not compared, which takes longer than all else.',
        unit='m', max_length=20,
    )

    @field_validator(*BESIDE, mode='before')
    @classmethod
    def _of_text(cls, value: Any) -> Any:
        """Return the numbers of a text with commas, as the command line has it."""
        return value.split(',') if isinstance(value, str) else value

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Any:
        """Return the protocol of plain values; SettingsFileError names what is wrong."""
        try:
            return super().from_mapping(values)
        except ConfigError as error:  # flags of the same names mean something else
            raise SettingsFileError(str(error)) from error

    def clashes(self) -> Iterator[str]:
        """Yield what does not go together."""
        if self.min_depth_m >= self.depth_cap_m:
            yield (
                'the range of depth must satisfy min_depth_m < depth_cap_m, got '
                f'min_depth_m={self.min_depth_m:g}, depth_cap_m={self.depth_cap_m:g}'
            )
        if self.silog == 'half' and self.aggregation == 'pixel':
            yield 'silog=half is a number of an image: it goes with aggregation=image alone'
        if any(threshold <= 1 for threshold in self.deltas):
            yield f'deltas are ratios above 1, such as 1.05, got {_listed(self.deltas)}'
        if any(distance_m <= 0 for distance_m in self.points_m):
            yield f'points_m are distances above 0, such as 0.1, got {_listed(self.points_m)}'
        ends_m = self.depth_ranges_m
        if ends_m[0] < 0 or any(near >= far for near, far in pairwise(ends_m)):
            yield (
                'depth_ranges_m are the ends of ranges, ascending from 0 or above, such as '
                f'0,5,20, got {_listed(ends_m)}'
            )


def _listed(numbers: Iterable[float]) -> str:
    return ','.join(f'{number:g}' for number in numbers)


PROTOCOL_NAMES: Final = (
    'plain', 'raw-lidar', 'kitti-eigen-garg', 'kitti-eigen-garg-kb', 'kitti-eigen-eigen',
    'monodepth2', 'monodepth2-pp', 'kitti-benchmark', 'nyu-eigen', 'nyu-depthclip',
    'zoedepth-kitti', 'zoedepth-nyu', 'depth-anything-v2', 'midas', 'marigold-kitti',
    'marigold-nyu', 'moge', 'moge-scale', 'moge-disparity',
)

GT_WORDS: Final = {
    'annotated': 'annotated depth',
    'raw-lidar': 'raw LiDAR',
    'depth-images': 'depth images',
    'exact': 'exact rendered depth',
}
"""Kinds of ground truth, as titles say them."""

_CROP_WORDS: Final = {
    'none': 'no crop',
    'garg': 'Garg crop',
    'eigen': 'Eigen crop',
    'nyu-eigen': 'NYU Eigen crop',
    'nyu-depthclip': 'DepthCLIP crop',
}
_CORNERS: Final = {False: '', True: ' with aligned corners'}
_CLAMP_WORDS: Final = {
    'range': '', 'none': 'answers not clamped', 'farthest-gt': 'answers up to the farthest truth',
}
_SILOG_WORDS: Final = {'variance': '', 'half': 'silog sqrt(mean d^2 - mean^2 d / 2)'}
_FLIP_WORDS: Final = {
    'none': 'no flip', 'average': 'flip averaging', 'ramps': 'flip averaging with ramps',
}
_MEAN_WORDS: Final = {'image': 'mean over images', 'pixel': 'over all pixels together'}

_EXTENDS: Final = 'extends'


def load_protocol(
    name_or_path: str, overrides: Mapping[str, Any] | None = None
) -> EvaluationProtocol:
    """
    Return a protocol.

    Parameters
    ----------
    name_or_path : str
        One of ``PROTOCOL_NAMES``, or a YAML file: lines ``field: value`` with the fields of
        :class:`EvaluationProtocol`; fields that are not named have their defaults, or, with a line
        ``extends: NAME``, those of a protocol that comes with this package.
    overrides : mapping of str to value, optional
        Fields to change. Those that do change become part of the name, so that no number stands
        under a name that it does not deserve.

    Raises
    ------
    ConfigError
        If there is no such protocol or file, a field is unknown or its value wrong, or a file
        takes the name of another protocol that comes with this package.

    """
    protocol = _named(name_or_path) if name_or_path in PROTOCOL_NAMES else _own(name_or_path)
    return _changed(protocol, overrides or {})


def for_relative(
    protocol: EvaluationProtocol, who: str, *, is_named: bool = False
) -> EvaluationProtocol:
    """
    Return a protocol for answers that are inverse depth up to scale and shift.

    One that does not align inverse depth gets the alignment that the field uses for it, which
    becomes part of its name. ConfigError if the user has named an alignment that cannot do it
    (``is_named``), saying of ``who`` the answers are.
    """
    if protocol.alignment in INVERSE_ALIGNMENTS:
        return protocol
    if is_named:
        raise ConfigError(
            f'{who} is inverse depth up to scale and shift, which has no metres with '
            f'alignment={protocol.alignment}: choose one of {", ".join(INVERSE_ALIGNMENTS)}'
        )
    return _changed(protocol, {'alignment': INVERSE_ALIGNMENTS[0]})


def protocol_title(protocol: EvaluationProtocol, *, gt_kind: str = 'any') -> str:
    """
    Return every choice that matters in words, on one line.

    Parameters
    ----------
    protocol : EvaluationProtocol
        What numbers are made by.
    gt_kind : str
        Kind of ground truth at hand, a key of ``GT_WORDS``: said where the protocol takes any.

    """
    words = [
        _gt_words(protocol, gt_kind),
        _split_words(protocol),
        _window_words(protocol),
        '' if protocol.input_crop == 'none' else 'predictor sees the KB crop',
        _range_words(protocol),
        f'{protocol.resize.replace("-", " ")} resampled{_CORNERS[protocol.align_corners]}',
        ALIGNMENT_WORDS[protocol.alignment],
        _CLAMP_WORDS[protocol.clamp],
        _SILOG_WORDS[protocol.silog],
        _FLIP_WORDS[protocol.flip],
        _MEAN_WORDS[protocol.aggregation],
    ]
    return f'{protocol.name}: {", ".join(word for word in words if word)}'


def differences(protocol: EvaluationProtocol, *, gt_kind: str, n_frames: int) -> list[str]:
    """
    Say how the frames at hand differ from those that the protocol's published numbers are of.

    Parameters
    ----------
    protocol : EvaluationProtocol
        What is to be compared with.
    gt_kind : str
        Kind of ground truth at hand, a key of ``GT_WORDS``.
    n_frames : int
        Frames at hand.

    """
    found = []
    if protocol.gt not in ('any', gt_kind):
        at_hand = GT_WORDS.get(gt_kind, gt_kind)
        found.append(f'against {at_hand} instead of {GT_WORDS[protocol.gt]}')
    if protocol.n_frames not in (0, n_frames):
        noun = 'frame' if n_frames == 1 else 'frames'
        found.append(f'{n_frames} {noun} instead of {protocol.n_frames}')
    return found


def _named(name: str) -> EvaluationProtocol:
    """Return a protocol that comes with this package."""
    path = shared_file('config', 'protocols', f'{name}.yaml')
    return _build({**read_settings(path), 'name': name})


def _own(path_text: str) -> EvaluationProtocol:
    """Return the protocol of a user's file, called like the file if the file does not say."""
    path = user_path(path_text)
    if not path.is_file():
        raise ConfigError(
            f'a protocol is one of {", ".join(PROTOCOL_NAMES)} or a YAML file, got '
            f'{path_text!r}, which is neither{did_you_mean(path_text, PROTOCOL_NAMES)}'
        )
    protocol = _build({'name': path.stem, **read_settings(path)})
    if protocol.name in PROTOCOL_NAMES and protocol != _named(protocol.name):
        raise ConfigError(
            f'protocol {path_text!r} calls itself {protocol.name!r} and is another one than that '
            'of this package: give it a name of its own (name: ...)'
        )
    return protocol


def _build(values: Mapping[str, Any]) -> EvaluationProtocol:
    """Return the protocol of the lines of a file, above the one that it extends."""
    base = values.get(_EXTENDS)
    if base is not None and base not in PROTOCOL_NAMES:
        raise ConfigError(
            f'{_EXTENDS} must name a protocol of this package, {", ".join(PROTOCOL_NAMES)}, got '
            f'{base!r}{did_you_mean(str(base), PROTOCOL_NAMES)}'
        )
    below = _named(base).model_dump() if base else {}
    own = {field: value for field, value in values.items() if field != _EXTENDS}
    protocol: EvaluationProtocol = EvaluationProtocol.from_mapping({**below, **own})
    return protocol


def _changed(protocol: EvaluationProtocol, overrides: Mapping[str, Any]) -> EvaluationProtocol:
    if 'name' in overrides:
        raise ConfigError(
            'the name of a protocol says what it is and cannot be set: write a YAML file with '
            f'"{_EXTENDS}: {protocol.name}" and a name of its own'
        )
    changed: EvaluationProtocol = protocol.changed(**overrides)
    marks = [
        f'{field}={value:g}' if isinstance(value, float) else f'{field}={value}'
        for field in overrides
        if field not in BESIDE and (value := getattr(changed, field)) != getattr(protocol, field)
    ]
    renamed: EvaluationProtocol = changed.changed(name=', '.join([protocol.name, *marks]))
    return renamed


def _gt_words(protocol: EvaluationProtocol, gt_kind: str) -> str:
    kind = gt_kind if protocol.gt == 'any' else protocol.gt
    words = f'{GT_WORDS.get(kind, kind).removesuffix(" depth")} gt'
    details = []
    if protocol.lidar_value == 'forward':
        details.append('forward coordinate of the LiDAR')
    if protocol.lidar_pixel == 'minus-one':
        details.append('pixel round(u) - 1')
    return f'{words} ({", ".join(details)})' if details else words


def _range_words(protocol: EvaluationProtocol) -> str:
    ends = ' inclusive' if protocol.range_ends == 'included' else ''
    return f'{protocol.min_depth_m:g} to {protocol.depth_cap_m:g} m{ends}'


def _split_words(protocol: EvaluationProtocol) -> str:
    if not protocol.split:
        return 'any frames'
    return f'{protocol.split} split ({protocol.n_frames})' if protocol.n_frames else protocol.split


def _window_words(protocol: EvaluationProtocol) -> str:
    crop = _CROP_WORDS[protocol.eval_crop]
    if protocol.gt_crop == 'kb':
        return 'KB crop' if protocol.eval_crop == 'none' else f'{crop} of the KB crop'
    is_kitti = protocol.eval_crop in ('garg', 'eigen')
    return f'{crop} of the full frame' if is_kitti else crop
