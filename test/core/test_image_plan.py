# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The geometry between a camera image and a network's input."""

from clip_depth_ros.core.image_plan import (
    ImagePlan,
    Padding,
    plan_centre_crop,
    plan_image,
    plan_patches,
    Size,
    Window,
)
from clip_depth_ros.errors import CalibrationError, ConfigError, ImageError
from clip_depth_ros.types import Intrinsics
import cv2
from hypothesis import given, strategies as st
import numpy as np
import pytest

KITTI = Intrinsics(721.5377, 721.5377, 609.5593, 172.854, 1242, 375)


def linear(array, size):
    return cv2.resize(array, (size.width, size.height), interpolation=cv2.INTER_LINEAR)


def never(array, size):
    raise AssertionError('nothing is to be resized')


@st.composite
def plans(draw):
    height, width = draw(st.integers(2, 40)), draw(st.integers(2, 40))
    x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    window = Window(
        x, y, draw(st.integers(1, width - x)), draw(st.integers(1, height - y))
    )
    resized = Size(draw(st.integers(1, 60)), draw(st.integers(1, 60)))
    padding = Padding(*(draw(st.integers(0, 5)) for _ in range(4)))
    return plan_image(
        Size(height, width), crop=window, resized=resized, padding=padding,
        flip=draw(st.booleans()),
    )


def intrinsics_for(size):
    return Intrinsics(50.0, 60.0, size.width / 3, size.height / 4, size.width, size.height)


def test_crop_resize_pad_and_flip_by_hand():
    """Each step moves the principal point as the glossary says."""
    plan = plan_image(
        Size(10, 20), crop=Window(4, 2, 8, 6), resized=Size(12, 16), padding=Padding(1, 2, 3, 4),
        flip=True,
    )
    planned = plan.apply_to_intrinsics(Intrinsics(100, 100, 9, 5, 20, 10))

    assert plan.size == (18, 20)
    # x: 9 - 4 = 5; (5 + 0.5) * 2 - 0.5 = 10.5; + 1 = 11.5; 20 - 1 - 11.5 = 7.5
    # y: 5 - 2 = 3; (3 + 0.5) * 2 - 0.5 = 6.5; + 2 = 8.5
    assert planned == Intrinsics(200, 200, 7.5, 8.5, 20, 18)


@given(plans())
def test_intrinsics_come_back(plan):
    source = intrinsics_for(plan.source)
    back = plan.restore_intrinsics(plan.apply_to_intrinsics(source))

    np.testing.assert_allclose(back.matrix(), source.matrix(), rtol=1e-9, atol=1e-9)
    assert (back.width, back.height) == (source.width, source.height)


@given(plans())
def test_image_and_depth_get_the_planned_size(plan):
    image = np.zeros((*plan.source, 3), np.uint8)
    depth_m = np.ones(plan.source, np.float32)

    assert plan.apply_to_image(image, linear).shape == (*plan.size, 3)
    assert plan.apply_to_depth(depth_m, linear).shape == plan.size


@given(plans())
def test_depth_comes_back_onto_its_crop(plan):
    """A constant survives forth and back; what was cropped away is unknown."""
    depth_m = np.full(plan.source, 7, np.float32)
    back = plan.restore_depth(plan.apply_to_depth(depth_m, linear), linear)

    x, y, width, height = plan.crop
    inside = np.zeros(plan.source, bool)
    inside[y:y + height, x:x + width] = True
    np.testing.assert_allclose(back[inside], 7)
    assert np.isnan(back[~inside]).all()


@pytest.mark.parametrize('flip', [False, True])
@pytest.mark.parametrize('resized', [Size(30, 80), Size(60, 40), Size(96, 128)])
def test_pixels_land_where_the_intrinsics_say(flip, resized):
    """An image that holds its own column number tells where each new pixel came from."""
    plan = plan_image(
        Size(48, 64), crop=Window(10, 5, 40, 30), resized=resized, padding=Padding(3, 0, 2, 0),
        flip=flip,
    )
    columns = np.tile(np.arange(64, dtype=np.float32), (48, 1))
    source = Intrinsics(50, 50, 31, 20, 64, 48)
    planned = plan.apply_to_intrinsics(source)
    seen = plan.apply_to_depth(columns, linear)

    row = plan.size.height // 2
    middle = np.arange(plan.size.width // 3, plan.size.width * 2 // 3)
    ray = (middle - planned.cx) / planned.fx * (-1 if flip else 1)
    np.testing.assert_allclose(seen[row, middle], ray * source.fx + source.cx, atol=1e-3)


def test_padding_is_black_in_images_and_unknown_in_depth():
    plan = plan_image(Size(2, 2), padding=Padding(1, 0, 0, 0))

    assert plan.apply_to_image(np.full((2, 2, 3), 9, np.uint8), never)[0, 0].tolist() == [0, 0, 0]
    assert np.isnan(plan.apply_to_depth(np.ones((2, 2), np.float32), never)[0, 0])


def test_a_plan_that_changes_nothing_copies_nothing():
    image = np.zeros((4, 6, 3), np.uint8)

    assert np.shares_memory(plan_image(Size(4, 6)).apply_to_image(image, never), image)


def test_flip_exchanges_left_and_right():
    image = np.arange(6, dtype=np.uint8).reshape(1, 6)

    flipped = plan_image(Size(1, 6), flip=True).apply_to_image(image, never)
    assert flipped.tolist() == [[5, 4, 3, 2, 1, 0]]


@pytest.mark.parametrize(('source', 'requested', 'stride', 'expected'), [
    ((416, 544), (0, 0), 32, (416, 544)),    # as the released code is fed
    ((375, 1242), (0, 0), 32, (384, 1248)),  # 11.7 and 38.8 patches
    ((370, 1224), (0, 0), 16, (368, 1232)),  # 23.1 and 76.5: halves go up
    ((480, 640), (0, 320), 16, (480, 320)),
    ((480, 640), (100, 100), 14, (98, 98)),
    ((1, 1), (0, 0), 32, (32, 32)),          # at least one patch
])
def test_inputs_are_whole_patches(source, requested, stride, expected):
    plan = plan_patches(Size(*source), Size(*requested), Size(stride, stride))

    assert plan.size == expected
    assert plan.crop == (0, 0, source[1], source[0])  # every pixel is seen


@given(st.integers(1, 3000), st.integers(1, 3000), st.sampled_from([14, 16, 32]))
def test_rounding_moves_a_side_by_half_a_patch_at_most(height, width, stride):
    size = plan_patches(Size(height, width), Size(0, 0), Size(stride, stride)).size

    for planned, own in zip(size, (height, width), strict=True):
        assert planned % stride == 0
        assert planned == stride or abs(planned - own) <= stride / 2


def test_centre_crop_keeps_the_aspect_of_the_target():
    plan = plan_centre_crop(Size(375, 1242), Size(224, 224))

    assert plan.crop == (433, 0, 375, 375)
    assert plan.size == (224, 224)


@given(*(st.integers(1, 500) for _ in range(4)))
def test_a_centre_crop_fits_any_image(height, width, target_height, target_width):
    plan = plan_centre_crop(Size(height, width), Size(target_height, target_width))

    assert plan.size == (target_height, target_width)
    assert plan.crop.width == width or plan.crop.height == height


@pytest.mark.parametrize('crop', [(-1, 0, 5, 5), (0, 0, 21, 5), (16, 0, 5, 5), (0, 0, 5, 0)])
def test_a_crop_outside_the_image_is_refused(crop):
    with pytest.raises(ConfigError, match=r'within the image of 20x10 pixels, got x='):
        plan_image(Size(10, 20), crop=Window(*crop))


def test_impossible_sizes_are_refused():
    with pytest.raises(ConfigError, match='positive size and no negative padding'):
        plan_image(Size(10, 20), resized=Size(0, 5))
    with pytest.raises(ConfigError, match='positive size and no negative padding'):
        plan_image(Size(10, 20), padding=Padding(left=-1))


def test_what_is_of_another_size_is_refused_with_both():
    plan: ImagePlan = plan_image(Size(10, 20))

    with pytest.raises(ImageError, match=r'20x10 pixels, got shape \(20, 10, 3\)'):
        plan.apply_to_image(np.zeros((20, 10, 3), np.uint8), never)
    with pytest.raises(ImageError, match=r'20x10 pixels, got shape \(5, 5\)'):
        plan.restore_depth(np.zeros((5, 5), np.float32), never)
    with pytest.raises(CalibrationError, match='20x10 pixels, got intrinsics of 1242x375'):
        plan.apply_to_intrinsics(KITTI)
    with pytest.raises(CalibrationError, match='20x10 pixels, got intrinsics of 1242x375'):
        plan.restore_intrinsics(KITTI)
