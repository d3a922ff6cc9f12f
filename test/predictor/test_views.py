# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How the network sees an image: at the trained focal length, whole patches, the rest as ratio."""

from __future__ import annotations

import math
from typing import Any

from clip_depth_ros.core.image_plan import MOST_PATCHES, Size
from clip_depth_ros.errors import CalibrationError
from clip_depth_ros.predictor.views import TrainedAt, View, Views
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.types import Intrinsics
from hypothesis import given, strategies as st
import pytest

TRAINED = TrainedAt(Size(96, 320), focal_px=186.0, hfov_deg=81.0)
TINY_PATCH = Size(8, 16)
KITTI = Intrinsics(fx=721.5377, fy=721.5377, cx=609.5593, cy=172.854, width=1242, height=375)
WEBCAM = Intrinsics(fx=525.0, fy=525.0, cx=319.5, cy=239.5, width=640, height=480)


def views(trained: TrainedAt = TRAINED, **values: Any) -> Views:
    return Views(PredictorSettings(**values), trained, TINY_PATCH)


def seen(camera: Intrinsics, **values: Any) -> View:
    return views(**values).of(Size(camera.height, camera.width), camera)


def test_the_camera_of_the_training_is_seen_at_the_size_of_the_training():
    view = seen(KITTI)

    assert view.plan.size == (96, 320)
    assert view.camera == KITTI.scaled_to(320, 96)
    assert view.focal_ratio == pytest.approx(0.9963, abs=1e-4)  # 185.9 and 184.7 of 186 pixels
    assert view.use == 'used'


def test_a_camera_of_another_shape_is_not_squeezed():
    """640 x 480 at 186 of its 525 pixels is 226.7 x 170.06; whole patches are 224 x 168."""
    view = seen(WEBCAM)

    assert view.plan.size == (168, 224)
    assert view.focal_ratio == pytest.approx(525 * 168 / 480 / 186)


@given(
    st.integers(60, 2500), st.integers(60, 2500), st.floats(20, 120), st.floats(50.0, 500.0)
)
def test_what_rounding_leaves_of_the_focal_length_is_in_the_ratio(
    width, height, hfov_deg, focal_px
):
    camera = Intrinsics.of_hfov(hfov_deg, width, height)
    view = Views(PredictorSettings(), TrainedAt(focal_px=focal_px), TINY_PATCH).of(
        Size(height, width), camera
    )
    fx, fy = view.camera.fx, view.camera.fy
    rows, columns = view.plan.size.height // 8, view.plan.size.width // 16

    assert rows * columns <= MOST_PATCHES
    assert view.focal_ratio * focal_px == pytest.approx(math.sqrt(fx * fy))
    if min(rows, columns) > 1 and not views_note(width, height, hfov_deg, focal_px):
        # Half a patch, and half a pixel that rounding adds.
        assert fx / focal_px == pytest.approx(1, abs=8.51 / (view.plan.size.width - 8.5))
        assert fy / focal_px == pytest.approx(1, abs=4.51 / (view.plan.size.height - 4.5))


def views_note(width: int, height: int, hfov_deg: float, focal_px: float) -> list[str]:
    one = Views(PredictorSettings(), TrainedAt(focal_px=focal_px), TINY_PATCH)
    one.of(Size(height, width), Intrinsics.of_hfov(hfov_deg, width, height))
    return one.notes()


@pytest.mark.parametrize(('values', 'size'), [
    ({'input_width_px': 320, 'input_height_px': 96}, (96, 320)),  # squeezed, as asked for
    ({'input_width_px': 448}, (336, 448)),  # the other side follows
    ({'input_height_px': 84}, (88, 112)),
])
def test_a_size_that_is_asked_for_overrules_and_the_ratio_does_the_rest(values, size):
    view = seen(WEBCAM, **values)

    assert view.plan.size == size
    scale = math.sqrt(size[0] / 480 * size[1] / 640)
    assert view.focal_ratio == pytest.approx(525 * scale / 186)


def test_an_unknown_camera_is_assumed_by_the_weights_field_of_view():
    view = views().of(Size(480, 640), None)

    assert view.use == 'assumed'
    assert view.camera.hfov_deg == pytest.approx(81.0)


@pytest.mark.parametrize(('trained', 'values', 'hfov_deg'), [
    (TRAINED, {'assumed_hfov_deg': 100.0}, '100'),
    (TRAINED, {}, '81'),
    (TRAINED._replace(hfov_deg=0.0), {}, '60'),
])
def test_settings_come_before_weights_and_those_before_the_default(trained, values, hfov_deg):
    assert views(trained, **values).describe() == {
        'camera': 'used', 'focal_px': '186', 'assumed_hfov_deg': hfov_deg,
    }


@pytest.mark.parametrize(('trained', 'values', 'said'), [
    (TRAINED, {'camera': 'ignore'}, 'ignored (as set)'),
    (TRAINED._replace(focal_px=0.0), {}, 'ignored (the focal length of the'),
])
def test_an_ignored_camera_leaves_image_and_metres_as_they_are(trained, values, said):
    ignoring = views(trained, **values)
    view = ignoring.of(Size(480, 640), WEBCAM)

    assert (view.plan.size, view.focal_ratio, view.use) == ((96, 320), 1.0, 'ignored')
    assert ignoring.describe()['camera'].startswith(said)


def test_where_the_camera_is_ignored_rays_are_those_of_the_training():
    camera = views(camera='ignore').of(Size(480, 640), WEBCAM).camera
    assert camera == Intrinsics(186.0, 186.0, 159.5, 47.5, 320, 96)


def test_the_camera_of_images_of_another_size_is_refused():
    with pytest.raises(CalibrationError, match='images of 1242x375 pixels, got 640x480'):
        views().of(Size(480, 640), KITTI)


def test_a_very_wide_lens_is_seen_smaller_and_that_is_said():
    """At the trained focal length it would be 4252 x 3189 pixels."""
    wide = views()
    view = wide.of(Size(480, 640), Intrinsics.of_hfov(170, 640, 480))

    assert view.plan.size.height * view.plan.size.width <= MOST_PATCHES * 8 * 16
    assert view.focal_ratio == pytest.approx(0.1957, abs=1e-4)
    assert wide.notes() == [
        'images of 640x480 pixels are seen at 832x624: a network sees 4096 patches and 2097152 '
        'pixels at most'
    ]


@pytest.mark.parametrize('focal', [1e-300, 1e-3, 1e6])
def test_no_focal_length_is_too_much(focal):
    size = seen(Intrinsics(focal, focal, 319.5, 239.5, 640, 480)).plan.size
    assert 1 <= (size.height // 8) * (size.width // 16) <= MOST_PATCHES
