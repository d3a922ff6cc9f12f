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
        'Kind of data; auto recognises it. pattern: any folder of images with depth maps, see '
        'images; synthetic: rendered streets, named by their seeds (1000000 or 1000000-1000099).',
    )

    # Recordings.
    topics: Literal['auto', 'ours', 'kitti2bag', 'kitti_to_ros2bag', 'none'] = setting(
        'auto',
        'Names for the topics that you do not name yourself: those of our own recordings, of '
        'kitti2bag or of kitti_to_ros2bag; auto recognises them; none: whatever topic is the '
        'only one that fits.',
    )
    image_topic: str = setting('', 'Camera images; empty: found automatically.')
    camera_info_topic: str = setting(
        '', 'Intrinsics of the camera; empty: the camera_info that belongs to the images.'
    )
    depth_topic: str = setting(
        '',
        'True depth as images, 32FC1 in metres or 16UC1 in millimetres, registered to the camera.',
    )
    lidar_topic: str = setting('', 'True depth as LiDAR clouds, projected into the image.')
    class_topic: str = setting('', 'Class of each pixel, as mono8 images.')
    fixed_frame: str = setting(
        '',
        'Frame that does not move, for the motion of the camera on /tf; empty: the root of the '
        'tree that contains the camera.',
    )
    lidar_min_range_m: float = setting(
        LIDAR_MIN_RANGE_M,
        'LiDAR points nearer than this are not taken for returns: the blind zone, marks for '
        'missing returns, the robot itself.',
        unit='m', ge=0, le=100,
    )
    lidar_extrinsics: str = setting(
        '',
        'File with the 4 x 4 matrix, 16 numbers row by row, that takes LiDAR points to the '
        'camera; empty: from /tf_static, otherwise from /tf.',
    )
    calib_dir: str = setting(
        '',
        'KITTI folder with calib_cam_to_cam.txt and calib_velo_to_cam.txt, for intrinsics and '
        'extrinsics that a recording lacks or has wrong.',
    )
    pair_by: Literal['header', 'receive'] = setting(
        'header',
        'What decides which messages of a recording belong together: the stamps in their '
        'headers, or the times at which they were received, for sensors whose clocks differ (a '
        'LiDAR that counts from its start). Receive times include how long each message was '
        'under way.',
    )
    intrinsics_source: Literal['auto', 'P', 'K'] = setting(
        'auto',
        'Which matrix of camera_info describes the images. P: rectified images; K: unrectified, '
        'with distortion D, through which a LiDAR is projected; auto: P, or K if P is 0 or '
        'cannot belong to rectified images.',
    )
    calibration_scaling: bool = setting(
        False,
        'Scale a calibration made for images of another size, if these images were resized; '
        'otherwise it is refused.',
    )
    sync_tolerance_s: float = setting(
        0.05,
        'Largest difference between the stamps of an image and of what belongs to it; if you do '
        'not set it, 0.02 for TUM-style folders.',
        unit='s', ge=0, le=3600,
    )
    frame_rate_hz: float = setting(
        0.0,
        "Images per second of KITTI's drives and sequences that lack timestamps.txt or times.txt "
        '(10 in KITTI); 0: these files are required. Of ScanNet, which never says it (30); 0: the '
        'times of its frames are not known.',
        unit='Hz', ge=0, le=1000,
    )
    frame_stride: int = setting(1, 'Use every n-th frame.', ge=1, le=10**6)

    # Folders.
    gt_dir: str = setting(
        '',
        "Folder of depth maps: the root of KITTI's annotated depth or, for a recording, the "
        'folder with its annotated PNGs, each named by the number of its image.',
    )
    gt_first: int = setting(
        0,
        'For a recording: number of the depth map that belongs to its first image.',
        ge=0, le=10**9,
    )
    gt_max_range_m: float = setting(
        0.0,
        'Where the range of a depth sensor ends, if it reports this value for everything farther '
        'away; from there on depth is unknown. 0: the largest depth of an image, if enough '
        'pixels share it exactly; a depth that is never reached: nothing is left out.',
        unit='m', ge=0, le=1e6,
    )
    gt_kind: Literal['auto', 'annotated', 'raw-lidar', 'depth-images', 'exact'] = setting(
        'auto',
        'What kind of ground truth it is, if the source does not tell: protocols state the kind '
        'that their published numbers use.',
    )
    camera_name: str = setting(
        '',
        'For DDAD and nuScenes: which camera of the car, such as CAMERA_05 or CAM_BACK; empty: '
        'the one that looks ahead; all: each of them.',
    )
    split: str = setting(
        '',
        'Which frames, in which order: a split file in the format of BTS ("image depth [focal]") '
        'or monodepth2 ("date/drive frame side"); for NYU, numbers of frames or the official '
        'splits.mat (its test frames); for DDAD and nuScenes, names of scenes.',
    )
    images: str = setting(
        '', 'For kind pattern: images below the folder, with one or more *, such as rgb/*.png.'
    )
    gt_images: str = setting(
        '',
        'For kind pattern: depth maps, 16-bit PNG, or metres as .npy, .npz, .pfm or .exr, with as '
        'many *. What these match must equal what they match in images (or at least its last '
        'number).',
    )
    masks: str = setting(
        '',
        'For kind pattern: masks of the depth maps, pictures or .npy above 0 where depth counts, '
        'with as many *, or fewer for one that several share.',
    )
    intrinsics_files: str = setting(
        '',
        'For kind pattern: text files with the camera of each image, with as many *, or fewer for '
        'one that several share: K row by row (9, 12 or 16 numbers), fx fy cx cy, or these and '
        'width height.',
    )
    gt_per_metre: float = setting(
        1000.0,
        'The 16-bit value of true depth, in a PNG or a 16UC1 topic, that stands for one metre: '
        '1000 (millimetres), 256 (KITTI), 5000 (TUM). If you do not set it, 5000 for TUM-style '
        'folders and 256 for the PNGs of gt_dir.',
        gt=0, le=1e9,
    )
    intrinsics: tuple[float, ...] = setting(
        (),
        'Camera of the images of a folder that does not state it: fx fy cx cy in pixels, then '
        'the width and height of the images that these numbers are for, which are checked.',
        unit='px',
    )

    # Rendered streets.
    frames_per_seed: int = setting(4, 'Frames of each rendered street.', ge=1, le=10_000)
    frame_step: int = setting(
        53,
        'Steps of 0.1 s between the frames of a street; 1 makes a continuous film.',
        ge=1, le=10**6,
    )
    width_px: int = setting(320, 'Width of rendered images.', unit='px', ge=8, le=4096)
    height_px: int = setting(96, 'Height of rendered images.', unit='px', ge=8, le=4096)
    cameras: Literal['kitti', 'varied', 'corners', 'windows'] = setting(
        'kitti',
        "Cameras that see the rendered streets. kitti: KITTI's; varied: a different one for each "
        'seed, of about width_px x height_px pixels and a shape of its own; corners: also by '
        'seed, of kinds that the bundled weights were never trained on; windows: what they were '
        'trained on.',
    )
    lens_factor: float = setting(
        1.0, 'Factor by which the lenses of rendered streets are longer.', ge=0.1, le=10.0
    )
