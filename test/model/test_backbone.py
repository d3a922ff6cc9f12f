# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The frozen CLIP: architectures, patches against open_clip's own answers, the text memory."""

import copy

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import ConfigError, DeviceError, MissingDependencyError
from clip_depth_ros.model.architecture import CLIP_MEAN, find_architecture, supported_names
from clip_depth_ros.model.backbone import Backbone, build_backbone
from clip_depth_ros.model.devices import (
    explain_out_of_memory,
    full_float32,
    resolve_device,
    resolve_precision,
)
from clip_depth_ros.model.text import BpeTokenizer, TextEncoder
from clip_depth_ros.settings.predictor import PredictorSettings
import numpy as np
import open_clip
from open_clip.model import resize_pos_embed
import pytest
from small_clips import lively, small_backbone, SMALL_RESNET, SMALL_VIT, TEXT, write_json
import torch


@pytest.fixture(scope='module')
def resnet(tmp_path_factory):
    return small_backbone(tmp_path_factory.mktemp('resnet'), SMALL_RESNET)


@pytest.fixture(scope='module')
def vit(tmp_path_factory):
    return small_backbone(tmp_path_factory.mktemp('vit'), SMALL_VIT)


def some_pixels(height, width, n=2):
    return torch.randn(n, 3, height, width, generator=torch.Generator().manual_seed(3))


def own_model(config, state, image_size=None, **vision):
    """Build open_clip's model with the same weights, at another image size if asked."""
    config = copy.deepcopy(config)
    config['vision_cfg'].update(vision)
    if image_size:
        config['vision_cfg']['image_size'] = image_size
    model = open_clip.CLIP(**config).eval()
    state = dict(state)
    resize_pos_embed(state, model, antialias=False)
    model.load_state_dict(state)
    return model


class TestVit:
    def test_patches_are_open_clips_own_tokens_projected(self, vit):
        """Oracle: open_clip's output_tokens, which it normalises but does not project."""
        backbone, state = vit
        model = own_model(SMALL_VIT, state, output_tokens=True)
        pixels = some_pixels(48, 48)
        with torch.no_grad():
            _, tokens = model.visual(pixels)
            expected = tokens @ model.visual.proj

        patches = backbone.tower.dense(pixels)
        assert patches.shape == (2, 48, 3, 3)
        torch.testing.assert_close(patches.flatten(2).transpose(1, 2), expected)

    @pytest.mark.parametrize('size', [(96, 48), (32, 160), (16, 16)])
    def test_other_sizes_are_those_of_a_model_made_for_them(self, vit, size):
        """Oracle: open_clip's own resampling of the positions on loading, not antialiased."""
        backbone, state = vit
        model = own_model(SMALL_VIT, state, image_size=size, output_tokens=True)
        pixels = some_pixels(*size)
        with torch.no_grad():
            _, tokens = model.visual(pixels)
            expected = (tokens @ model.visual.proj).transpose(1, 2).reshape(2, 48, *grid_of(size))

        torch.testing.assert_close(backbone.tower.dense(pixels), expected, atol=1e-5, rtol=1e-4)

    def test_many_sizes_in_turn_do_not_disturb_each_other(self, vit):
        backbone, _ = vit
        first = backbone.tower.dense(some_pixels(48, 64))
        for columns in range(1, 14):
            backbone.tower.dense(some_pixels(48, 16 * columns))

        torch.testing.assert_close(backbone.tower.dense(some_pixels(48, 64)), first)

    def test_sizes_of_the_tower(self, vit):
        backbone, _ = vit
        assert backbone.tower.stride == (16, 16)
        assert backbone.tower.native_size == (48, 48)
        assert not backbone.is_resnet


def grid_of(size, patch=16):
    return size[0] // patch, size[1] // patch


class TestResnet:
    def test_layer4_is_open_clips(self, resnet):
        backbone, state = resnet
        model = own_model(SMALL_RESNET, state)
        pixels = some_pixels(64, 160)
        with torch.no_grad():
            expected = model.visual.forward_intermediates(
                pixels, indices=[4], intermediates_only=True
            )['image_intermediates'][0]

        maps = backbone.tower.layer4(pixels)
        assert maps.shape == (2, 256, 2, 5)
        torch.testing.assert_close(maps, expected, atol=1e-5, rtol=1e-4)

    def test_patches_average_to_the_pool_that_attends_to_all_equally(self, resnet):
        """
        Oracle: open_clip's attention pool with its queries silenced.

        Without queries the attention is uniform, and the pool's answer is the mean over the mean
        token and the positions of what :meth:`dense` gives at each.
        """
        backbone, state = resnet
        silent = {**state, **{
            name: torch.zeros_like(state[name])
            for name in ('visual.attnpool.q_proj.weight', 'visual.attnpool.q_proj.bias')
        }}
        model = own_model(SMALL_RESNET, silent)
        pixels = some_pixels(96, 96)
        with torch.no_grad():
            expected = model.visual(pixels)
            pool = model.visual.attnpool
            mean = backbone.tower.layer4(pixels).mean(dim=(2, 3)) + pool.positional_embedding[0]
            of_mean_token = pool.c_proj(pool.v_proj(mean))

        patches = backbone.tower.dense(pixels)
        assert patches.shape == (2, 128, 3, 3)
        total = patches.sum(dim=(2, 3)) + of_mean_token
        torch.testing.assert_close(total / 10, expected, atol=1e-5, rtol=1e-4)

    def test_patches_of_other_sizes_keep_the_grid(self, resnet):
        assert resnet[0].tower.dense(some_pixels(32, 352)).shape == (2, 128, 1, 11)

    def test_sizes_of_the_tower(self, resnet):
        backbone, _ = resnet
        assert backbone.tower.stride == (32, 32)
        assert backbone.tower.native_size == (96, 96)
        assert backbone.is_resnet


class TestBackbone:
    def test_pixels_by_hand(self, vit):
        backbone, _ = vit
        rgbs = np.full((1, 2, 2, 3), 255, np.uint8)
        rgbs[..., 1] = 0

        pixels = backbone.pixels(rgbs, (0.5, 0.5, 0.25), (0.5, 0.25, 0.25))
        assert pixels[0, :, 1, 1].tolist() == [1.0, -2.0, 3.0]

    def test_image_embeddings_are_open_clips(self, resnet):
        backbone, state = resnet
        rgbs = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3), np.uint8)
        pixels = backbone.pixels(rgbs, backbone.mean, backbone.std)
        with torch.no_grad():
            expected = own_model(SMALL_RESNET, state).encode_image(pixels, normalize=True)

        torch.testing.assert_close(backbone.image_embeddings(rgbs), expected, atol=1e-5, rtol=1e-4)

    def test_it_is_frozen(self, vit):
        model = vit[0]._clip
        assert not model.training
        assert not any(parameter.requires_grad for parameter in model.parameters())

    def test_random_weights_are_the_same_every_time_and_leave_the_generator_alone(self, tmp_path):
        settings = PredictorSettings(
            backbone=write_json(tmp_path, SMALL_VIT), pretrained='random'
        )
        torch.manual_seed(1)
        before = torch.get_rng_state()
        first = build_backbone(settings, 'cpu', 'fp32')
        after = torch.get_rng_state()
        torch.manual_seed(2)
        second = build_backbone(settings, 'cpu', 'fp32')

        assert torch.equal(before, after)
        assert 'does not see depth' in first.weights
        for one, other in zip(
            first._clip.parameters(), second._clip.parameters(), strict=True
        ):
            assert torch.equal(one, other)

    @pytest.mark.parametrize('config', [SMALL_RESNET, SMALL_VIT], ids=['resnet', 'vit'])
    @pytest.mark.parametrize('precision', ['fp16', 'bf16'])
    def test_half_precision_is_close(self, tmp_path, config, precision):
        settings = PredictorSettings(backbone=write_json(tmp_path, config), pretrained='random')
        pixels = some_pixels(64, 96, n=1)
        full = build_backbone(settings, 'cpu', 'fp32').tower.dense(pixels)
        half = build_backbone(settings, 'cpu', precision)

        answer = half.tower.dense(pixels.to(half._dtype))
        cosine = torch.cosine_similarity(answer.float(), full, dim=1)
        assert answer.dtype == half._dtype
        assert cosine.min() > 0.99

    def test_batch_norms_fold_into_convolutions_and_nothing_else_changes(self, tmp_path):
        backbone, _ = small_backbone(tmp_path, SMALL_RESNET)
        pixels = some_pixels(64, 96)
        before, loaded = backbone.tower.layer4(pixels), backbone.hash
        backbone.fold_norms()

        kinds = {type(module) for module in backbone.visual.modules()}
        torch.testing.assert_close(backbone.tower.layer4(pixels), before, rtol=1e-4, atol=1e-5)
        assert torch.nn.BatchNorm2d not in kinds
        assert backbone.hash == loaded

    def test_tiny_is_the_bundled_architecture(self):
        backbone = build_backbone(
            PredictorSettings(backbone='tiny', pretrained='random'), 'cpu', 'fp32'
        )

        assert backbone.embed_dim == 128
        assert backbone.tower.native_size == (96, 320)
        assert backbone.tower.dense(some_pixels(96, 320, n=1)).shape == (1, 128, 12, 20)
        assert backbone.text.embed(['This object is far']).shape == (1, 128)


class TestArchitecture:
    def test_every_resnet_and_native_vit_of_open_clip_is_supported(self):
        names = supported_names()

        assert {name for name in open_clip.list_models() if name.startswith('RN')} <= set(names)
        assert {'ViT-B-32-quickgelu', 'ViT-L-14-336', 'ViT-H-14-CLIPA'} <= set(names)

    @pytest.mark.parametrize(('name', 'reason'), [
        ('ViT-B-16-SigLIP', r'image tower of timm \(vit_base_patch16_siglip_224\)'),
        ('EVA02-B-16', 'image tower of timm'),
        ('coca_ViT-B-32', 'cross-attention'),
        ('coca_base', 'captioning model'),
        ('roberta-ViT-B-32', r'text tower of Hugging Face \(roberta-base\)'),
    ])
    def test_what_does_not_work_says_why_and_what_does(self, name, reason):
        with pytest.raises(ConfigError, match=f'{reason}.*backbones that do: RN50, .*ViT-S-32'):
            find_architecture(name)

    def test_an_unknown_name_gets_close_ones(self):
        with pytest.raises(ConfigError, match=r"got 'RN50-quikgelu'; did you mean.*'RN50-quick"):
            find_architecture('RN50-quikgelu')

    def test_slashes_in_names_are_taken_as_open_clip_takes_them(self):
        assert find_architecture('ViT-B/32').config == find_architecture('ViT-B-32').config

    def test_pixel_statistics_are_those_of_the_published_weights(self):
        clipa = find_architecture('ViT-H-14-CLIPA', 'datacomp1b')

        assert clipa.mean == (0.485, 0.456, 0.406)
        assert find_architecture('ViT-H-14-CLIPA').mean == clipa.mean  # all its weights agree
        assert find_architecture('ViT-L-14').mean == CLIP_MEAN  # its weights do not
        assert find_architecture('ViT-L-14', 'laion2b_s32b_b82k').mean == (0.5, 0.5, 0.5)

    def test_a_hub_config_brings_its_pixel_statistics(self, tmp_path):
        hub = {'model_cfg': SMALL_VIT, 'preprocess_cfg': {'mean': [0, 0, 0], 'std': [1, 1, 1]}}
        architecture = find_architecture(write_json(tmp_path, hub))

        assert architecture.config == SMALL_VIT
        assert (architecture.mean, architecture.std) == ((0, 0, 0), (1, 1, 1))

    @pytest.mark.parametrize(('config', 'message'), [
        ({'embed_dim': 4}, r"lacks \['vision_cfg', 'text_cfg'\]"),
        ([1, 2], r"lacks \['embed_dim', 'vision_cfg', 'text_cfg'\]"),
        ({**SMALL_VIT, 'vision_cfg': {'wings': 2}}, r"does not describe .*'wings'"),
    ])
    def test_a_json_that_is_no_model_is_refused(self, tmp_path, config, message):
        with pytest.raises(ConfigError, match=message):
            find_architecture(write_json(tmp_path, config)).new_model()

    def test_a_json_that_is_not_there_or_no_json_is_refused(self, tmp_path):
        (tmp_path / 'broken.json').write_text('{')
        for name in ('broken.json', 'absent.json'):
            with pytest.raises(ConfigError, match=f"cannot read backbone '.*{name}' as JSON"):
                find_architecture(str(tmp_path / name))


class CountingTower:
    """A text tower that counts what it reads."""

    def __init__(self):
        self.read = []

    def encode_text(self, tokens):
        self.read.append(len(tokens))
        return tokens[:, :4].float() + 1


class TestTextEncoder:
    @pytest.fixture
    def tower(self):
        return CountingTower()

    @pytest.fixture
    def encoder(self, tower):
        return TextEncoder(tower, BpeTokenizer(TEXT), 'cpu')

    def test_a_sentence_is_read_once(self, tower, encoder):
        first = encoder.embed(['far', 'close'])
        again = encoder.embed(['close', 'far', 'close'])

        assert tower.read == [2]
        torch.testing.assert_close(again, first[[1, 0, 1]])

    def test_what_is_new_is_read_in_one_pass(self, tower, encoder):
        encoder.embed(['far', 'close'])
        encoder.embed(['far', 'near', 'giant', 'near'])

        assert tower.read == [2, 2]

    def test_vectors_have_unit_length(self, encoder):
        torch.testing.assert_close(encoder.embed(['far', 'x']).norm(dim=1), torch.ones(2))

    def test_the_memory_is_bounded(self, tower, encoder):
        for index in range(3):
            encoder.embed([f'{index} {number}' for number in range(2000)])

        assert len(encoder._kept) <= 4096
        assert sum(tower.read) == 6000

    def test_a_sentence_that_would_be_cut_off_is_refused(self, encoder):
        encoder.embed(['far ' * 75])
        with pytest.raises(ConfigError, match=r"may have 75 tokens, got 76 in 'far far"):
            encoder.embed(['far ' * 76])


def test_a_tokenizer_of_hugging_face_says_what_to_install(tmp_path, monkeypatch):
    """The native ViTs with such a tokenizer (CLIPA, worldwide) need the package transformers."""
    monkeypatch.setitem(__import__('sys').modules, 'transformers', None)
    config = {**SMALL_VIT, 'text_cfg': {**TEXT, 'hf_tokenizer_name': 'bert-base-uncased'}}
    settings = PredictorSettings(backbone=write_json(tmp_path, config), pretrained='random')

    with pytest.raises(MissingDependencyError, match=r"'bert-base-uncased': pip install transfor"):
        build_backbone(settings, 'cpu', 'fp32')


class TestDevices:
    @pytest.mark.parametrize(('requested', 'available', 'count', 'expected'), [
        ('auto', False, 0, 'cpu'),
        ('auto', True, 2, 'cuda:0'),
        ('cpu', True, 2, 'cpu'),
        ('cuda', True, 1, 'cuda:0'),
        ('cuda:1', True, 2, 'cuda:1'),
    ])
    def test_device(self, requested, available, count, expected):
        answer = resolve_device(requested, cuda_available=available, device_count=count)
        assert answer == expected

    def test_cuda_that_is_not_there_is_an_error_and_no_silent_cpu(self):
        with pytest.raises(DeviceError, match=r"device='cuda' needs CUDA.*set device='cpu'"):
            resolve_device('cuda', cuda_available=False, device_count=0)
        with pytest.raises(DeviceError, match=r"'cuda:4' is not there.* 2 CUDA.*cuda:0 to cuda:1"):
            resolve_device('cuda:4', cuda_available=True, device_count=2)

    @pytest.mark.parametrize(('requested', 'device', 'expected'), [
        ('auto', 'cpu', 'fp32'), ('auto', 'cuda:0', 'fp16'), ('fp16', 'cpu', 'fp16'),
        ('bf16', 'cpu', 'bf16'), ('fp32', 'cuda:0', 'fp32'),
    ])
    def test_precision(self, requested, device, expected):
        assert resolve_precision(requested, device=device, bf16_supported=False) == expected

    def test_auto_is_bfloat16_on_a_cpu_that_has_instructions_for_it(self):
        assert resolve_precision('auto', device='cpu', bf16_supported=True) == 'bf16'
        assert resolve_precision('auto', device='cuda:0', bf16_supported=True) == 'fp16'

    def test_bfloat16_that_is_not_there_is_an_error(self):
        assert resolve_precision('bf16', device='cuda:0', bf16_supported=True) == 'bf16'
        with pytest.raises(DeviceError, match=r"bfloat16: set precision='fp16'"):
            resolve_precision('bf16', device='cuda:0', bf16_supported=False)

    def test_out_of_memory_says_what_to_lower(self):
        with (
            pytest.raises(DeviceError, match=r'cuda:0 ran out of memory for 2 images.*input_wid'),
            explain_out_of_memory('cuda:0', '2 images'),
        ):
            raise torch.OutOfMemoryError('CUDA out of memory')

    def test_other_errors_pass(self):
        with pytest.raises(RuntimeError, match='else'), explain_out_of_memory('cuda:0', 'x'):
            raise RuntimeError('something else')

    def test_full_float32_leaves_no_trace(self):
        before = torch.backends.cudnn.allow_tf32
        with full_float32('cuda:0', 'fp32'):
            assert not torch.backends.cudnn.allow_tf32
        assert torch.backends.cudnn.allow_tf32 == before


@pytest.mark.gpu
@pytest.mark.parametrize('config', [SMALL_RESNET, SMALL_VIT], ids=['resnet', 'vit'])
def test_cuda_in_fp32_agrees_with_the_cpu(tmp_path, config):
    backbone: Backbone
    settings = PredictorSettings(backbone=write_json(tmp_path, config), pretrained='random')
    answers = []
    for device in ('cpu', 'cuda:0'):
        backbone = build_backbone(settings, device, 'fp32')
        backbone._clip.load_state_dict(lively(backbone._clip.state_dict()))
        with full_float32(device, 'fp32'):
            answers.append(backbone.tower.dense(some_pixels(96, 160).to(device)).cpu())

    torch.testing.assert_close(answers[1], answers[0], atol=1e-4, rtol=1e-3)
    assert backbone.tower.stride == Size(*backbone.tower.stride)
