# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The geometry between a camera image and a network's input."""

from clip_depth_ros.core.image_plan import (
    is_within_limit,
    MOST_PATCHES,
    MOST_PIXELS,
    plan_centre_crop,
    plan_image,
    plan_patches,
    Size,
    Window,
)
from clip_depth_ros.errors import ConfigError, ImageError
from clip_depth_ros.types import Intrinsics
import cv2
from hypothesis import example, given, strategies as st
import numpy as np
import pytest


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
    size = Size(draw(st.integers(1, 60)), draw(st.integers(1, 60)))
    return plan_image(Size(height, width), crop=window, size=size)


@given(plans())
def test_an_image_gets_the_planned_size(plan):
    image = np.zeros((*plan.source, 3), np.uint8)

    assert plan.apply_to_image(image, linear).shape == (*plan.size, 3)


@pytest.mark.parametrize('size', [Size(30, 80), Size(60, 40), Size(96, 128)])
def test_pixels_land_where_the_intrinsics_say(size):
    """An image that holds its own column number tells where each new pixel came from."""
    plan = plan_image(Size(48, 64), crop=Window(10, 5, 40, 30), size=size)
    columns = np.tile(np.arange(64, dtype=np.float32), (48, 1))
    source = Intrinsics(50, 50, 31, 20, 64, 48)
    planned = source.cropped(*plan.crop).scaled_to(size.width, size.height)
    seen = plan.apply_to_image(columns, linear)

    middle = np.arange(size.width // 3, size.width * 2 // 3)
    ray = (middle - planned.cx) / planned.fx
    np.testing.assert_allclose(
        seen[size.height // 2, middle], ray * source.fx + source.cx, atol=1e-3
    )


def test_a_plan_that_changes_nothing_copies_nothing():
    image = np.zeros((4, 6, 3), np.uint8)

    assert np.shares_memory(plan_image(Size(4, 6)).apply_to_image(image, never), image)


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
    source, patch = Size(height, width), Size(stride, stride)
    size = plan_patches(source, Size(0, 0), patch).size

    assert all(side % stride == 0 and side > 0 for side in size)
    if is_within_limit(source, Size(0, 0), patch):
        for planned, own in zip(size, source, strict=True):
            assert planned == stride or abs(planned - own) <= stride / 2


@given(st.integers(1, 100_000), st.integers(1, 100_000), st.sampled_from([14, 16, 32]))
@example(1, 10**7, 16)
@example(10**7, 1, 16)
def test_more_patches_than_a_network_should_see_shrink_with_the_shape_kept(height, width, stride):
    source, patch = Size(height, width), Size(stride, stride)
    size = plan_patches(source, Size(0, 0), patch).size
    rows, columns = (side // stride for side in size)

    assert 1 <= rows * columns <= MOST_PATCHES
    assert size.height * size.width <= MOST_PIXELS
    if not is_within_limit(source, Size(0, 0), patch) and min(rows, columns) > 1:
        # Both shrink alike, but for a patch.
        assert (rows - 1) / (height + stride) <= (columns + 1) / (width - stride)
        assert (columns - 1) / (width + stride) <= (rows + 1) / (height - stride)


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


def test_an_impossible_size_is_refused():
    with pytest.raises(ConfigError, match='a plan needs a positive size'):
        plan_image(Size(10, 20), size=Size(0, 5))


def test_an_image_of_another_size_is_refused_with_both():
    with pytest.raises(ImageError, match=r'20x10 pixels, got shape \(20, 10, 3\)'):
        plan_image(Size(10, 20)).apply_to_image(np.zeros((20, 10, 3), np.uint8), never)
