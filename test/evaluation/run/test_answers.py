# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whoever answers with depth: predictors as a protocol shows them images, and what is recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from clip_depth_ros.errors import DataError, ImageError
from clip_depth_ros.evaluation.results.camera_use import heading
from clip_depth_ros.evaluation.run.answers import ImageAnswers, RecordedAnswers
from clip_depth_ros.evaluation.run.baselines import Constant
from clip_depth_ros.evaluation.run.evaluate import evaluate
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.predictor.constant import ConstantPredictor
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import DepthMap, Intrinsics, Rgb
import numpy as np
import pytest

CAMERA = Intrinsics(721.5, 721.5, 609.6, 172.9, 1242, 375)


class BrightnessPredictor(ConstantPredictor):
    """Answers the red of each pixel as metres, for images that are not too dark."""

    def __init__(self, depth_m: float) -> None:
        super().__init__(depth_m)
        self.cameras: list[Intrinsics | None] = []

    def predict_batch(
        self, rgbs: Sequence[Rgb], cameras: Sequence[Intrinsics | None] | None = None
    ) -> list[DepthMap]:
        if any(rgb.max() == 0 for rgb in rgbs):
            raise ImageError('an image is black')
        self.sizes = [rgb.shape[:2] for rgb in rgbs]
        known = [*(cameras or [None] * len(rgbs))]
        self.cameras += known
        return [
            DepthMap(rgb[..., 0].astype(np.float32), camera='used' if camera else 'assumed')
            for rgb, camera in zip(rgbs, known, strict=True)
        ]


def sample(height: int = 375, width: int = 1242, *, name: str = 'a') -> DepthSample:
    """Give a frame whose red grows to the right."""
    red = np.linspace(1, 255, width).astype(np.uint8)
    rgb = np.broadcast_to(red[:, np.newaxis], (height, width, 3)).copy()
    return DepthSample(name, rgb, np.ones((height, width), np.float32))


@pytest.fixture
def predictor() -> BrightnessPredictor:
    return BrightnessPredictor(1.0)


def test_without_choices_the_predictor_sees_the_image(predictor):
    [answer] = ImageAnswers(predictor, EvaluationProtocol()).answer([sample()])

    np.testing.assert_array_equal(answer.depth_m, sample().rgb[..., 0])


def test_a_cropped_input_is_put_back_where_it_was(predictor):
    """The bottom centre 1216x352 of 1242x375 starts at (13, 23); outside nothing is known."""
    answers = ImageAnswers(predictor, EvaluationProtocol(input_crop='kb'))
    [answer] = answers.answer([sample()])

    assert predictor.sizes == [(352, 1216)]
    assert answer.depth_m.shape == (375, 1242)
    np.testing.assert_array_equal(answer.depth_m[23:, 13:1229], sample().rgb[23:, 13:1229, 0])
    assert np.isnan(answer.depth_m[:23]).all()
    assert np.isnan(answer.depth_m[:, :13]).all()


def test_flip_averaging_shows_the_image_and_the_flipped_one(predictor):
    """This predictor does not mind being flipped."""
    answers = ImageAnswers(predictor, EvaluationProtocol(flip='average'))
    [answer] = answers.answer([sample()])

    np.testing.assert_array_equal(answer.depth_m, sample().rgb[..., 0])


@pytest.mark.parametrize(('protocol', 'cameras'), [
    ({}, [CAMERA]),
    ({'input_crop': 'kb'}, [CAMERA.cropped(13, 23, 1216, 352)]),
    ({'flip': 'average'}, [CAMERA, CAMERA.flipped()]),
    (
        {'flip': 'ramps', 'input_crop': 'kb'},
        [CAMERA.cropped(13, 23, 1216, 352), CAMERA.cropped(13, 23, 1216, 352).flipped()],
    ),
])
def test_the_camera_comes_with_the_image(predictor, protocol, cameras):
    """It is that of the very image that is shown: cropped and flipped with it."""
    answers = ImageAnswers(predictor, EvaluationProtocol(**protocol))
    frames = [replace(sample(), intrinsics=CAMERA), sample(name='unknown')]
    known, unknown = answers.answer(frames)

    assert predictor.cameras == [shown for camera in cameras for shown in (camera, None)]
    assert (known.camera, unknown.camera) == ('used', 'assumed')


def test_what_became_of_the_camera_is_counted_and_stands_in_the_title(predictor):
    frames = [replace(TwoFrames()[index], intrinsics=CAMERA) for index in range(2)]
    source = TwoFrames([frames[0], replace(frames[1], intrinsics=None)])
    others = {'rival': ConstantPredictor(1.0), 'constant': Constant(1.0)}
    result = evaluate(source, {'ours': predictor, **others}, 'plain', n_workers=1)

    counts = {name: dict(found.cameras) for name, found in result.predictors.items()}
    assert counts == {'ours': {'used': 1, 'assumed': 1}, 'rival': {'ignored': 2}, 'constant': {}}
    assert heading(result) == (
        f'{result.title}, camera used for 1 of 2 frames and assumed for 1 of 2 frames by ours, '
        'ignored by rival'
    )


def test_an_image_that_cannot_be_used_costs_only_its_own_answer(predictor):
    black = DepthSample('black', np.zeros((375, 1242, 3), np.uint8), sample().target_m)
    first, second, third = ImageAnswers(predictor, EvaluationProtocol()).answer(
        [sample(), black, sample()]
    )

    assert isinstance(second, DataError)
    assert 'black' in str(second)
    np.testing.assert_array_equal(first.depth_m, third.depth_m)


def test_an_image_too_small_for_the_crop_is_told(predictor):
    [answer] = ImageAnswers(predictor, EvaluationProtocol(input_crop='kb')).answer(
        [sample(96, 320)]
    )

    assert isinstance(answer, DataError)


def test_a_predictor_is_described_and_closed(predictor, monkeypatch):
    closed = []
    monkeypatch.setattr(predictor, 'close', lambda: closed.append(True))
    answers = ImageAnswers(predictor, EvaluationProtocol())

    assert answers.describe() == predictor.describe()
    answers.close()
    assert closed


class OneFrame:
    """Knows the depth of frame a."""

    def depth_of(self, sample: DepthSample) -> DepthMap:
        if sample.name != 'a':
            raise DataError(f'nothing for {sample.name}')
        return DepthMap(sample.target_m)

    def describe(self) -> Mapping[str, str]:
        return {'topic': '/depth'}

    def close(self) -> None:
        self.is_closed = True


def test_what_is_recorded_is_looked_up_frame_by_frame():
    lookup = OneFrame()
    answers = RecordedAnswers(lookup, EvaluationProtocol())
    first, second = answers.answer([sample(), sample(name='b')])

    np.testing.assert_array_equal(first.depth_m, sample().target_m)
    assert str(second) == 'nothing for b'
    assert answers.describe() == {'topic': '/depth'}
    answers.close()
    assert lookup.is_closed


class OfTheCrop(OneFrame):
    """Has what was predicted for KITTI's benchmark crop."""

    shape = (352, 1216)

    def depth_of(self, sample: DepthSample) -> DepthMap:
        return DepthMap(np.full(self.shape, 7, np.float32))


def test_what_was_predicted_for_the_crop_is_put_back_where_it_was():
    [answer] = RecordedAnswers(OfTheCrop(), EvaluationProtocol(input_crop='kb')).answer([sample()])

    assert answer.depth_m.shape == (375, 1242)
    assert (answer.depth_m[23:, 13:1229] == 7).all()
    assert np.isnan(answer.depth_m[:23]).all()


@pytest.mark.parametrize('shape', [(352, 1216), (176, 608), (88, 304)])
def test_what_was_predicted_for_the_crop_is_not_stretched_over_the_image(shape):
    """Its ratio is within what rounding makes, so that it has to be known by itself."""
    lookup = OfTheCrop()
    lookup.shape = shape
    [answer] = RecordedAnswers(lookup, EvaluationProtocol()).answer([sample()])

    assert isinstance(answer, ImageError)
    assert 'add --override input_crop=kb' in str(answer)


@pytest.mark.parametrize('shape', [(352, 1216), (176, 608)])
def test_an_image_of_the_shape_of_the_crop_is_no_crop(shape):
    lookup = OfTheCrop()
    lookup.shape = shape
    [answer] = RecordedAnswers(lookup, EvaluationProtocol()).answer([sample(176, 608)])

    assert answer.depth_m.shape == shape


class SquarePredictor(ConstantPredictor):
    """Answers a square, whatever it is shown."""

    def predict_batch(self, rgbs: Sequence[Rgb], cameras: object = None) -> list[DepthMap]:
        return [DepthMap(np.ones((352, 352), np.float32)) for _ in rgbs]


def test_an_answer_for_a_crop_is_not_stretched_over_that_either():
    [answer] = ImageAnswers(SquarePredictor(1.0), EvaluationProtocol(input_crop='kb')).answer(
        [sample()]
    )

    assert 'the shape of its image, 1216x352, at any scale, and has 352x352' in str(answer)


@pytest.mark.parametrize('answers', [
    SquarePredictor(1.0),
    RecordedAnswers(OneFrame(), EvaluationProtocol()),
])
def test_whoever_answers_in_another_shape_has_no_score(answers, monkeypatch):
    """The other answer keeps its own; the frame stays, uncovered."""
    monkeypatch.setattr(
        OneFrame, 'depth_of', lambda self, sample: DepthMap(sample.target_m[:, :400])
    )
    result = evaluate(TwoFrames(), {'odd': answers, 'even': ConstantPredictor(1.0)}, 'plain')

    assert [problem.what for problem in result.problems] == ['a, odd', 'b, odd']
    assert 'at any scale, and has' in result.problems[0].why
    assert result.predictors['odd'].estimates['coverage'].mean == 0
    assert result.predictors['even'].estimates['none/abs_rel'].mean == 0


class TwoFrames:
    """Two frames of 1 m."""

    name = 'two frames'

    def __init__(self, frames: Sequence[DepthSample] = ()) -> None:
        self._frames = frames or [sample(name=name) for name in 'ab']

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> DepthSample:
        return self._frames[index]

    def describe(self) -> Mapping[str, str]:
        return {}
