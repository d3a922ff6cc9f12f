# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The settings of frames with known depth, the same for training and evaluation.

Which of them a kind of source uses is said in :mod:`clip_depth_ros.sources.kinds`; the others are
refused when it is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final, Literal

from clip_depth_ros.settings.base import ImageLimits, setting

LIDAR_MIN_RANGE_M: Final = 0.5
"""The blind zone of most LiDARs is 0.1 to 0.9 m; KITTI's nearest points are at 1.46 m."""


class SourceSettings(ImageLimits):
    """Which frames of a source are used, and what their true depth is."""

    renamed: ClassVar[Mapping[str, str]] = {'topic_preset': 'topics'}

    kind: str = setting(
        'auto',
        'Kind of the data; auto looks at it. pattern: any folder of images with depth maps, see '
        'images; synthetic: rendered streets, named by their seeds (1000000 or 1000000-1000099).',
    )

    # Recordings.
    topics: Literal['auto', 'ours', 'kitti2bag', 'kitti_to_ros2bag', 'none'] = setting(
        'auto',
        'Names of the topics that are not named one by one: those of our own recordings, of '
        'kitti2bag, of kitti_to_ros2bag; auto recognises them; none: the only topic that fits.',
    )
    image_topic: str = setting('', 'Camera images; empty: the only ones there are.')
    camera_info_topic: str = setting(
        '', 'Intrinsics of the camera; empty: the camera_info beside the images.'
    )
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
    lidar_min_range_m: float = setting(
        LIDAR_MIN_RANGE_M,
        'Points nearer to the LiDAR are no returns: its blind zone, marks for what never came '
        'back, the robot itself.',
        unit='m', ge=0, le=100,
    )
    lidar_extrinsics: str = setting(
        '',
        'File with the 4 x 4, 16 numbers row by row, that takes LiDAR points to the camera; '
        'empty: from /tf_static, else from /tf.',
    )
    calib_dir: str = setting(
        '',
        'KITTI folder with calib_cam_to_cam.txt and calib_velo_to_cam.txt, for intrinsics and '
        'extrinsics that a recording lacks or has wrong.',
    )
    pair_by: Literal['header', 'receive'] = setting(
        'header',
        'What says which messages of a recording belong together: the stamps in their headers, or '
        'when they were received, for sensors whose clocks differ (a LiDAR that counts from its '
        'start). Receive times hold how long each message took.',
    )
    intrinsics_source: Literal['auto', 'P', 'K'] = setting(
        'auto',
        'Which matrix of camera_info describes the images. P: rectified ones; K: unrectified, '
        'with distortion D: a LiDAR is projected through it; auto: P, or K where P is 0 or cannot '
        'be that of rectified images.',
    )
    calibration_scaling: bool = setting(
        False,
        'Scale a calibration that is for images of another size, as these were resized; it is '
        'refused otherwise.',
    )
    sync_tolerance_s: float = setting(
        0.05,
        'Largest difference of the stamps of an image and what belongs to it; where it is not '
        'named, 0.02 for TUM-style folders.',
        unit='s', ge=0, le=3600,
    )
    frame_rate_hz: float = setting(
        0.0,
        "Images a second of KITTI's drives and sequences that lack timestamps.txt or times.txt "
        '(10 in KITTI); 0: these must be there.',
        unit='Hz', ge=0, le=1000,
    )
    frame_stride: int = setting(1, 'Use every n-th frame.', ge=1, le=10**6)

    # Folders.
    gt_dir: str = setting(
        '',
        "Folder of depth maps: the root of KITTI's annotated depth; beside a recording, the "
        'folder with its annotated PNGs, whose number is the number of the image.',
    )
    gt_first: int = setting(
        0, 'Beside a recording: number of the depth map of its first image.', ge=0, le=10**9
    )
    gt_max_range_m: float = setting(
        0.0,
        'Where the range of a depth sensor ends, which it gives for all that is farther: from '
        'there on nothing is known. 0: the largest depth of an image, if enough pixels share it '
        'exactly; a depth that is never reached: nothing is left out.',
        unit='m', ge=0, le=1e6,
    )
    gt_kind: Literal['auto', 'annotated', 'raw-lidar', 'depth-images', 'exact'] = setting(
        'auto',
        'What kind of ground truth it is, where the source does not tell: protocols say which '
        'kind their published numbers are against.',
    )
    split: str = setting(
        '',
        'Which frames, in which order: a split file as BTS ("image depth [focal]") or monodepth2 '
        '("date/drive frame side") have them, for NYU numbers of frames or the official '
        'splits.mat (its test frames).',
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
        'What true depth in 16 bits, a PNG or a 16UC1 topic, stores for each metre: 1000 '
        '(millimetres), 256 (KITTI), 5000 (TUM). Where it is not named, 5000 for TUM-style '
        'folders and 256 for the PNGs of gt_dir.',
        gt=0, le=1e9,
    )
    intrinsics: tuple[float, ...] = setting(
        (),
        'Camera of the images of a folder that does not say it: fx fy cx cy, pixels; and width '
        'height of the images that these numbers are for, which is checked.',
        unit='px',
    )

    # Rendered streets.
    frames_per_seed: int = setting(4, 'Frames of each rendered street.', ge=1, le=10_000)
    frame_step: int = setting(
        53, 'Steps of 0.1 s between the frames of a street; 1 makes them a film.', ge=1, le=10**6
    )
    width_px: int = setting(320, 'Width of rendered images.', unit='px', ge=8, le=4096)
    height_px: int = setting(96, 'Height of rendered images.', unit='px', ge=8, le=4096)
    cameras: Literal['kitti', 'varied', 'corners', 'windows'] = setting(
        'kitti',
        "Cameras that see rendered streets. kitti: KITTI's; varied: another for each seed, of "
        'about width_px x height_px pixels in a shape of its own; corners: by seed too, of kinds '
        'that the bundled weights were never trained on; windows: what they were trained on.',
    )
    lens_factor: float = setting(
        1.0, 'Lenses of rendered streets are longer by this factor.', ge=0.1, le=10.0
    )
