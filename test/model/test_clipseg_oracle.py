# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""CLIPSeg's decoder against transformers' own, with equal random weights; loading its files."""

import re

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import WeightsError
from clip_depth_ros.model.clip2depth import Clip2Depth
from clip_depth_ros.model.clipseg import load_clipseg
import pytest
from safetensors.torch import save_file
from small_clip2depth import small_settings
import torch

transformers = pytest.importorskip('transformers', reason='pip install .[test]')

SIZES = {'vision_width': 24, 'text_width': 20, 'text_dim': 20, 'patch': Size(16, 16)}
TOWER = {'hidden_size': 24, 'intermediate_size': 32, 'num_attention_heads': 2}


@pytest.fixture(params=['refined', 'simple'])
def head(request):
    return request.param


def clipseg(head='refined'):
    """Build CLIPSeg with a small tower and a small decoder, all weights random."""
    torch.manual_seed(5)
    config = transformers.CLIPSegConfig(
        text_config={
            **TOWER, 'hidden_size': 20, 'num_hidden_layers': 1, 'vocab_size': 50,
            'bos_token_id': 0, 'eos_token_id': 1, 'pad_token_id': 1,
        },
        vision_config={
            **TOWER, 'num_hidden_layers': 4, 'image_size': 64, 'patch_size': 16,
        },
        projection_dim=20, extract_layers=[0, 1, 3], reduce_dim=16,
        decoder_num_attention_heads=2, decoder_intermediate_size=40,
        use_complex_transposed_convolution=head == 'refined',
    )
    model = transformers.CLIPSegForImageSegmentation(config).eval()
    random = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.decoder.parameters():  # no bias is zero, no norm is one
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=random))
        for parameter in model.decoder.transposed_convolution.parameters():
            parameter.mul_(0.25)  # answers of about 1, where 1e-5 means something in float32
    return model


def our_model(head='refined', **changes):
    settings = small_settings(
        head=head, taps=(0, 1, 3), reduce_dim=16, n_heads=2, mlp_dim=40, pixels='imagenet',
        **changes,
    )
    return Clip2Depth(settings, **SIZES).eval()


@pytest.fixture
def saved(tmp_path):
    model = clipseg()
    path = tmp_path / 'model.safetensors'
    save_file({name: each.contiguous() for name, each in model.state_dict().items()}, path)
    return path


def saved_bin(folder, head='refined', change=None):
    state = dict(clipseg(head).state_dict())
    if change:
        change(state)
    path = folder / 'pytorch_model.bin'
    torch.save(state, path)
    return path


@pytest.mark.parametrize('side', [4, 7])
def test_equal_weights_give_equal_answers(tmp_path, head, side):
    """Oracle: transformers' CLIPSegDecoder on the same tokens and the same condition."""
    theirs, ours = clipseg(head), our_model(head)
    load_clipseg(ours, saved_bin(tmp_path, head))
    random = torch.Generator().manual_seed(0)
    taps = [torch.randn(2, 1 + side * side, 24, generator=random) for _ in range(3)]
    condition = torch.randn(20, generator=random)
    with torch.no_grad():
        expected = theirs.decoder(tuple(taps), condition.expand(2, -1)).logits
        logits = ours.decoder(taps, Size(side, side), ours._film(condition))

    assert expected.std() > 0.1
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)


def test_images_give_equal_answers(tmp_path):
    """Oracle: the whole of CLIPSeg, whose taps are hidden states 1, 2 and 4: blocks 0, 1 and 3."""
    theirs, ours = clipseg(), our_model()
    load_clipseg(ours, saved_bin(tmp_path))
    random = torch.Generator().manual_seed(0)
    pixels = torch.randn(2, 3, 64, 64, generator=random)
    condition = torch.randn(20, generator=random)
    with torch.no_grad():
        found = theirs(
            pixel_values=pixels, conditional_embeddings=condition.expand(2, -1),
            output_hidden_states=True,
        )
        hidden = found.vision_model_output.hidden_states
        taps = [hidden[block + 1] for block in ours.settings.taps]
        logits = ours.decoder(taps, Size(4, 4), ours._film(condition))

    torch.testing.assert_close(logits, found.logits, atol=1e-5, rtol=1e-5)


def test_safetensors_and_pytorch_files_are_the_same(tmp_path, saved):
    first, second = our_model(), our_model()
    load_clipseg(first, saved)
    load_clipseg(second, saved_bin(tmp_path))

    for name, tensor in first.state_dict().items():
        if name != 'mirror':
            assert torch.equal(tensor, second.state_dict()[name])


def test_the_mirror_is_not_clipsegs(saved):
    model = our_model()
    mirror = model.mirror.detach().clone()
    load_clipseg(model, saved)

    assert torch.equal(model.mirror, mirror)


def test_a_smooth_head_starts_afresh_and_the_rest_does_not(saved):
    model = our_model('smooth')
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    load_clipseg(model, saved)
    same = {
        name for name, tensor in model.state_dict().items() if torch.equal(tensor, before[name])
    }

    assert same == {
        name for name in before if name == 'mirror' or name.startswith('decoder.head.')
    }


def test_without_a_condition_film_is_left_out(saved):
    model = our_model(condition='none')
    load_clipseg(model, saved)

    theirs = clipseg().decoder.state_dict()
    assert torch.equal(model.state_dict()['decoder.reduces.0.weight'], theirs['reduces.0.weight'])


class TestRefusals:
    def message(self, model, path):
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        with pytest.raises(WeightsError) as caught:
            load_clipseg(model, path)
        assert all(torch.equal(each, before[name]) for name, each in model.state_dict().items())
        return str(caught.value)

    def test_a_missing_file(self, tmp_path):
        assert self.message(our_model(), tmp_path / 'none.bin') == (
            f"cannot read CLIPSeg weights '{tmp_path}/none.bin': No such file or directory; "
            'point clipseg_weights to a file that is there and readable'
        )

    def test_weights_of_clip_alone(self, tmp_path):
        path = tmp_path / 'clip.bin'
        torch.save({'visual.proj': torch.zeros(2)}, path)

        assert self.message(our_model(), path) == (
            f"'{path}' holds no CLIPSeg decoder (no decoder.reduces.0.weight): name a "
            'model.safetensors or pytorch_model.bin of CLIPSegForImageSegmentation'
        )

    @pytest.mark.parametrize('suffix', ['bin', 'safetensors'])
    def test_a_truncated_file(self, tmp_path, saved, suffix):
        whole = saved if suffix == 'safetensors' else saved_bin(tmp_path)
        whole.write_bytes(whole.read_bytes()[:-1000])

        message = self.message(our_model(), whole)
        assert message.startswith(f"cannot read CLIPSeg weights '{whole}': ")
        assert message.endswith('and complete: fetch it again and compare its size')

    def test_a_pickled_object_is_not_opened(self, tmp_path):
        class Bomb:
            def __reduce__(self):
                return (pytest.fail, ('a pickle was run',))

        path = tmp_path / 'evil.bin'
        torch.save({'decoder.reduces.0.weight': Bomb()}, path)

        assert self.message(our_model(), path).startswith(
            f"cannot read CLIPSeg weights '{path}': it holds pickled objects beside its tensors "
            '(_pytest.outcomes._Fail)'
        )

    def test_a_list(self, tmp_path):
        path = tmp_path / 'list.bin'
        torch.save([torch.zeros(2)], path)

        assert 'hold no state dict of tensors: save' in self.message(our_model(), path)

    @pytest.mark.parametrize('name', [
        'decoder.layers.1.self_attn.k_proj.weight', 'decoder.layers.0.mlp.fc1.bias',
        'decoder.reduces.1.weight',
    ])
    def test_a_tensor_that_is_missing(self, tmp_path, name):
        path = saved_bin(tmp_path, change=lambda state: state.pop(name))

        assert re.search('is missing|do not fit', self.message(our_model(), path))

    def test_another_head(self, tmp_path):
        path = saved_bin(tmp_path, 'simple')

        assert self.message(our_model('refined'), path).startswith(
            f"CLIPSeg weights '{path}' do not fit: decoder.head.0.weight is missing, "
        )

    def test_another_width(self, saved):
        model = Clip2Depth(
            our_model().settings, **{**SIZES, 'vision_width': 32}
        )

        assert self.message(model, saved) == (
            f"CLIPSeg weights '{saved}' do not fit: decoder.reduces.0.weight is [16, 24], not "
            '[16, 32], decoder.reduces.1.weight is [16, 24], not [16, 32], '
            'decoder.reduces.2.weight is [16, 24], not [16, 32]'
        )
