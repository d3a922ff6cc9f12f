# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every setting of an evaluation once: default, unit, range, description."""

from __future__ import annotations

from typing import Final, Literal

from clip_depth_ros.settings.base import setting, Settings
from pydantic import field_validator, model_validator

PREDICT: Final = (
    'ours', 'clip2depth', 'depthclip', 'topic', 'dir', 'constant', 'prior', 'random',
)
"""Whose depth can be evaluated."""


class SourceSettings(Settings):
    """Which frames with known depth are evaluated."""

    kind: Literal[
        'auto', 'bag', 'kitti', 'kitti-selection', 'kitti-object', 'nyu', 'tum', 'pattern',
        'synthetic',
    ] = setting(
        'auto',
        'What the sources are. auto looks at them: recordings, KITTI raw with annotated depth or '
        "with LiDAR, its depth benchmark's val_selection_cropped, its object folders, NYU Depth "
        'v2 (labelled .mat or PNG folders), TUM-style RGB-D folders; pattern: any folder, see '
        'images; synthetic: the rendered drive, its sources are seeds (1000000 or '
        '1000000-1000099).',
    )

    # Recordings.
    preset: Literal['auto', 'ours', 'kitti2bag', 'kitti_to_ros2bag', 'none'] = setting(
        'auto',
        'Names of the topics that are not named by flag: those of our own recordings, of '
        'kitti2bag, of kitti_to_ros2bag; auto recognises them; none: the only topic that fits.',
    )
    image_topic: str = setting('', 'Camera images.')
    camera_info_topic: str = setting('', 'Intrinsics of the camera.')
    depth_topic: str = setting(
        '', 'True depth: images, 32FC1 metres or 16UC1 millimetres, registered to the camera.'
    )
    lidar_topic: str = setting('', 'True depth: clouds of a LiDAR, projected into the image.')
    class_topic: str = setting('', 'Class of each pixel: mono8 images.')
    fixed_frame: str = setting(
        '',
        'Frame that does not move, for the motion of the camera on /tf; empty: the root of the '
        'tree that the camera is in.',
    )
    lidar_extrinsics: str = setting(
        '', 'File with the 4 x 4 that takes LiDAR points to the camera; empty: /tf_static.'
    )
    calib_dir: str = setting(
        '',
        'KITTI folder with calib_cam_to_cam.txt and calib_velo_to_cam.txt, for intrinsics and '
        'extrinsics that a recording lacks or has wrong.',
    )
    sync_tolerance_s: float = setting(
        0.05,
        'Largest difference of header stamps of an image and what belongs to it.',
        unit='s',
        ge=0,
    )
    frame_stride: int = setting(1, 'Use every n-th frame.', ge=1)

    # Folders.
    gt_dir: str = setting(
        '',
        'Folder of depth maps: the root of the annotated depth of KITTI; beside a recording, the '
        'folder with its annotated PNGs, whose number is the number of the image.',
    )
    gt_first: int = setting(
        0, 'Beside a recording: number of the depth map that its first image has.', ge=0
    )
    gt_kind: Literal['auto', 'annotated', 'raw-lidar', 'depth-images', 'exact'] = setting(
        'auto',
        'What kind of ground truth it is, where the source does not tell: protocols say which '
        'kind their published numbers are against.',
    )
    split: str = setting(
        '',
        'Which frames, in which order: a split file as BTS or monodepth2 have them, for NYU '
        'numbers of frames or the official splits.mat (its test frames).',
    )
    images: str = setting(
        '', 'For kind pattern: images below the folder, with one or more *, such as rgb/*.png.'
    )
    gt_images: str = setting(
        '',
        'For kind pattern: depth maps, 16-bit PNG or .npy in metres, with as many *; what these '
        'stand for must be the same as in images (its last number, if the words differ).',
    )
    gt_per_metre: float = setting(
        1000.0,
        'For kind pattern: what a PNG stores for each metre: 1000 (millimetres), 256 (KITTI), '
        '5000 (TUM).',
        gt=0,
    )
    intrinsics: tuple[float, ...] = setting(
        (), 'For kind pattern: fx fy cx cy of the images, pixels.', unit='px'
    )

    # The rendered drive.
    frames_per_seed: int = setting(4, 'Frames of each rendered street.', ge=1)
    frame_step: int = setting(
        53, 'Steps of 0.1 s between them; 1 makes them a film.', ge=1
    )
    width_px: int = setting(320, 'Width of rendered images.', unit='px', ge=8)
    height_px: int = setting(96, 'Height of rendered images.', unit='px', ge=8)


class EvaluateSettings(SourceSettings):
    """What an evaluation is made of: frames, answers, how they are compared."""

    predict: tuple[str, ...] = setting(
        (),
        'Whose depth is evaluated; the first is the one in question, the others stand beside it. '
        'ours: this package as its settings say; clip2depth, depthclip: with that method; topic: '
        'depth images in the recording (pred_topic); dir: files (pred_dir); and what needs no '
        'image: constant (the best one for these very frames), prior (mean depth of each pixel '
        'over prior_from), random (uniform over the range). Empty: what pred_topic and pred_dir '
        'name, else ours; then the baselines.',
    )
    pred_topic: tuple[str, ...] = setting(
        (), "Depth images in the recording that other nodes have published, or this package's."
    )
    pred_dir: tuple[str, ...] = setting(
        (), 'Folders of predicted depth maps: .npy in metres, or 16-bit PNG.'
    )
    pred_per_metre: float = setting(
        256.0, 'What a predicted PNG stores for each metre.', gt=0
    )
    prior_from: str = setting(
        '', 'Recording or folder of other frames, of the same kind, that the prior is fitted on.'
    )
    seed: int = setting(0, 'Of random answers and of the bootstrap.', ge=0)

    protocol: str = setting(
        'auto',
        'How answers are compared: the name of a protocol that comes with this package, or your '
        'own YAML file; auto: what is usual for the source.',
    )
    bootstrap_samples: int = setting(
        1000, 'Resamples for the 95 % intervals.', ge=100, le=100000
    )
    bootstrap_block: int = setting(
        1,
        'Frames that are resampled together: 1, the usual; neighbouring frames look alike, so for '
        'a film a second or more of frames gives honester (wider) intervals.',
        ge=1,
    )

    batch_size: int = setting(8, 'Images that a predictor sees at once.', ge=1)
    n_workers: int = setting(2, 'Processes that read frames and compare answers.', ge=1, le=64)

    @field_validator('predict')
    @classmethod
    def _check_predict(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [name for name in names if name not in PREDICT]:
            raise ValueError(f'no {unknown[0]!r} among {", ".join(PREDICT)}')
        return names

    @model_validator(mode='after')
    def _check_named(self) -> EvaluateSettings:
        wanted = {'topic': 'pred_topic', 'dir': 'pred_dir', 'prior': 'prior_from'}
        for name, needed in wanted.items():
            if name in self.predict and not getattr(self, needed):
                raise ValueError(f'predict {name!r} needs {needed}: say where it is')
        return self

    def predicted(self) -> tuple[str, ...]:
        """Return whose depth is evaluated, completed where nothing is named."""
        if self.predict:
            return tuple(dict.fromkeys(self.predict))
        named = {'topic': self.pred_topic, 'dir': self.pred_dir}
        recorded = tuple(name for name, value in named.items() if value)
        prior = ('prior',) if self.prior_from else ()
        return (*(recorded or ('ours',)), 'constant', *prior, 'random')
