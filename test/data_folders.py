# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames with exact depth, written as the folders of every data set that can be evaluated."""

from __future__ import annotations

from collections.abc import Sequence
import json
from pathlib import Path
import time
from typing import Any, Final

from clip_depth_ros.core.transforms import quaternion_from
from clip_depth_ros.world.drive import SyntheticFrame
import cv2
import h5py
import numpy as np
from numpy.typing import NDArray

DATE = '2011_09_26'
DRIVE = f'{DATE}_drive_0002_sync'

Frames = Sequence[SyntheticFrame]


def write_raw(root: Path, frames: Frames, *, drive: str = DRIVE) -> Path:
    """Write a drive of KITTI's raw data: images, scans, times, calibration."""
    folder = root / DATE / drive
    for number, frame in enumerate(frames):
        write_png(folder / f'image_02/data/{number:010}.png', frame.rgb[..., ::-1])
        write_scan(folder / f'velodyne_points/data/{number:010}.bin', frame)
    times = '\n'.join(_time(frame.stamp_ns) for frame in frames)
    write_text(folder / 'image_02/timestamps.txt', times)
    write_text(folder / 'velodyne_points/timestamps.txt', times)
    T = frames[0].T_cam_lidar
    write_text(
        root / DATE / 'calib_cam_to_cam.txt',
        f'P_rect_02: {_row(projection(frames[0]))}\nR_rect_00: {_row(np.eye(3))}',
    )
    write_text(
        root / DATE / 'calib_velo_to_cam.txt', f'R: {_row(T[:3, :3])}\nT: {_row(T[:3, 3])}'
    )
    return root


def write_annotated(root: Path, frames: Frames, *, drive: str = DRIVE) -> Path:
    """Write the annotated depth of a drive, and bts.txt, a list of its frames."""
    gt = f'{drive}/proj_depth/groundtruth/image_02'
    for number, frame in enumerate(frames):
        write_depth(root / gt / f'{number:010}.png', frame, 256)
    lines = [
        f'{DATE}/{drive}/image_02/data/{n:010}.png {gt}/{n:010}.png' for n in range(len(frames))
    ]
    write_text(root / 'bts.txt', '\n'.join(lines))
    return root


def write_object(root: Path, frames: Frames) -> Path:
    """Write the training part of KITTI's object data."""
    for number, frame in enumerate(frames):
        write_png(root / f'training/image_2/{number:06}.png', frame.rgb[..., ::-1])
        write_scan(root / f'training/velodyne/{number:06}.bin', frame)
        write_text(
            root / f'training/calib/{number:06}.txt',
            f'P2: {_row(projection(frame))}\nR0_rect: {_row(np.eye(3))}\n'
            f'Tr_velo_to_cam: {_row(frame.T_cam_lidar[:3])}',
        )
    return root


def write_odometry(root: Path, frames: Frames, *, sequence: str = '03') -> Path:
    """Write a sequence of KITTI's odometry data, with poses; cam2 is beside cam0."""
    folder = root / 'sequences' / sequence
    for number, frame in enumerate(frames):
        write_png(folder / f'image_2/{number:06}.png', frame.rgb[..., ::-1])
        write_scan(folder / f'velodyne/{number:06}.bin', frame)
    K = frames[0].intrinsics.matrix()
    projected = np.hstack([K, K @ [[0.06], [0], [0]]])
    T_cam2_cam0 = np.eye(4)
    T_cam2_cam0[0, 3] = 0.06
    T_cam0_lidar = np.linalg.inv(T_cam2_cam0) @ frames[0].T_cam_lidar
    write_text(folder / 'calib.txt', f'P0: {_row(projection(frames[0]))}\nP2: {_row(projected)}\n'
                                     f'Tr: {_row(T_cam0_lidar[:3])}')
    start_ns = frames[0].stamp_ns
    write_text(
        folder / 'times.txt', '\n'.join(f'{(f.stamp_ns - start_ns) / 1e9:e}' for f in frames)
    )
    poses = [_row((frame.T_world_cam @ T_cam2_cam0)[:3]) for frame in frames]
    write_text(root / f'poses/{sequence}.txt', '\n'.join(poses))
    return root


def write_selection(root: Path, frames: Frames) -> Path:
    """Write KITTI's val_selection_cropped."""
    for number, frame in enumerate(frames):
        image = f'{DRIVE}_image_{number:010}_image_02'
        write_png(root / f'image/{image}.png', frame.rgb[..., ::-1])
        gt = f'{DRIVE}_groundtruth_depth_{number:010}_image_02.png'
        write_depth(root / 'groundtruth_depth' / gt, frame, 256)
        write_text(root / f'intrinsics/{image}.txt', _row(frame.intrinsics.matrix()))
    return root


def write_nyu_mat(root: Path, frames: Frames) -> Path:
    """Write NYU's labelled file."""
    root.mkdir(parents=True, exist_ok=True)
    path = root / 'nyu_depth_v2_labeled.mat'
    with h5py.File(path, 'w') as file:
        file['images'] = np.stack([frame.rgb for frame in frames]).transpose(0, 3, 2, 1)
        measured_m = np.stack([known(frame) for frame in frames]).transpose(0, 2, 1)
        file['depths'] = np.where(measured_m > 0, measured_m, 5)  # filled
        file['rawDepths'] = measured_m
    return path


def write_nyu_folder(root: Path, frames: Frames) -> Path:
    """Write images beside depth in millimetres, named as in NYU."""
    for number, frame in enumerate(frames):
        write_png(root / f'rgb/rgb_{number:05}.png', frame.rgb[..., ::-1])
        write_depth(root / f'depth/sync_depth_{number:05}.png', frame, 1000)
    return root


def write_tum(root: Path, frames: Frames) -> Path:
    """Write a folder in the manner of TUM."""
    lists: dict[str, list[str]] = {'rgb': ['# color images'], 'depth': [], 'groundtruth': []}
    for frame in frames:
        seconds = f'{frame.stamp_ns // 10**9}.{frame.stamp_ns % 10**9:09}'
        write_png(root / f'rgb/{seconds}.png', frame.rgb[..., ::-1])
        write_depth(root / f'depth/{seconds}.png', frame, 5000)
        lists['rgb'].append(f'{seconds} rgb/{seconds}.png')
        lists['depth'].append(f'{seconds} depth/{seconds}.png')
        position = ' '.join(f'{number:.6f}' for number in frame.T_world_cam[:3, 3])
        lists['groundtruth'].append(f'{seconds} {position} 0 0 0 1')
    for name, lines in lists.items():
        write_text(root / f'{name}.txt', '\n'.join(lines))
    return root


def write_pngs(root: Path, frames: Frames) -> Path:
    """Write rgb/ and depth/ with PNGs as in KITTI's annotated depth."""
    for number, frame in enumerate(frames):
        write_png(root / f'rgb/{number:010}.png', frame.rgb[..., ::-1])
        write_depth(root / f'depth/{number:010}.png', frame, 256)
    return root


def write_arrays(root: Path, frames: Frames) -> Path:
    """Write rgb/ and depth/ with NumPy arrays in metres."""
    for number, frame in enumerate(frames):
        write_png(root / f'rgb/{number}.png', frame.rgb[..., ::-1])
        (root / 'depth').mkdir(exist_ok=True)
        np.save(root / f'depth/{number}.npy', frame.depth_m)
    return root


def write_diode(root: Path, frames: Frames) -> Path:
    """Write a scan in the manner of DIODE."""
    scan = root / 'val/outdoor/scene_00000/scan_00000'
    for number, frame in enumerate(frames):
        write_png(scan / f'{number}.png', frame.rgb[..., ::-1])
        np.save(scan / f'{number}_depth.npy', known(frame))
        np.save(scan / f'{number}_depth_mask.npy', known(frame) > 0)
    return root


def write_ibims(root: Path, frames: Frames) -> Path:
    """
    Write images, depth, masks, calibration, edges and planes as in ibims1_core_raw.

    The lowest quarter of each image is its floor.
    """
    for number, frame in enumerate(frames):
        write_png(root / f'rgb/room_{number}.png', frame.rgb[..., ::-1])
        write_depth(root / f'depth/room_{number}.png', frame, 65535 / 50)
        for mask in ('mask_invalid', 'mask_transp'):
            write_png(root / mask / f'room_{number}.png', np.ones(frame.depth_m.shape, np.uint8))
        camera = frame.intrinsics
        write_text(
            root / f'calib/room_{number}.txt',
            f'{camera.fx!r},{camera.fy!r},{camera.cx + 1!r},{camera.cy + 1!r}',
        )
        far = known(frame) > 20
        edges = far != np.roll(far, 1, axis=1)
        write_png(root / f'edges/room_{number}.png', edges.astype(np.uint8))
        floor = np.zeros(frame.depth_m.shape, np.uint8)
        floor[-len(floor) // 4:] = 1
        write_png(root / f'mask_floor/room_{number}.png', floor)
        write_text(root / f'mask_floor/room_{number}.txt', '0,0,1,-1.5,0,0,1')
    return root


def write_sun_rgbd(root: Path, frames: Frames) -> Path:
    """Write scenes of SUN RGB-D; what is filled is 1 m away."""
    for number, frame in enumerate(frames):
        scene = root / f'kv2/kinect2data/00000{number}_scene'
        write_png(scene / 'image/a.png', frame.rgb[..., ::-1])
        stored = np.minimum(np.round(known(frame) * 1000), 65535).astype(np.uint16)
        filled = np.where(stored > 0, stored, np.uint16(1000))
        for folder, millimetres in (('depth', stored), ('depth_bfx', filled)):
            turned = (millimetres << 3) | (millimetres >> 13)
            write_png(scene / folder / 'a.png', turned.astype(np.uint16))
        write_text(scene / 'intrinsics.txt', _row(frame.intrinsics.matrix()))
    return root


def write_scannet(root: Path, frames: Frames) -> Path:
    """Write a scene of ScanNet, made small, whose two cameras are one; images are PNGs."""
    scene = root / 'scene0000_00'
    for number, frame in enumerate(frames):
        write_png(scene / f'color/{number}.png', frame.rgb[..., ::-1])
        (scene / f'color/{number}.png').rename(scene / f'color/{number}.jpg')
        write_depth(scene / f'depth/{number}.png', frame, 1000)
        write_text(scene / f'pose/{number}.txt', _row(frame.T_world_cam))
    for camera, size in (('color', (1296, 968)), ('depth', (640, 480))):
        matrix = np.eye(4)
        matrix[:3, :3] = frames[0].intrinsics.scaled_to(*size).matrix()
        write_text(scene / f'intrinsic/intrinsic_{camera}.txt', _row(matrix))
        write_text(scene / f'intrinsic/extrinsic_{camera}.txt', _row(np.eye(4)))
    return root


def write_eth3d(root: Path, frames: Frames) -> Path:
    """Write a scene of ETH3D, of a camera without distortion; images are PNGs."""
    scene, lines = root / 'courtyard', ['# Image list']
    for number, frame in enumerate(frames):
        name = f'dslr_images/DSC_000{number}.JPG'
        write_png(scene / 'image.png', frame.rgb[..., ::-1])
        for folder in ('images', 'ground_truth_depth'):
            (scene / folder / 'dslr_images').mkdir(parents=True, exist_ok=True)
        (scene / 'image.png').rename(scene / 'images' / name)
        depth_m = np.where(np.isfinite(frame.depth_m), frame.depth_m, np.inf)
        (scene / 'ground_truth_depth' / name).write_bytes(depth_m.astype('<f4').tobytes())
        lines += [f'{number} 1 0 0 0 0 0 0 7 {name}', '1.5 2.5 -1']
    camera = frames[0].intrinsics
    write_text(
        scene / 'dslr_calibration_jpg/cameras.txt',
        f'# Camera list\n7 PINHOLE {camera.width} {camera.height} {camera.fx!r} {camera.fy!r} '
        f'{camera.cx + 0.5!r} {camera.cy + 0.5!r}',
    )
    write_text(scene / 'dslr_calibration_jpg/images.txt', '\n'.join(lines))
    return root


T_CAR_CAMERA: Final = np.array(
    [[0, 0, 1, 1.5], [-1, 0, 0, 0.1], [0, -1, 0, 1.4], [0, 0, 0, 1]], np.float64
)
T_CAR_LIDAR: Final = np.array(
    [[0, 1, 0, 0.9], [-1, 0, 0, 0], [0, 0, 1, 1.8], [0, 0, 0, 1]], np.float64
)
"""Where the sensors of a car are: y of the LiDAR looks ahead."""


def rig(frame: SyntheticFrame) -> tuple[NDArray[Any], NDArray[Any]]:
    """Give where a car was when its camera and its LiDAR saw a frame; it moved in between."""
    T_world_car = frame.T_world_cam @ np.linalg.inv(T_CAR_CAMERA)
    moved = np.eye(4)
    moved[:3, 3] = 0.7, -0.1, 0.02
    moved[:2, :2] = [[np.cos(0.01), -np.sin(0.01)], [np.sin(0.01), np.cos(0.01)]]
    return T_world_car, T_world_car @ moved


def write_nuscenes(root: Path, frames: Frames) -> Path:
    """Write a version of nuScenes: a camera ahead, one that looks back, the LiDAR, and a radar."""
    tables: dict[str, list[Any]] = {
        'scene': [{'token': 's', 'name': 'scene-0061'}],
        'sensor': [
            {'token': channel, 'channel': channel, 'modality': modality}
            for channel, modality in (
                ('CAM_FRONT', 'camera'), ('CAM_BACK', 'camera'), ('LIDAR_TOP', 'lidar'),
                ('RADAR_FRONT', 'radar'),
            )
        ],
        'calibrated_sensor': [
            {
                'token': f'mount of {channel}', 'sensor_token': channel, **_as_lists(T),
                'camera_intrinsic': (
                    frames[0].intrinsics.matrix().tolist() if channel.startswith('CAM') else []
                ),
            }
            for channel, T in (
                ('CAM_FRONT', T_CAR_CAMERA), ('CAM_BACK', T_CAR_CAMERA),
                ('LIDAR_TOP', T_CAR_LIDAR), ('RADAR_FRONT', T_CAR_LIDAR),
            )
        ],
        'sample': [], 'sample_data': [], 'ego_pose': [],
    }
    for number, frame in enumerate(frames):
        T_world_car, T_world_then = rig(frame)
        scan = f'samples/LIDAR_TOP/{number}.pcd.bin'
        points = points_of(frame, T_world_then @ T_CAR_LIDAR)
        (root / scan).parent.mkdir(parents=True, exist_ok=True)
        with_ring = np.hstack([points, np.ones((len(points), 2))])
        (root / scan).write_bytes(with_ring.astype('<f4').tobytes())
        files = {'LIDAR_TOP': scan, 'RADAR_FRONT': f'samples/RADAR_FRONT/{number}.pcd'}
        for channel in ('CAM_FRONT', 'CAM_BACK'):
            files[channel] = f'samples/{channel}/{number}.png'
            write_png(root / files[channel], frame.rgb[..., ::-1])
        tables['sample'].append({'token': f'at {number}', 'scene_token': 's'})
        for channel, file in files.items():
            is_camera = channel.startswith('CAM')
            token, T = f'{channel} {number}', T_world_car if is_camera else T_world_then
            tables['ego_pose'].append({'token': token, **_as_lists(T)})
            tables['sample_data'].append({
                'token': token, 'sample_token': f'at {number}', 'ego_pose_token': token,
                'calibrated_sensor_token': f'mount of {channel}', 'filename': file,
                'timestamp': frame.stamp_ns // 1000, 'is_key_frame': True,
                'width': frame.intrinsics.width if is_camera else 0,
                'height': frame.intrinsics.height if is_camera else 0,
            })
    sweep = {**tables['sample_data'][-1], 'token': 'sweep', 'is_key_frame': False}
    tables['sample_data'].append(sweep)
    for name, rows in tables.items():
        write_text(root / f'v1.0-mini/{name}.json', json.dumps(rows))
    return root


def write_ddad(root: Path, frames: Frames) -> Path:
    """Write a scene of DDAD with two cameras, as dgp writes it: zeros are left out."""
    scene, calibration, data = root / '000150', frames[0].intrinsics, []
    samples: list[Any] = []
    for number, frame in enumerate(frames):
        T_world_car, T_world_then = rig(frame)
        seconds = time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(frame.stamp_ns // 10**9))
        stamp = f'{seconds}.{frame.stamp_ns % 10**9:09}'.rstrip('0').rstrip('.') + 'Z'
        for name in ('CAMERA_01', 'CAMERA_05', 'LIDAR'):
            facts: dict[str, Any] = {}
            if name == 'LIDAR':
                points = points_of(frame, T_world_then @ T_CAR_LIDAR)
                facts = {'filename': f'point_cloud/LIDAR/{number}.npz', 'point_format': ['X']}
                (scene / 'point_cloud/LIDAR').mkdir(parents=True, exist_ok=True)
                with_intensity = np.hstack([points, np.ones((len(points), 1))])
                np.savez_compressed(scene / facts['filename'], data=with_intensity)
            else:
                facts = {
                    'filename': f'rgb/{name}/{number}.png', 'width': calibration.width,
                    'height': calibration.height, 'channels': 3,
                }
                write_png(scene / facts['filename'], frame.rgb[..., ::-1])
            T = T_world_then @ T_CAR_LIDAR if name == 'LIDAR' else T_world_car @ T_CAR_CAMERA
            facts['pose'] = _as_proto(T)
            data.append({
                'key': f'{name} {number}', 'id': {'name': name, 'timestamp': stamp},
                'datum': {'point_cloud' if name == 'LIDAR' else 'image': facts},
            })
        samples.append({
            'calibration_key': 'abc', 'datum_keys': [each['key'] for each in data[-3:]],
        })
    numbers = {name: getattr(calibration, name) for name in ('fx', 'fy', 'cx', 'cy')}
    write_text(scene / 'scene_abc.json', json.dumps({'samples': samples, 'data': data}))
    write_text(scene / 'calibration/abc.json', json.dumps({
        'names': ['LIDAR', 'CAMERA_01', 'CAMERA_05'], 'intrinsics': [{}, numbers, numbers],
    }))
    return root


def points_of(frame: SyntheticFrame, T_world_lidar: NDArray[Any]) -> NDArray[np.float64]:
    """Give what a LiDAR that stood somewhere sees through each pixel, float64 (N, 3)."""
    v, u = np.nonzero(np.isfinite(frame.depth_m))
    rays = np.stack([u, v, np.ones(len(u))]).T @ np.linalg.inv(frame.intrinsics.matrix()).T
    in_camera = rays * frame.depth_m[v, u, np.newaxis]
    T_lidar_cam = np.linalg.inv(T_world_lidar) @ frame.T_world_cam
    return np.asarray(in_camera @ T_lidar_cam[:3, :3].T + T_lidar_cam[:3, 3])


def known(frame: SyntheticFrame) -> NDArray[np.float32]:
    """Give depth, 0 where nothing is known."""
    return np.where(np.isfinite(frame.depth_m), frame.depth_m, np.float32(0))


def projection(frame: SyntheticFrame) -> NDArray[np.float64]:
    """Give P, float64 (3, 4)."""
    return np.hstack([frame.intrinsics.matrix(), np.zeros((3, 1))])


def write_png(path: Path, pixels: NDArray[Any]) -> None:
    """Write an image, BGR or grey, and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.ascontiguousarray(pixels))


def write_depth(path: Path, frame: SyntheticFrame, per_metre: float) -> None:
    """Write depth as 16 bits; what does not fit is unknown."""
    stored = np.round(known(frame) * per_metre)
    write_png(path, np.where(stored < 2**16, stored, 0).astype(np.uint16))


def write_scan(path: Path, frame: SyntheticFrame) -> None:
    """Write the scan of a LiDAR that measures exactly, and once through each pixel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    points = points_of(frame, frame.T_world_cam @ frame.T_cam_lidar)
    with_intensity = np.hstack([points, np.ones((len(points), 1))])
    path.write_bytes(with_intensity.astype('<f4').tobytes())


def write_text(path: Path, text: str) -> None:
    """Write text that ends in a line, and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{text}\n')


def _row(numbers: NDArray[Any]) -> str:
    return ' '.join(repr(float(number)) for number in np.asarray(numbers).reshape(-1))


def _as_lists(T: NDArray[Any]) -> dict[str, list[float]]:
    """Give a pose as nuScenes has it: w comes first."""
    x, y, z, w = quaternion_from(T)
    return {'translation': T[:3, 3].tolist(), 'rotation': [w, x, y, z]}


def _as_proto(T: NDArray[Any]) -> dict[str, dict[str, float]]:
    """Give a pose as protobuf's JSON has it."""
    turn = dict(zip(('qx', 'qy', 'qz', 'qw'), quaternion_from(T), strict=True))
    offset = dict(zip('xyz', T[:3, 3].tolist(), strict=True))
    return {
        name: {key: value for key, value in each.items() if value}
        for name, each in (('rotation', turn), ('translation', offset))
    }


def _time(stamp_ns: int) -> str:
    whole = time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(stamp_ns // 10**9))
    return f'{whole}.{stamp_ns % 10**9:09}'
