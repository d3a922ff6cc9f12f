# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Settings: defaults hold together, wrong values are refused in words a person can act on."""

from __future__ import annotations

import contextlib
import itertools
import math
from typing import Any

from clip_depth_ros.errors import ConfigError, WeightsError
from clip_depth_ros.settings.base import Settings
from clip_depth_ros.settings.depth_bins import BINS_M, DEPTH_WORDS, log_spaced
from clip_depth_ros.settings.node import NodeSettings, read_parameters
from clip_depth_ros.settings.pictures import PictureSettings
from clip_depth_ros.settings.predictor import PredictorSettings
from hypothesis import given, strategies as st
import pydantic
import pytest

depths_m = st.floats(0.01, 1000.0)


def test_defaults_are_depthclip_of_the_paper():
    settings = PredictorSettings()
    assert settings.resolved_words() == DEPTH_WORDS['original']
    assert settings.resolved_bins_m() == (1.0, 1.5, 2.0, 2.25, 2.5, 2.75, 3.0)
    assert settings.prompt_templates == ('This {} is {}',)
    assert 100 / settings.resolved_temperature() == pytest.approx(1000)
    assert not settings.allow_download
    assert not settings.scene_aware


@pytest.mark.parametrize('settings', [PredictorSettings(), NodeSettings()])
def test_settings_survive_a_round_trip(settings: Settings):
    assert type(settings).from_mapping(settings.model_dump()) == settings


def test_settings_cannot_be_changed_in_place():
    settings = NodeSettings()
    with pytest.raises(pydantic.ValidationError, match='frozen'):
        settings.cloud_stride = 2  # type: ignore[misc]


@pytest.mark.parametrize('values', [
    {'min_depth_m': 5.0},
    {'max_depth_m': 0.9},
    {'bins_m': [1, 2, 3, 4, 5, 6, 7], 'min_depth_m': 8},
])
def test_a_range_without_any_bin_in_it_is_refused(values: dict[str, Any]):
    with pytest.raises(ConfigError, match=r"all depth bins, .* lie outside.*bins='outdoor'"):
        NodeSettings.from_mapping(values)


def test_values_checked_one_by_one_need_not_go_together():
    NodeSettings.check_each({'bins_m': [1.0, 2.0], 'min_depth_m': 500.0})
    with pytest.raises(ConfigError, match='temperature'):
        NodeSettings.check_each({'bins_m': [1.0, 2.0], 'temperature': -1.0})


def test_changed_gives_new_settings():
    settings = NodeSettings()
    assert settings.changed(cloud_stride=4).cloud_stride == 4
    assert settings.cloud_stride == 1


def test_changed_checks_the_whole():
    """Each value alone is fine; together they are not."""
    with pytest.raises(ConfigError, match=r'min_depth_m=90\.0, max_depth_m=80\.0'):
        NodeSettings().changed(min_depth_m=90.0)


def test_lists_and_whole_numbers_are_as_good_as_tuples_and_floats():
    """YAML and flags give lists, and ``80`` where ``80.0`` is meant."""
    settings = PredictorSettings.from_mapping({'max_depth_m': 60, 'bins_m': [1, 2, 3, 4, 5, 6, 7]})
    assert settings.max_depth_m == 60.0
    assert settings.bins_m == (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)


@pytest.mark.parametrize('words', DEPTH_WORDS)
@pytest.mark.parametrize('bins', [*BINS_M, 'outdoor'])
def test_every_preset_of_words_goes_with_every_preset_of_bins(words: str, bins: str):
    settings = PredictorSettings(prompts=words, bins=bins)
    assert len(settings.resolved_words()) == len(settings.resolved_bins_m()) == 7


def test_own_words_and_bins_come_before_presets():
    settings = PredictorSettings(depth_words=('near', 'far'), bins_m=(1.0, 5.0), bins='scene1')
    assert settings.resolved_words() == ('near', 'far')
    assert settings.resolved_bins_m() == (1.0, 5.0)


def test_outdoor_bins_follow_the_number_of_words_and_the_depth_range():
    settings = PredictorSettings(
        depth_words=('near', 'middle', 'far'), bins='outdoor', min_depth_m=1.0, max_depth_m=100.0
    )
    assert settings.resolved_bins_m() == pytest.approx((1.0, 10.0, 100.0))


def test_log_spaced_by_hand():
    assert log_spaced(1.0, 8.0, 4) == pytest.approx((1.0, 2.0, 4.0, 8.0))
    assert log_spaced(2.0, 8.0, 1) == (2.0,)


@given(depths_m, depths_m, st.integers(2, 30))
def test_log_spaced_hits_its_ends_and_keeps_its_ratio(first_m: float, last_m: float, count: int):
    bins_m = log_spaced(first_m, last_m, count)
    assert len(bins_m) == count
    assert (bins_m[0], bins_m[-1]) == (first_m, last_m)
    ratio = (last_m / first_m) ** (1 / (count - 1))
    ratios = [after / before for before, after in itertools.pairwise(bins_m)]
    assert ratios == pytest.approx([ratio] * (count - 1))


@given(st.sets(st.floats(0.1, 900.0), min_size=1, max_size=12))
def test_any_ascending_bins_with_as_many_words_are_fine(depths: set[float]):
    bins_m = tuple(sorted(depths))
    words = tuple(f'word {i}' for i in range(len(bins_m)))
    settings = PredictorSettings(
        depth_words=words, bins_m=bins_m, min_depth_m=0.01, max_depth_m=1000.0
    )
    assert settings.resolved_bins_m() == bins_m


def test_scenes_by_name_and_by_number():
    settings = PredictorSettings(
        scene_bins=('bath: scene3', 'yard: 1 2 3 4 5 6 7.5', 'street: outdoor'),
        min_depth_m=1.0, max_depth_m=64.0,
    )
    scenes = settings.resolved_scenes()
    assert scenes['bath'] == BINS_M['scene3']
    assert scenes['yard'] == (1, 2, 3, 4, 5, 6, 7.5)
    assert scenes['street'] == pytest.approx((1, 2, 4, 8, 16, 32, 64))


def test_a_scene_name_may_hold_a_colon():
    settings = PredictorSettings(scene_bins=('room: living: original',))
    assert list(settings.resolved_scenes()) == ['room: living']


def test_scenes_are_checked_against_the_words_only_where_they_are_used():
    """The default scenes have seven bins; with three words they matter only when switched on."""
    changes = {'depth_words': ('a', 'b', 'c'), 'bins_m': (1.0, 2.0, 3.0)}
    PredictorSettings.from_mapping(changes)
    with pytest.raises(ConfigError, match=r"3 words .* and 7 bins .* \(scene_bins 'bathroom'\)"):
        PredictorSettings.from_mapping({**changes, 'scene_aware': True})


def test_colours_reach_over_the_bins_unless_told_otherwise():
    assert NodeSettings().color_range_m() == (1.0, 3.0)
    assert NodeSettings(color_min_m=0.5, color_max_m=10.0).color_range_m() == (0.5, 10.0)


def test_colours_reach_over_the_bins_of_all_scenes():
    scenes = ('kitchen: scene3', 'hall: 2 3 4 5 6 7 20')
    settings = NodeSettings(scene_aware=True, scene_bins=scenes)
    assert settings.color_range_m() == (1.0, 20.0)
    assert settings.changed(scene_aware=False).color_range_m() == (1.0, 3.0)


def test_one_bin_alone_is_shown_over_the_depth_range():
    settings = NodeSettings(depth_words=('far',), bins_m=(5.0,))
    assert settings.color_range_m() == (0.5, 80.0)


CLIP2DEPTH: list[dict[str, Any]] = [
    {'method': 'clip2depth'},
    {'clip2depth_weights': 'trained.safetensors'},
    {'backbone': 'tiny', 'pretrained': 'bundled'},
]


@pytest.mark.parametrize('values', CLIP2DEPTH)
def test_words_bins_and_scenes_do_not_matter_to_clip2depth(values: dict[str, Any]):
    """They do to depthclip, on the same weights."""
    wrong = {**values, 'bins_m': [1.0, 2.0], 'scene_aware': True, 'min_depth_m': 5.0}
    assert NodeSettings.from_mapping(wrong).means_clip2depth()
    with pytest.raises(ConfigError, match='7 words'):
        NodeSettings.from_mapping({**wrong, 'method': 'depthclip'})
    with pytest.raises(ConfigError, match='scene_bins'):
        NodeSettings.from_mapping({**wrong, 'scene_bins': ['bathroom']})


@pytest.mark.parametrize('values', CLIP2DEPTH)
def test_colours_reach_to_the_farthest_depth_of_clip2depth(values: dict[str, Any]):
    settings = NodeSettings.from_mapping({**values, 'min_depth_m': 2.0, 'max_depth_m': 60.0})
    assert settings.color_range_m() == settings.answer_range_m() == (2.0, 60.0)
    assert settings.changed(color_max_m=10.0).color_range_m() == (2.0, 10.0)


def test_other_weights_than_the_bundled_clip_have_no_bundled_decoder():
    bundled = {'backbone': 'tiny', 'pretrained': 'bundled'}
    assert PredictorSettings.from_mapping(bundled).uses_bundled()
    own = PredictorSettings.from_mapping({**bundled, 'clip_weights': 'mine.pt'})
    assert not own.uses_bundled()
    assert not own.means_clip2depth()


WRONG: list[tuple[dict[str, Any], str]] = [
    ({'colour_map': 'jet'}, "unknown setting 'colour_map'; did you mean 'color_map'"),
    ({'method': 'midas'}, "method: input .* 'auto', 'clip2depth' or 'depthclip', got 'midas'"),
    (
        {'pretrained': 'bundled'},
        "pretrained='bundled' goes with backbone='tiny' alone, got backbone='RN50-quickgelu'",
    ),
    ({'backbone': 3}, 'backbone: input should be a valid string, got 3'),
    ({'precision': 'fp8'}, "precision: input should be .*, got 'fp8'"),
    ({'device': 'gpu'}, "device: must be auto, cpu, cuda or cuda:N, got 'gpu'"),
    ({'device': 'cuda:'}, "device: must be .*, got 'cuda:'"),
    ({'device': 'cpu\n'}, r"device: must be .*, got 'cpu\\n'"),
    ({'assumed_hfov_deg': 0.5}, 'assumed_hfov_deg: must be 0 or at least 1, got 0.5'),
    ({'bins_focal_px': -3.0}, 'bins_focal_px: .*greater than or equal to 0'),
    ({'input_width_px': -1}, 'input_width_px: .*greater than or equal to 0, got -1'),
    ({'input_height_px': 9000}, 'input_height_px: .*less than or equal to 8192, got 9000'),
    ({'input_width_px': 3.5}, 'input_width_px: .*integer.*, got 3.5'),
    ({'depth_scale': 0.0}, 'depth_scale: .*greater than 0, got 0.0'),
    ({'depth_scale': 1.5}, 'depth_scale: .*less than or equal to 1, got 1.5'),
    ({'min_depth_m': 0.0}, 'min_depth_m: .*greater than 0, got 0.0'),
    ({'max_depth_m': math.inf}, 'max_depth_m: .*finite.*, got inf'),
    ({'min_depth_m': math.nan}, 'min_depth_m: .*finite.*, got nan'),
    (
        {'min_depth_m': 5.0, 'max_depth_m': 5.0},
        'depth range must satisfy 0 < min_depth_m < max_depth_m, got min_depth_m=5.0, max_dep',
    ),
    ({'prompts': 'mine'}, "prompts: .*'original'.*, got 'mine'"),
    ({'bins': 'scene9'}, "bins: .*'scene4' or 'outdoor', got 'scene9'"),
    ({'depth_words': ['near', ' ']}, r"depth_words: must hold no empty text, got \['near', ' '\]"),
    ({'depth_words': 'near'}, "depth_words: .*tuple.*, got 'near'"),
    ({'prompt_objects': []}, r'prompt_objects: must hold at least one text, got \[\]'),
    ({'prompt_objects': ['']}, 'prompt_objects: must hold no empty text'),
    ({'prompt_templates': []}, 'prompt_templates: must hold at least one text'),
    ({'prompt_templates': ['{} only']}, r'prompt_templates: .*exactly 2 "\{\}"'),
    ({'prompt_templates': ['{} {} {}']}, r'prompt_templates: .*exactly 2 "\{\}"'),
    ({'prompt_templates': ['{0} {1}']}, r'prompt_templates: .*exactly 2 "\{\}"'),
    ({'prompt_templates': ['{} {} {']}, 'prompt_templates: .*no other brace'),
    ({'scene_template': 'a photo'}, r'scene_template: .*exactly 1 "\{\}"'),
    ({'bins_m': [1.0, 2.0, 2.0]}, 'bins_m: depth bins must ascend strictly, got'),
    ({'bins_m': [2.0, 1.0]}, r'bins_m: depth bins must ascend strictly, got \[2.0, 1.0\]'),
    ({'bins_m': [0.0, 1.0]}, r'bins_m: depth bins must be positive .* 1000 m, got \[0.0, 1.0\]'),
    ({'bins_m': [-1.0, 1.0]}, 'bins_m: depth bins must be positive'),
    ({'bins_m': [1.0, math.nan]}, 'bins_m.1: .*finite.*, got nan'),
    ({'bins_m': [1.0, 2.0]}, r"7 words \['giant'.* and 2 bins \[1.0, 2.0\] \(bins_m\)"),
    (
        {'depth_words': ['near', 'far']},
        r"2 words \['near', 'far'\] and 7 bins .*\(bins='original'\)",
    ),
    ({'temperature': 1e-5}, 'temperature: must be 0 or at least 0.0001, got 1e-05'),
    ({'flip': 'perhaps'}, "flip: .*boolean.*, got 'perhaps'"),
    ({'scene_bins': ['bathroom']}, "scene_bins entries read .*, got 'bathroom'"),
    ({'scene_bins': [': scene1']}, "scene_bins entries read .*, got ': scene1'"),
    ({'scene_bins': ['bath: scene9']}, "scene_bins 'bath: scene9': bins must be one of .*outdoor"),
    ({'scene_bins': ['bath: 2 1']}, "scene_bins 'bath: 2 1': .*ascend strictly"),
    ({'scene_bins': ['bath: -1 1']}, "scene_bins 'bath: -1 1': .*positive"),
    (
        {'scene_bins': ['a: original'], 'scene_aware': True},
        r"scene_aware needs two scenes or more .*, got scene_bins=\['a'\]",
    ),
    ({'scene_smoothing': 1.0}, 'scene_smoothing: .*less than 1, got 1.0'),
    ({'scene_smoothing': -0.1}, 'scene_smoothing: .*greater than or equal to 0, got -0.1'),
    ({'image_transport': 'theora'}, "image_transport: .*'raw' or 'compressed', got 'theora'"),
    ({'intrinsics_source': 'R'}, "intrinsics_source: .*, got 'R'"),
    ({'sync_mode': 'newest'}, "sync_mode: .*, got 'newest'"),
    ({'sync_tolerance_s': -1.0}, 'sync_tolerance_s: .*, got -1.0'),
    ({'sync_wait_s': 60.0}, 'sync_wait_s: .*, got 60.0'),
    ({'depth_encoding': '64FC1'}, "depth_encoding: .*, got '64FC1'"),
    ({'cloud_stride': 0}, 'cloud_stride: .*, got 0'),
    ({'color_map': 'rainbow'}, "color_map: .*, got 'rainbow'"),
    ({'color_min_m': -1.0}, 'color_min_m: .*, got -1.0'),
    (
        {'color_min_m': 5.0, 'color_max_m': 2.0},
        'colour range must satisfy color_min_m < color_max_m .* got color_min_m=5.0',
    ),
    ({'color_min_m': 3.0}, 'colour range .* got color_min_m=3.0, color_max_m=0.0'),
    ({'autostart': None}, 'autostart: .*, got None'),
]


@pytest.mark.parametrize(('values', 'message'), WRONG, ids=[str(values) for values, _ in WRONG])
def test_wrong_values_are_refused_with_the_reason(values: dict[str, Any], message: str):
    with pytest.raises(ConfigError, match=message):
        NodeSettings.from_mapping(values)


def test_every_wrong_value_is_named_at_once():
    """Correct three mistakes in one go, not in three."""
    with pytest.raises(ConfigError) as caught:
        NodeSettings.from_mapping({'device': 'gpu', 'cloud_stride': 0, 'sped': 1})
    assert all(name in str(caught.value) for name in ('device', 'cloud_stride', 'sped'))


@given(st.dictionaries(
    st.sampled_from(sorted(NodeSettings.model_fields)),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()),
    max_size=4,
))
def test_any_values_are_taken_or_refused_as_our_own_errors(values: dict[str, Any]):
    """Nothing that comes from YAML, such as a model that is not there, ends in another one."""
    with contextlib.suppress(ConfigError, WeightsError):
        settings = NodeSettings.from_mapping(values)
        assert NodeSettings.from_mapping(settings.model_dump()) == settings


class TestWhatWeightsBringAlong:
    """Bins and temperature go with the weights, unless somebody sets them; then it is said."""

    BUNDLED = {'backbone': 'tiny', 'pretrained': 'bundled', 'method': 'depthclip'}  # noqa: RUF012

    def test_bundled_weights_mean_streets(self):
        settings = PredictorSettings.from_mapping(self.BUNDLED)
        assert settings.resolved_bins_m() == log_spaced(1.0, 80.0, 7)
        assert settings.resolved_temperature() == 3.0
        assert settings.answer_range_m() == (1.0, 80.0)
        assert settings.depthclip_notes() == []

    @pytest.mark.parametrize('values', [
        {'pretrained': 'random'}, {'clip_weights': 'mine.pt'}, {'backbone': 'RN50-quickgelu'},
    ])
    def test_others_mean_what_the_paper_s_do(self, values: dict[str, Any]):
        settings = PredictorSettings.from_mapping({'pretrained': 'openai', **values})
        assert settings.resolved_bins_m() == BINS_M['original']
        assert settings.resolved_temperature() == 0.1
        assert settings.depthclip_notes() == []

    def test_there_are_as_many_bins_as_words(self):
        settings = PredictorSettings.from_mapping({**self.BUNDLED, 'depth_words': ['a', 'b']})
        assert settings.resolved_bins_m() == (1.0, 80.0)

    def test_what_is_set_is_done_and_said(self):
        settings = PredictorSettings.from_mapping(
            {**self.BUNDLED, 'bins': 'original', 'temperature': 0.1}
        )
        assert settings.resolved_bins_m() == BINS_M['original']
        assert settings.depthclip_notes() == [
            'depth bins from 1 to 3 m are not what the words of the bundled weights were trained '
            'to mean, 1 to 80 m evenly in log depth, and so depth is wrong: '
            "set bins='auto' and no bins_m",
            'temperature 0.1 is not what suits the bundled weights, 3: set it to 0',
        ]

    def test_bins_that_are_nearly_the_same_are_no_other(self):
        """Those of before, which depended on the range."""
        values = {**self.BUNDLED, 'bins': 'outdoor', 'min_depth_m': 1.0, 'temperature': 3.0}
        assert PredictorSettings.from_mapping(values).depthclip_notes() == []
        assert PredictorSettings.from_mapping({**values, 'min_depth_m': 0.5}).depthclip_notes()

    def test_bins_beyond_the_range_are_said(self):
        settings = PredictorSettings(max_depth_m=2.0)
        assert settings.depthclip_notes() == [
            'depth bins from 1 to 3 m reach beyond min_depth_m=0.5 to max_depth_m=2: answers '
            'there are marked as out of range'
        ]

    @pytest.mark.parametrize('preset', ['kitti', 'indoor', 'synthetic'])
    def test_the_presets_that_come_with_the_package_fit(self, preset: str):
        settings: NodeSettings = NodeSettings.from_mapping(read_parameters(preset))
        assert settings.depthclip_notes() == []


def test_robots_do_not_average_with_the_mirrored_image_and_evaluations_do():
    """It buys 1 % of error for twice the work; papers report with it."""
    assert (PredictorSettings().flip, PictureSettings().flip, NodeSettings().flip) == (
        True, False, False
    )
