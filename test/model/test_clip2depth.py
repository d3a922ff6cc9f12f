# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""CLIP2Depth: its size, its condition and what that costs, its range, its settings."""

import copy
import math
import re

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import ClipDepthError, ConfigError
from clip_depth_ros.model.backbone import build_backbone
from clip_depth_ros.model.clip2depth import build_clip2depth, Clip2Depth, mirror_vector, to_metres
from clip_depth_ros.settings.clip2depth import Clip2DepthSettings
from clip_depth_ros.settings.predictor import PredictorSettings
import numpy as np
import pytest
from small_clip2depth import DEEP_VIT, make_lively, small_settings
from small_clips import blobs, small_backbone, SMALL_RESNET, write_json
import torch

SENTENCE = 'how far is this location from the camera?'
VIT_B16 = {'vision_width': 768, 'text_width': 512, 'text_dim': 512, 'patch': Size(16, 16)}
TEXTS = {
    'plain': {},
    'custom': {'custom_text': True},
    'biased': {
        'custom_text': True,
        'text_cfg': {**DEEP_VIT['text_cfg'], 'proj_bias': True},
    },
}


@pytest.fixture
def backbone(tmp_path):
    return small_backbone(tmp_path, DEEP_VIT)[0]


def lively_model(backbone, **changes):
    torch.manual_seed(0)
    model = build_clip2depth(small_settings(**changes), backbone)
    make_lively(model, 1)
    return model


def depth_of(model, backbone, rgbs, condition=None):
    grid = backbone.grid(*rgbs.shape[1:3])
    return model(backbone.taps(rgbs, model.settings.taps), grid, condition)


def saved(backbone, folder):
    path = folder / 'clip.pt'
    torch.save(backbone._clip.state_dict(), path)
    return str(path)


def some_rgbs(height=32, width=80):
    return np.stack([blobs(height, width, seed) for seed in (1, 2)])


class TestSize:
    """For ViT-B/16, built from its sizes alone."""

    def n_trained(self, **settings):
        model = Clip2Depth(Clip2DepthSettings(**settings), **VIT_B16)
        return sum(parameter.numel() for parameter in model.trainable_parameters())

    def test_the_default_is_clipsegs_decoder_and_the_mirror(self):
        assert self.n_trained() == 1_127_009 + 64 * 512 == 1_159_777

    def test_film_can_be_kept_as_it_is(self):
        assert self.n_trained(train_film=False) == 1_094_113

    @pytest.mark.parametrize(('condition', 'n_trained'), [
        ('fixed_mirror', 1_127_009), ('sentence', 1_127_009), ('none', 1_127_009 - 65_664),
    ])
    def test_other_conditions_have_no_mirror_to_train(self, condition, n_trained):
        assert self.n_trained(condition=condition) == n_trained

    def test_the_simple_head_is_smaller(self):
        assert self.n_trained(head='simple') == 1_159_777 - 70_241 + 64 * 256 + 1


class TestMirror:
    @pytest.mark.parametrize('is_framed', [False, True])
    @pytest.mark.parametrize('text', TEXTS)
    def test_words_in_its_place_give_their_sentence(self, tmp_path, text, is_framed):
        """
        Oracle: open_clip's encode_text.

        A mirror whose rows are the embeddings of a sentence's tokens, start and end included, ends
        where open_clip pools, and nothing before that sees the padding.
        """
        backbone, _ = small_backbone(tmp_path, {**DEEP_VIT, **TEXTS[text]})
        tower = backbone.text_tower
        tokens = backbone.text._tokenizer([SENTENCE])
        length = int(tokens.argmax()) + 1
        rows = tower.token_embedding(tokens[0, :length])
        expected = backbone._clip.encode_text(tokens)[0]

        if is_framed:
            found = mirror_vector(tower, rows[1:-1], backbone.text.frame())
        else:
            found = mirror_vector(tower, rows)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
        assert abs(float(found.detach().norm()) - 1) > 0.1  # not brought to unit length

    def test_the_last_position_sees_every_row(self, backbone):
        mirror = torch.randn(6, 64, requires_grad=True)
        mirror_vector(backbone.text_tower, mirror).square().sum().backward()

        assert (mirror.grad.abs().amax(dim=1) > 1e-6).all()

    def test_training_reaches_the_mirror_and_not_the_backbone(self, backbone):
        model = lively_model(backbone).train()
        depth_of(model, backbone, some_rgbs(), model.condition_vector(backbone)).mean().backward()

        assert all(parameter.grad is not None for parameter in model.trainable_parameters())
        assert model.mirror.grad.abs().max() > 0
        assert all(parameter.grad is None for parameter in backbone._clip.parameters())

    @pytest.mark.parametrize(('length', 'is_framed', 'total'), [(78, False, 78), (76, True, 78)])
    def test_more_rows_than_the_text_tower_reads(self, backbone, length, is_framed, total):
        settings = small_settings(mirror_length=length, mirror_framing=is_framed)
        with pytest.raises(ConfigError) as caught:
            build_clip2depth(settings, backbone)

        assert str(caught.value) == (
            f'the text tower of this backbone reads 77 rows, the mirror with its framing has '
            f'{total}: lower mirror_length, or choose a backbone with a longer context_length'
        )

    def test_as_many_rows_as_it_reads(self, backbone):
        for changes in ({'mirror_length': 77}, {'mirror_length': 75, 'mirror_framing': True}):
            vector = lively_model(backbone, **changes).condition_vector(backbone)
            assert vector.shape == (48,)
            assert vector.isfinite().all()

    def test_framing_needs_to_know_start_and_end(self, backbone):
        backbone.text._tokenizer = lambda texts: torch.zeros(len(texts), 77, dtype=torch.long)
        with pytest.raises(ConfigError, match='mirror_framing needs a backbone with the token'):
            lively_model(backbone, mirror_framing=True).condition_vector(backbone)


class TestConditions:
    def test_a_fixed_mirror_is_kept_but_not_trained(self, backbone):
        model = lively_model(backbone, condition='fixed_mirror')

        assert 'mirror' in model.state_dict()
        assert not model.mirror.requires_grad
        assert not model.condition_vector(backbone).grad_fn

    def test_a_sentence_is_encoded_as_it_is(self, backbone):
        model = lively_model(backbone, condition='sentence', sentence=SENTENCE)
        tokens = backbone.text._tokenizer([SENTENCE])

        assert 'mirror' not in model.state_dict()
        torch.testing.assert_close(
            model.condition_vector(backbone), backbone._clip.encode_text(tokens)[0]
        )

    def test_film_can_be_trained_on_a_sentence(self, backbone):
        """Tensors that were made for inference alone could not be."""
        model = lively_model(backbone, condition='sentence').train()
        depth_of(model, backbone, some_rgbs(), model.condition_vector(backbone)).mean().backward()

        assert model.film_mul.weight.grad.abs().max() > 0

    def test_no_condition_needs_nothing(self, backbone):
        model = lively_model(backbone, condition='none')
        model.freeze_condition(backbone)

        assert model.condition_vector(backbone) is None
        assert not [name for name in model.state_dict() if name.startswith(('film', 'mirror'))]
        assert depth_of(model, backbone, some_rgbs()).shape == (2, 32, 80)

    @pytest.mark.parametrize('condition', ['mirror', 'fixed_mirror', 'sentence'])
    def test_film_starts_near_the_identity(self, backbone, condition):
        """Our choice: gamma near 1 and beta near 0 for vectors of the length that CLIP gives."""
        torch.manual_seed(0)
        model = build_clip2depth(small_settings(condition=condition), backbone)
        vector = torch.randn(48) * 10 / 48**0.5
        gamma, beta = model.film_mul(vector), model.film_add(vector)

        assert (gamma - 1).abs().max() < 1
        assert beta.abs().max() < 1
        assert gamma.std() > 0.05


class TestCost:
    """The condition is the same for all images: it is paid for once."""

    @pytest.fixture
    def calls(self, backbone):
        calls = {'text': 0}

        def count(*_):
            calls['text'] += 1

        backbone.text_tower.transformer.register_forward_hook(count)
        return calls

    @pytest.mark.parametrize('changes', [
        {}, {'mirror_framing': True}, {'condition': 'fixed_mirror'}, {'condition': 'sentence'},
    ])
    def test_frozen_and_fresh_condition_answer_the_same(self, backbone, changes):
        model, rgbs = lively_model(backbone, **changes).eval(), some_rgbs()
        with torch.no_grad():
            fresh = depth_of(model, backbone, rgbs, model.condition_vector(backbone))
            model.freeze_condition(backbone)
            frozen = depth_of(model, backbone, rgbs)

        assert torch.equal(fresh, frozen)
        assert fresh.std() > 0.1

    def test_the_text_tower_runs_once_and_not_for_images(self, backbone, calls):
        model = lively_model(backbone).eval()
        model.freeze_condition(backbone)
        assert calls['text'] == 1
        with torch.no_grad():
            for _ in range(3):
                depth_of(model, backbone, some_rgbs())
        assert calls['text'] == 1

    def test_neither_text_tower_nor_mirror_is_needed_for_images(self, backbone):
        model, rgbs = lively_model(backbone).eval(), some_rgbs()
        model.freeze_condition(backbone)
        with torch.no_grad():
            before = depth_of(model, backbone, rgbs)
            backbone.trim(model.settings.taps[-1])
            del model.mirror, model.film_mul, model.film_add

            assert torch.equal(depth_of(model, backbone, rgbs), before)

    def test_training_forgets_the_frozen_condition(self, backbone):
        model = lively_model(backbone)
        model.freeze_condition(backbone)
        model.train()
        with pytest.raises(ClipDepthError) as caught:
            depth_of(model, backbone, some_rgbs())

        assert str(caught.value) == (
            'CLIP2Depth needs its condition: pass condition_vector(backbone), or call '
            'freeze_condition(backbone) once'
        )

    def test_the_frozen_condition_is_derived_and_not_saved(self, backbone):
        model = lively_model(backbone)
        before = set(model.state_dict())
        model.freeze_condition(backbone)

        assert set(model.state_dict()) == before
        assert copy.deepcopy(model).eval()._gamma is not None


class TestDepth:
    @pytest.mark.parametrize('size', [(16, 160), (96, 16), (48, 48), (32, 80)])
    @pytest.mark.parametrize('head', ['refined', 'simple', 'smooth'])
    def test_any_size_in_whole_patches(self, backbone, size, head):
        model = lively_model(backbone, head=head).eval()
        model.freeze_condition(backbone)
        with torch.no_grad():
            depth_m = depth_of(model, backbone, some_rgbs(*size))

        assert depth_m.shape == (2, *size)
        assert depth_m.dtype == torch.float32
        assert 1.0 <= depth_m.min() < depth_m.max() <= 80.0

    @pytest.mark.parametrize('output', ['sigmoid', 'softplus'])
    def test_a_fresh_model_answers_the_middle_of_the_range_in_log_depth(self, backbone, output):
        torch.manual_seed(0)
        model = build_clip2depth(small_settings(output=output), backbone).eval()
        model.freeze_condition(backbone)
        with torch.no_grad():
            depth_m = depth_of(model, backbone, some_rgbs())

        middle_m = math.sqrt(1.0 * 80.0)
        assert 0.7 * middle_m < depth_m.min() < depth_m.max() < 1.4 * middle_m

    @pytest.mark.parametrize('output', ['sigmoid', 'softplus'])
    def test_the_range_is_kept_and_the_order_too(self, output):
        settings = small_settings(output=output)
        depth_m = to_metres(torch.linspace(-200, 200, 401), settings)

        assert depth_m[0] == 1.0
        assert depth_m[-1] == 80.0
        assert (depth_m.diff() >= 0).all()

    def test_by_hand(self):
        zero = torch.zeros(1)

        assert to_metres(zero, small_settings(output='sigmoid')).item() == pytest.approx(40.5)
        assert to_metres(zero, small_settings(output='softplus')).item() == pytest.approx(
            1 + math.log(2)
        )

    @pytest.mark.parametrize('precision', ['bf16', 'fp16'])
    def test_a_backbone_in_16_bits_is_close(self, backbone, tmp_path, precision):
        model, rgbs = lively_model(backbone).eval(), some_rgbs()
        settings = PredictorSettings(
            backbone=write_json(tmp_path, DEEP_VIT), clip_weights=saved(backbone, tmp_path)
        )
        half = build_backbone(settings, 'cpu', precision)
        with torch.no_grad():
            model.freeze_condition(backbone)
            full_m = depth_of(model, backbone, rgbs)
            model.freeze_condition(half)
            half_m = depth_of(model, half, rgbs)

        assert half_m.dtype == torch.float32
        ratio = (half_m / full_m).log().abs()
        assert 0 < ratio.mean() < 0.05


class TestBuilding:
    def test_taps_that_the_backbone_does_not_have(self, backbone):
        with pytest.raises(ConfigError) as caught:
            build_clip2depth(Clip2DepthSettings(), backbone)

        assert str(caught.value) == (
            'taps must be blocks of the image tower, 0 to 4, got [3, 6, 9]'
        )

    def test_a_resnet_is_refused(self, tmp_path):
        resnet, _ = small_backbone(tmp_path, SMALL_RESNET)
        with pytest.raises(ConfigError, match='needs a vision transformer such as ViT-B-16-quick'):
            build_clip2depth(small_settings(), resnet)

    def test_the_seed_decides_where_it_starts(self, backbone):
        states = []
        for _ in range(2):
            torch.manual_seed(4)
            states.append(build_clip2depth(small_settings(), backbone).state_dict())

        assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
        assert states[0]['mirror'].std() == pytest.approx(0.02, rel=0.1)


class TestSettings:
    @pytest.mark.parametrize(('values', 'message'), [
        ({'taps': (3, 3)}, 'taps must be one block or more, counted from 0, ascending'),
        ({'taps': ()}, 'taps must be one block or more, counted from 0, ascending'),
        ({'taps': (-1, 2)}, 'taps must be one block or more, counted from 0, ascending'),
        ({'min_depth_m': 9.0, 'max_depth_m': 9.0}, 'depth range must satisfy 0 < min_depth_m <'),
        ({'reduce_dim': 60, 'n_heads': 8}, 'reduce_dim must be a multiple of n_heads and of 4'),
        ({'condition': 'sentence', 'sentence': ' '}, "condition='sentence' needs a sentence"),
        ({'rays': True}, 'rays need the focal length they belong to: set focal_px'),
        ({'focal_px': 0.1}, 'focal_px: must be 0 or at least 1, got 0.1'),
        ({'hfov_deg': 171.0}, 'hfov_deg'),
        ({'depth': 3}, 'depth'),
    ])
    def test_what_cannot_be_is_refused(self, values, message):
        with pytest.raises(ConfigError, match=re.escape(message)):
            Clip2DepthSettings.from_mapping(values)

    def test_each_says_whether_it_is_the_papers_clipsegs_or_ours(self):
        sources = re.compile(r"the paper|CLIPSeg's|our choice", re.I)
        facts = {'input_height_px', 'input_width_px', 'focal_px', 'hfov_deg'}
        silent = {
            name
            for name, field in Clip2DepthSettings.model_fields.items()
            if not sources.search(field.description)
        }

        assert silent == facts

    def test_they_survive_json(self):
        settings = small_settings(condition='none')

        assert Clip2DepthSettings.from_mapping(settings.model_dump(mode='json')) == settings
