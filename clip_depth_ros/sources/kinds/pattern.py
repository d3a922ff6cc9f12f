# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Any folder of images with depth maps, found by their names.

A pattern is a path below the folder in which * stands for any text within a name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
import re
from typing import Final

from clip_depth_ros.bags.places import Matching
from clip_depth_ros.errors import ConfigError, RecordingError
from clip_depth_ros.settings.source import SourceSettings
from clip_depth_ros.sources.camera_files import camera_in
from clip_depth_ros.sources.cameras import camera_facts, folder_camera
from clip_depth_ros.sources.folders import FolderFrame, FolderSource, given_per_metre
from clip_depth_ros.sources.registry import FrameRules, Kind
from clip_depth_ros.sources.truth import TruthRules

Stars = tuple[str, ...]
"""What the stars of a pattern stand for."""

_BESIDE: Final = ('masks', 'intrinsics_files')
"""Settings that name what may stand beside images and depth maps."""

_LAST_NUMBER: Final = re.compile(r'(\d+)\D*$')


def open_pattern(root: Path, settings: SourceSettings, rules: FrameRules) -> FolderSource:
    """
    Open the images of a folder that have a depth map.

    ``images`` and ``gt_images`` are paths below the folder with as many stars: ``rgb/*.png`` and
    ``depth/*.png``. What these stand for says which belong together; see :func:`pairs_of`.

    Raises
    ------
    ConfigError
        If a pattern is missing, is none or leads out of the folder, the stars differ in number, or
        the other settings are out of their range.
    RecordingError
        If no image has a depth map, or several.

    """
    images, gt_images = settings.images, settings.gt_images
    if not (images and gt_images):
        raise ConfigError(
            'kind pattern needs `images` and gt_images, such as rgb/*.png and depth/*.png, got '
            f'{images!r} and {gt_images!r}'
        )
    found, gts = matching_files(root, images), matching_files(root, gt_images)
    if images.count('*') != gt_images.count('*'):
        raise ConfigError(
            f'`images` and gt_images should have as many *, got {images!r} and {gt_images!r}'
        )
    pairs = pairs_of(found, gts)
    used = {image: found[image] for image in pairs}
    masks = _beside(root, used, settings, 'masks')
    camera_files = _beside(root, used, settings, 'intrinsics_files')
    if camera_files:
        settings.refuse('intrinsics', because='as intrinsics_files say it')
        is_scaled = settings.calibration_scaling
        cameras = {image: camera_in(*files, is_scaled=is_scaled)
                   for image, files in camera_files.items()}
    else:
        cameras = dict.fromkeys(used, folder_camera(settings))
    per_metre = given_per_metre(settings, settings.gt_per_metre, pairs.values())
    truth = TruthRules(
        max_range_m=settings.gt_max_range_m,
        is_measured=settings.gt_kind in ('auto', 'depth-images'),
    )
    frames = [
        FolderFrame(
            name=image.relative_to(root).as_posix(), image=image, gt=gt, per_metre=per_metre,
            rules=truth, camera=cameras[image], masks=masks.get(image, ()),
            beside=camera_files.get(image, ()),
        )
        for image, gt in pairs.items()
    ]
    if not frames:
        raise RecordingError(
            f'{str(root)!r} has no images with depth maps: {len(found)} files fit '
            f'images={images!r}, {len(gts)} fit gt_images={gt_images!r}, and none of them '
            'belong together by what the stars stand for'
        )
    n_without = len(found) - len(frames)
    facts = {
        'images': images,
        'gt_images': gt_images,
        'gt_per_metre': f'{per_metre:g}',
        **{name: value for name in _BESIDE if (value := getattr(settings, name))},
        **truth.describe(),
        **camera_facts(settings),
        'left_out_without_depth': str(n_without),
    }
    return FolderSource(
        'pattern', f'the folder {root.resolve().name}', root, frames, facts,
        matching=Matching(len(found), n_without),
    )


KIND: Final = Kind(
    recognises=lambda path: False,  # it may be anything: it has to be named
    uses={
        'images', 'gt_images', 'masks', 'intrinsics_files', 'gt_per_metre', 'gt_max_range_m',
        'intrinsics', 'calibration_scaling', 'gt_kind', 'max_image_pixels',
    },
    opened=open_pattern,
)


def _beside(
    root: Path, images: Mapping[Path, Stars], settings: SourceSettings, name: str
) -> dict[Path, tuple[Path]]:
    """
    Return the file that a pattern has beside each image: of the same stars, or the first of them.

    Nothing if there is no pattern of this name. ConfigError if it has more stars than the images,
    RecordingError if an image has no such file.
    """
    pattern: str = getattr(settings, name)
    if not pattern:
        return {}
    files, n_stars = matching_files(root, pattern, least=0), pattern.count('*')
    if n_stars > settings.images.count('*'):
        raise ConfigError(
            f'{name} should have as many * as `images`, or fewer, got {pattern!r} and '
            f'{settings.images!r}'
        )
    if n_stars == settings.images.count('*'):
        found = pairs_of(images, files)
    else:  # one for all images of a folder, or for all
        by_stars = {stars: path for path, stars in files.items()}
        found = {
            image: by_stars[stars[:n_stars]]
            for image, stars in images.items() if stars[:n_stars] in by_stars
        }
    missing = [image for image in images if image not in found]
    if missing:
        raise RecordingError(
            f'{len(missing)} of {len(images)} images have no file of {name}={pattern!r}, such as '
            f'{str(missing[0])!r}: complete them, or write another pattern'
        )
    return {image: (path,) for image, path in found.items()}


def _check_pattern(pattern: str, least: int) -> None:
    """Refuse what has too few * in it, or **, or leads out of the folder."""
    parts = PurePosixPath(pattern).parts
    leads_out = '..' in parts or pattern.startswith('/') or '\\' in pattern or '\0' in pattern
    if pattern.count('*') < least or '**' in pattern or leads_out:
        raise ConfigError(
            f'a pattern should be a path below the folder with one or more *, such as rgb/*.png, '
            f'without .. and **, got {pattern!r}'
        )


def matching_files(root: Path, pattern: str, *, least: int = 1) -> dict[Path, Stars]:
    """
    Return the files that fit a pattern, and what its stars stand for; numbers in their order.

    Hidden files do not count. ConfigError if it is no pattern of files below a folder, with at
    ``least`` so many stars.
    """
    _check_pattern(pattern, least)
    found = dict(_matching(root, PurePosixPath(pattern).parts, ()))
    return dict(sorted(found.items(), key=lambda item: natural(str(item[0]))))


def natural(text: str) -> list[tuple[int, str]]:
    """Return what sorts text as people do: frame 2 before frame 10."""
    return [
        (int(part), part) if part.isdecimal() else (-1, part)
        for part in re.split(r'(\d+)', text)
    ]


def pairs_of(
    images: Mapping[Path, Stars], others: Mapping[Path, Stars]
) -> dict[Path, Path]:
    """
    Return the file that belongs to each image that has one: their stars stand for the same.

    Where that is so for no image at all, the last number in the last star decides instead, and the
    other stars must stand for the same: rgb_00050 and sync_depth_00050 belong together.
    RecordingError if several files could belong to an image.
    """
    by_stars = {stars: path for path, stars in others.items()}
    same = {path: by_stars[stars] for path, stars in images.items() if stars in by_stars}
    return same or _by_number(images, others)


def _by_number(
    images: Mapping[Path, Stars], others: Mapping[Path, Stars]
) -> dict[Path, Path]:
    by_number: dict[tuple[Stars, int], list[Path]] = defaultdict(list)
    for path, stars in others.items():
        if (key := _numbered(stars)) is not None:
            by_number[key].append(path)
    paired = {}
    for image, stars in images.items():
        found = by_number.get(key, []) if (key := _numbered(stars)) is not None else []
        if len(found) > 1:
            raise RecordingError(
                f'{str(image)!r} could belong to {str(found[0])!r} or {str(found[1])!r}, which '
                'end in the same number: write more of their names into the patterns'
            )
        if found:
            paired[image] = found[0]
    return paired


def _numbered(stars: Stars) -> tuple[Stars, int] | None:
    number = _LAST_NUMBER.search(stars[-1])
    return (stars[:-1], int(number[1])) if number else None


def _matching(
    folder: Path, parts: Sequence[str], stars: Stars
) -> Iterator[tuple[Path, Stars]]:
    """Return the files below a folder that the parts of a pattern lead to."""
    part, *rest = parts
    for name, found in _names(folder, part):
        path = folder / name
        if rest:
            yield from _matching(path, rest, (*stars, *found))
        elif path.is_file():
            yield path, (*stars, *found)


def _names(folder: Path, part: str) -> Iterator[tuple[str, Stars]]:
    """Return the names in a folder that fit one part of a pattern."""
    if '*' not in part:
        yield part, ()
        return
    fits = re.compile('(.*)'.join(map(re.escape, part.split('*'))))
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    for name in names:
        if not name.startswith('.') and (match := fits.fullmatch(name)):
            yield name, match.groups()
