# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames at the network's size, in their order, loaded by any number of processes; the logs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clip_depth_ros.core.depth_images import unknown_rgb
from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import ConfigError, DataError, MissingDependencyError
from clip_depth_ros.sources.samples import Joined
from clip_depth_ros.training.distributed import Ranks
from clip_depth_ros.training.feed import positions_of
from clip_depth_ros.training.frames.frames import Batch, FrameSet, in_chunks, load_batches
from clip_depth_ros.training.frames.geometry import fit_image, fit_target, used_part
from clip_depth_ros.training.frames.inputs import check_windows, input_size, plan_inputs
from clip_depth_ros.training.frames.order import one_group, Order
from clip_depth_ros.training.run import CsvLog, read_log, RunLog
from clip_depth_ros.training.validation import SheetRow, write_sheet
import cv2
import numpy as np
import pytest
from ramps import HEIGHT, Ramps, WIDTH
from small_training import small_settings

SIZE, STRIDE = Size(HEIGHT, WIDTH), Size(8, 16)


def frame_set(source: Ramps, order: Order | None = None, **changes: Any) -> FrameSet:
    settings = small_settings('', **changes)
    return FrameSet(source, plan_inputs(source, settings, STRIDE, 0.0), settings, order)


def loaded(frames: FrameSet, n_workers: int) -> list[Batch]:
    return list(load_batches(frames, [[0, 5], [7, 2]], n_workers))


def test_frames_are_as_their_source_has_them():
    frame, sample = frame_set(Ramps(3))[1], Ramps(3)[1]
    np.testing.assert_array_equal(frame.rgb, sample.rgb)
    np.testing.assert_array_equal(frame.target_m, sample.target_m)
    assert (frame.name, frame.problem) == (sample.name, '')


def test_any_number_of_workers_loads_the_same():
    frames = frame_set(
        Ramps(10), Order(one_group(10), seed=0), augment_rotate_deg=2.0, augment_brightness=0.2,
        augment_zoom=1.5, augment_noise=3.0,
    )
    for alone, shared in zip(loaded(frames, 0), loaded(frames, 2), strict=True):
        assert alone.names == shared.names
        np.testing.assert_array_equal(alone.rgbs, shared.rgbs)
        for target_m, other_m in zip(alone.targets_m, shared.targets_m, strict=True):
            np.testing.assert_array_equal(target_m, other_m)


def test_each_epoch_shows_each_frame_once_in_an_order_of_its_own():
    order = Order(one_group(20), seed=3)
    first, second = ([order.frame_at(20 * epoch + i) for i in range(20)] for epoch in (0, 1))
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second
    assert first != [Order(one_group(20), seed=4).frame_at(i) for i in range(20)]
    assert first == [Order(one_group(20), seed=3).frame_at(i) for i in range(20)]


def test_random_numbers_are_those_of_the_position():
    order = Order(one_group(20), seed=3)
    assert order.rng_at(7).random() == order.rng_at(7).random()
    assert order.rng_at(7).random() != order.rng_at(8).random()


@pytest.mark.parametrize('world_size', [1, 2, 4])
@pytest.mark.parametrize('accumulate', [1, 2])
def test_processes_and_accumulations_share_each_batch(world_size: int, accumulate: int):
    """Whoever loads them, step s sees positions 8 s to 8 s + 7."""
    seen: dict[int, list[int]] = {}
    for rank in range(world_size):
        lists = list(positions_of(range(2, 5), 8, accumulate, Ranks(rank, world_size)))
        assert len(lists) == 3 * accumulate
        for number, each in enumerate(lists):
            seen.setdefault(2 + number // accumulate, []).extend(each)
    assert {step: sorted(each) for step, each in seen.items()} == {
        step: list(range(8 * step, 8 * step + 8)) for step in (2, 3, 4)
    }


def test_processes_must_get_as_many_images_each():
    with pytest.raises(ConfigError, match='each of 3 processes must get as many images, got 8'):
        list(positions_of(range(1), 8, 1, Ranks(0, 3)))


def test_windows_have_their_size_also_for_frames_that_cannot_be_read():
    frames = frame_set(
        Ramps(4, bad=(0, 1)), Order(one_group(4), seed=0),
        augment_crop_width_px=32, augment_crop_height_px=16,
    )
    (batch,) = load_batches(frames, [[0, 1, 2, 3]], 0)
    assert batch.size == (16, 32)
    assert {target_m.shape for target_m in batch.targets_m} == {(16, 32)}
    assert batch.problems == {
        f'frame {i}': f'frame {i} of ramps 0 is truncated' for i in (0, 1)
    }


def test_a_crop_comes_before_resizing():
    whole = Ramps(1)[0]
    assert used_part(whole, 'none') is whole
    with pytest.raises(DataError, match='does not fit into a frame of 64x32'):
        frame_set(Ramps(1), crop='kitti_benchmark')


def test_images_are_resized_and_those_of_the_size_are_left_alone():
    rgb = Ramps(1)[0].rgb
    assert fit_image(rgb, SIZE).base is None or np.shares_memory(fit_image(rgb, SIZE), rgb)
    assert fit_image(rgb, Size(16, 20)).shape == (16, 20, 3)
    grey = np.full((9, 7, 3), 130, np.uint8)
    assert (fit_image(grey, Size(4, 12)) == 130).all()


def test_dense_targets_are_not_mixed():
    target_m = np.full((8, 8), 2.0, np.float32)
    target_m[:, 4:] = 60.0
    assert set(np.unique(fit_target(target_m, Size(3, 5)))) == {2.0, 60.0}


def test_sparse_targets_keep_the_nearest_point_of_each_new_pixel():
    target_m = np.zeros((8, 8), np.float32)
    target_m[1, 1], target_m[1, 2], target_m[7, 7] = 30.0, 10.0, 5.0
    wanted = np.zeros((2, 2), np.float32)
    wanted[0, 0], wanted[1, 1] = 10.0, 5.0
    np.testing.assert_array_equal(fit_target(target_m, Size(2, 2)), wanted)


def test_chunks_are_all_of_it():
    assert in_chunks(range(5), 2) == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize(('asked', 'frame', 'size'), [
    ((0, 0), (35, 70), (32, 64)), ((16, 32), (35, 70), (16, 32)), ((0, 32), (35, 70), (32, 32)),
])
def test_the_input_is_of_whole_patches(
    asked: tuple[int, int], frame: tuple[int, int], size: tuple[int, int]
):
    settings = small_settings('', input_height_px=asked[0], input_width_px=asked[1])
    assert input_size(settings, Size(*frame), Size(8, 16)) == size


@pytest.mark.parametrize(('changes', 'message'), [
    ({'input_height_px': 20}, 'multiples of the patch, 8 x 16, got 20 x 0'),
    ({'augment_crop_height_px': 8, 'augment_crop_width_px': 20}, 'multiples of the patch'),
    ({'augment_crop_height_px': 8, 'augment_crop_width_px': 96}, 'does not fit into frames of'),
])
def test_sizes_that_do_not_fit_are_refused(changes: dict[str, int], message: str):
    settings = small_settings('', **changes)

    def sizes() -> None:
        check_windows(settings, [input_size(settings, Size(35, 70), STRIDE)], STRIDE)

    with pytest.raises(ConfigError, match=message):
        sizes()


def test_frames_smaller_than_a_patch_are_refused():
    with pytest.raises(ConfigError, match='smaller than one patch'):
        input_size(small_settings(''), Size(7, 70), Size(8, 16))


def test_joined_sources_are_one_after_the_other():
    joined = Joined(Ramps(2), Ramps(3, seed=1))
    names = [joined[index].name for index in range(len(joined))]
    assert names == [*(Ramps(2)[i].name for i in range(2)),
                     *(Ramps(3, seed=1)[i].name for i in range(3))]
    assert joined.describe()['1.seed'] == '1'
    with pytest.raises(IndexError):
        joined[5]


def test_a_log_is_whole_after_each_row_and_forgets_what_comes_again(tmp_path: Path):
    path = tmp_path / 'log.csv'
    log = CsvLog(path, ('step', 'loss'))
    for step in range(1, 5):
        log.add({'step': step, 'loss': step / 3})
        assert len(read_log(path)) == step
    path.write_bytes(path.read_bytes() + b'5,0.3')  # killed while writing
    CsvLog(path, ('step', 'loss'), up_to_step=2).add({'step': 3, 'loss': 1.0})
    rows = read_log(path)
    assert [row['step'] for row in rows] == ['1', '2', '3']
    assert float(rows[1]['loss']) == 2 / 3


def test_a_missing_tensorboard_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(__import__('sys').modules, 'torch.utils.tensorboard', None)
    with pytest.raises(MissingDependencyError, match=r'clip_depth_ros\[train\].*train.csv'):
        RunLog(tmp_path, ('abs_rel',), tensorboard=True)


def test_tensorboard_gets_the_same_numbers(tmp_path: Path):
    pytest.importorskip('tensorboard')
    log = RunLog(tmp_path, ('abs_rel',), tensorboard=True)
    log.add('train', {'step': 1, 'loss': 2.0})
    log.add('validation', {'step': 1, 'abs_rel': 0.5})
    log.close()
    (events,) = (tmp_path / 'tensorboard').iterdir()
    assert b'validation/abs_rel' in events.read_bytes()


def test_a_sheet_shows_image_truth_prediction_and_error(tmp_path: Path):
    sample = Ramps(1)[0]
    rows = [SheetRow(sample.rgb, sample.target_m, np.full((16, 32), 20.0, np.float32))] * 2
    write_sheet(tmp_path / 'sheet.png', rows, min_depth_m=1, max_depth_m=80)
    picture = cv2.imread(str(tmp_path / 'sheet.png'))
    assert picture.shape == (22 + 2 * (208 + 4) + 44, 4 * (416 + 4), 3)
    unknown = picture[22:230, 420:836][cv2.resize(
        sample.target_m, (416, 208), interpolation=cv2.INTER_NEAREST
    ) == 0]
    assert (unknown[:, ::-1] == unknown_rgb('turbo')).all()


def test_a_sheet_shows_an_image_that_was_squeezed_for_the_network_at_its_true_shape(
    tmp_path: Path,
):
    gt_m = np.full((30, 100), 20.0, np.float32)
    row = SheetRow(np.zeros((16, 32, 3), np.uint8), gt_m, np.full((16, 32), 20.0, np.float32))
    write_sheet(tmp_path / 'sheet.png', [row], min_depth_m=1, max_depth_m=80)
    assert cv2.imread(str(tmp_path / 'sheet.png')).shape == (22 + 125 + 4 + 44, 4 * (416 + 4), 3)
