# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What CLIP2Depth needs of the frozen CLIP: tokens of blocks, identity, trimming, bundled file."""

import copy

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import ClipDepthError, ConfigError, WeightsError
from clip_depth_ros.model import pretrained
from clip_depth_ros.model.architecture import find_architecture, IMAGENET_MEAN, IMAGENET_STD
from clip_depth_ros.model.backbone import build_backbone
from clip_depth_ros.model.weights import hash_of_values
from clip_depth_ros.settings.predictor import PredictorSettings
import numpy as np
import open_clip
from open_clip.model import resize_pos_embed
import pytest
from safetensors.torch import save_file
from small_clip2depth import DEEP_VIT
from small_clips import blobs, small_backbone, SMALL_RESNET, write_json
import torch

N_BLOCKS = 5


@pytest.fixture
def deep(tmp_path):
    return small_backbone(tmp_path, DEEP_VIT)


def random_backbone(folder, config=DEEP_VIT, precision='fp32'):
    settings = PredictorSettings(backbone=write_json(folder, config), pretrained='random')
    return build_backbone(settings, 'cpu', precision)


def some_pixels(height, width, n=2):
    return torch.randn(n, 3, height, width, generator=torch.Generator().manual_seed(3))


def calls_of(backbone):
    """Count how often each block of the image tower runs."""
    counts = [0] * N_BLOCKS

    def counter(index):
        def count(*_):
            counts[index] += 1
        return count

    for index, block in enumerate(backbone._clip.visual.transformer.resblocks):
        block.register_forward_hook(counter(index))
    return counts


class TestTaps:
    @pytest.mark.parametrize('size', [(48, 48), (32, 80), (96, 16)])
    def test_they_are_open_clips_own_intermediates(self, deep, size):
        """Oracle: forward_intermediates, blocks counted from 0, class token apart, no norm."""
        backbone, state = deep
        config = copy.deepcopy(DEEP_VIT)
        config['vision_cfg']['image_size'] = size
        model = open_clip.CLIP(**config).eval()
        state = dict(state)
        resize_pos_embed(state, model, antialias=False)  # as CLIPSeg resamples positions
        model.load_state_dict(state)
        pixels = some_pixels(*size)
        with torch.no_grad():
            found = model.visual.forward_intermediates(
                pixels, indices=[1, 3], output_fmt='NLC', output_extra_tokens=True,
                normalize_intermediates=False, intermediates_only=True,
            )
        first = found['image_intermediates_prefix']
        expected = [
            torch.cat([one, rest], dim=1)
            for one, rest in zip(first, found['image_intermediates'], strict=True)
        ]

        taps = backbone.vit.taps(pixels, (1, 3))
        assert taps[0].shape == (2, 1 + (size[0] // 16) * (size[1] // 16), 64)
        for tap, want in zip(taps, expected, strict=True):
            torch.testing.assert_close(tap, want, atol=1e-5, rtol=1e-4)

    def test_they_come_in_the_order_that_was_asked_for(self, deep):
        tower, pixels = deep[0].vit, some_pixels(48, 64)
        ascending, descending = tower.taps(pixels, (0, 2)), tower.taps(pixels, (2, 0))

        assert torch.equal(ascending[0], descending[1])
        assert torch.equal(ascending[1], descending[0])

    def test_blocks_behind_the_last_do_not_run(self, deep):
        counts = calls_of(deep[0])
        deep[0].vit.taps(some_pixels(48, 64), (0, 2))

        assert counts == [1, 1, 1, 0, 0]

    def test_dropped_blocks_change_nothing_but_are_gone(self, deep):
        tower, pixels = deep[0].vit, some_pixels(48, 64)
        before = tower.taps(pixels, (0, 2))
        tower.drop_blocks_after(2)

        assert tower.n_blocks == 3
        assert len(deep[0]._clip.visual.transformer.resblocks) == 3
        for tap, want in zip(tower.taps(pixels, (0, 2)), before, strict=True):
            assert torch.equal(tap, want)
        with pytest.raises(ClipDepthError, match='the last blocks of this image tower were'):
            tower.dense(pixels)

    @pytest.mark.parametrize('blocks', [(1, 5), (-1, 2), ()])
    def test_blocks_that_are_not_there_are_named(self, deep, blocks):
        with pytest.raises(ConfigError) as caught:
            deep[0].vit.taps(some_pixels(48, 48), blocks)

        assert str(caught.value) == (
            f'taps must be blocks of the image tower, 0 to 4, got {list(blocks)}'
        )

    def test_images_are_normalised_as_asked(self, deep):
        backbone = deep[0]
        rgbs = np.stack([blobs(32, 64)])
        own = backbone.pixels(rgbs, backbone.mean, backbone.std)
        imagenet = backbone.pixels(rgbs, IMAGENET_MEAN, IMAGENET_STD)

        assert torch.equal(backbone.taps(rgbs, (1,))[0], backbone.vit.taps(own, (1,))[0])
        assert torch.equal(
            backbone.taps(rgbs, (1,), 'imagenet')[0], backbone.vit.taps(imagenet, (1,))[0]
        )

    def test_a_resnet_has_none(self, tmp_path):
        with pytest.raises(ConfigError, match='CLIP2Depth needs a vision transformer such as'):
            random_backbone(tmp_path, SMALL_RESNET).taps(blobs(32, 32)[None], (0,))

    def test_patches_need_not_be_square(self, tmp_path):
        config = copy.deepcopy(DEEP_VIT)
        config['vision_cfg'].update(patch_size=[8, 16], image_size=[32, 64])
        backbone = random_backbone(tmp_path, config)

        assert backbone.grid(24, 96) == Size(3, 6)
        assert backbone.taps(blobs(24, 96)[None], (1,))[0].shape == (1, 19, 64)


class TestHash:
    def test_it_depends_on_neither_arithmetic_nor_file_format(self, tmp_path):
        state = random_backbone(tmp_path)._clip.state_dict()
        torch.save(state, tmp_path / 'clip.pt')
        save_file({name: each.contiguous() for name, each in state.items()},
                  tmp_path / 'clip.safetensors')
        hashes = {
            build_backbone(
                PredictorSettings(
                    backbone=write_json(tmp_path, DEEP_VIT), clip_weights=str(tmp_path / name)
                ),
                'cpu', precision,
            ).hash
            for name in ('clip.pt', 'clip.safetensors')
            for precision in ('fp32', 'fp16', 'bf16')
        }

        assert hashes == {hash_of_values(state)}

    def test_one_number_more_or_less_changes_it(self, deep):
        _, state = deep
        changed = {name: tensor.clone() for name, tensor in state.items()}
        changed['visual.proj'][3, 4] *= 1.0001

        assert hash_of_values(changed) != hash_of_values(state)
        assert len(hash_of_values(state)) == 64

    def test_golden(self):
        """Files that name a hash must stay readable."""
        state = {'b': torch.tensor([1.0, -2.0]), 'a': torch.tensor(0.5)}

        assert hash_of_values(state) == (
            'bfe8366539cbd79e4835c548a2a3c02a1b42066d0fa7adcf689bf17a458e30d5'
        )


class TestTrim:
    @pytest.mark.parametrize('is_custom', [False, True])
    def test_taps_stay_and_the_rest_is_freed(self, tmp_path, is_custom):
        backbone = random_backbone(tmp_path, {**DEEP_VIT, 'custom_text': is_custom})
        rgbs = np.stack([blobs(32, 64)])
        before, own_hash = backbone.taps(rgbs, (0, 2)), random_backbone(
            tmp_path, {**DEEP_VIT, 'custom_text': is_custom}
        ).hash
        backbone.trim(2)

        left = {name.partition('.')[0] for name, _ in backbone._clip.named_parameters()}
        assert left == {'visual', 'logit_scale'}
        assert backbone.is_trimmed
        assert backbone.hash == own_hash
        for tap, want in zip(backbone.taps(rgbs, (0, 2)), before, strict=True):
            assert torch.equal(tap, want)

    def test_what_is_gone_says_so(self, tmp_path):
        backbone = random_backbone(tmp_path)
        assert not backbone.is_trimmed
        backbone.trim(2)

        for gone in ('text', 'text_tower'):
            with pytest.raises(ClipDepthError, match='the text tower of this backbone was freed'):
                getattr(backbone, gone)
        with pytest.raises(ClipDepthError, match='the last blocks of this image tower were freed'):
            backbone.image_embeddings(blobs(48, 48)[None])


class TestBundled:
    SETTINGS = PredictorSettings(backbone='tiny', pretrained='bundled')

    @pytest.fixture
    def assets(self, tmp_path, monkeypatch):
        monkeypatch.setattr(pretrained, 'assets_dir', lambda: tmp_path)
        return tmp_path

    def test_half_precision_on_disk_is_full_in_memory(self, assets):
        model = find_architecture('tiny').new_model()
        halves = {name: each.half().contiguous() for name, each in model.state_dict().items()}
        save_file(halves, assets / 'tiny_clip.safetensors')
        backbone = build_backbone(self.SETTINGS, 'cpu', 'fp32')

        assert backbone.weights.startswith('bundled: tiny_clip.safetensors (sha256 ')
        assert {parameter.dtype for parameter in backbone._clip.parameters()} == {torch.float32}
        assert backbone.hash == hash_of_values(halves)

    def test_where_they_are_missing_it_says_what_to_do(self, assets):
        with pytest.raises(WeightsError) as caught:
            build_backbone(self.SETTINGS, 'cpu', 'fp32')

        assert str(caught.value) == (
            f"the bundled CLIP weights '{assets}/tiny_clip.safetensors' are not there: install "
            'clip_depth_ros again, train them with "make weights" in a checkout, or name others '
            'with clip_weights'
        )

    def test_they_belong_to_the_tiny_backbone_alone(self):
        with pytest.raises(ConfigError, match="pretrained='bundled' goes with backbone='tiny'"):
            PredictorSettings.from_mapping({'backbone': 'ViT-B-32', 'pretrained': 'bundled'})
