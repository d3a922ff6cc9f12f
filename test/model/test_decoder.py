# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""CLIPSeg's decoder at any shape: grids, patches, the condition, the order of levels."""

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.model.decoder import Decoder, new_head
from hypothesis import given, settings, strategies as st
import pytest
from small_clip2depth import make_lively
import torch
from torch import nn

HEADS = ('refined', 'simple', 'smooth')


def small_decoder(head='refined', patch=(8, 8), n_levels=3, **sizes):
    torch.manual_seed(1)
    sizes = {'reduce_dim': 16, 'n_heads': 2, 'mlp_dim': 24, **sizes}
    decoder = Decoder(n_levels, 12, head=head, patch=Size(*patch), **sizes)
    make_lively(decoder, 2)
    return decoder.eval()


def some_taps(grid, n_levels=3, n_images=2, seed=0):
    random = torch.Generator().manual_seed(seed)
    n_tokens = 1 + grid[0] * grid[1]
    return [torch.randn(n_images, n_tokens, 12, generator=random) for _ in range(n_levels)]


@settings(max_examples=25)
@given(
    st.sampled_from(HEADS),
    st.tuples(st.integers(1, 5), st.integers(1, 7)),
    st.tuples(st.sampled_from([1, 7, 8, 14, 16]), st.sampled_from([8, 16, 32])),
    st.integers(1, 3),
)
def test_one_number_for_each_pixel_at_any_grid_and_patch(head, grid, patch, n_images):
    """Nothing takes a square root of a token count."""
    decoder = small_decoder(head, patch)
    with torch.no_grad():
        logits = decoder(some_taps(grid, n_images=n_images), Size(*grid))

    assert logits.shape == (n_images, grid[0] * patch[0], grid[1] * patch[1])
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()


@pytest.mark.parametrize(('head', 'reach'), [('simple', 0), ('refined', 1), ('smooth', 2)])
@pytest.mark.parametrize('place', [(0, 8), (2, 3), (4, 0)])
def test_a_patch_speaks_for_its_own_place(head, reach, place):
    """A wide grid of which rows and columns were mixed up would answer somewhere else."""
    grid = Size(5, 9)
    decoder, taps = small_decoder(head), some_taps(grid, n_images=1)
    for block in decoder.blocks:  # attention spreads a change over the image
        nn.init.zeros_(block.self_attn.out_proj.weight)
    changed = [tokens.clone() for tokens in taps]
    for tokens in changed:
        tokens[0, 1 + place[0] * grid.width + place[1]] *= -1
    with torch.no_grad():
        change = (decoder(changed, grid) - decoder(taps, grid)).abs()

    of_patch = change.reshape(5, 8, 9, 8).amax(dim=(1, 3))
    rows, columns = torch.meshgrid(torch.arange(5), torch.arange(9), indexing='ij')
    distance = torch.maximum((rows - place[0]).abs(), (columns - place[1]).abs())
    assert of_patch[place] > 1e-3
    assert of_patch[distance > reach].max() < 1e-5 * of_patch[place]


def test_images_of_a_batch_do_not_see_each_other():
    grid, decoder = Size(3, 4), small_decoder()
    taps = some_taps(grid)
    with torch.no_grad():
        both = decoder(taps, grid)
        second = decoder([tokens[1:] for tokens in taps], grid)

    torch.testing.assert_close(both[1:], second)


def test_the_class_token_is_heard_but_has_no_place():
    grid, decoder = Size(2, 2), small_decoder()
    taps = some_taps(grid)
    without = [torch.cat([tokens[:, :1] * 0, tokens[:, 1:]], dim=1) for tokens in taps]
    with torch.no_grad():
        assert (decoder(taps, grid) - decoder(without, grid)).abs().max() > 1e-3


class TestCondition:
    def test_it_scales_and_shifts_without_adding_one(self):
        """Gamma 1 and beta 0 change nothing, as nothing is added to gamma."""
        grid, decoder = Size(2, 3), small_decoder()
        taps = some_taps(grid)
        with torch.no_grad():
            plain = decoder(taps, grid)
            same = decoder(taps, grid, (torch.ones(16), torch.zeros(16)))

        assert torch.equal(plain, same)

    def test_it_acts_once_on_the_deepest_level_before_its_block(self):
        grid, decoder = Size(2, 3), small_decoder()
        taps = some_taps(grid)
        gamma, beta = torch.linspace(-1, 2, 16), torch.linspace(1, 0, 16)
        with torch.no_grad():
            state = gamma * decoder.reduces[0](taps[2]) + beta
            state = decoder.blocks[0](state)
            state = decoder.blocks[1](decoder.reduces[1](taps[1]) + state)
            state = decoder.blocks[2](decoder.reduces[2](taps[0]) + state)
            maps = state[:, 1:].reshape(2, 2, 3, 16).permute(0, 3, 1, 2)
            expected = decoder.head(maps)[:, 0]

            torch.testing.assert_close(decoder(taps, grid, (gamma, beta)), expected)


@pytest.mark.parametrize(('pixels', 'steps'), [
    (16, [4, 4]), (8, [4, 2]), (32, [8, 4]), (14, [7, 2]), (7, [7, 1]), (1, [1, 1]),
])
def test_the_refined_head_enlarges_in_two_steps(pixels, steps):
    """16 is CLIPSeg's; the first step is the larger where they differ."""
    head = new_head('refined', 16, Size(pixels, 16))
    enlargements = [layer for layer in head if isinstance(layer, nn.ConvTranspose2d)]

    assert [layer.stride[0] for layer in enlargements] == steps
    assert [layer.kernel_size for layer in enlargements] == [x.stride for x in enlargements]
    assert [layer.stride[1] for layer in enlargements] == [4, 4]


def test_the_smooth_head_sees_across_the_borders_of_a_patch():
    """The last layers of the others work on each patch by itself, which leaves seams."""
    maps = torch.zeros(1, 16, 1, 3)
    maps[..., 1] = 1
    torch.manual_seed(0)
    head = new_head('smooth', 16, Size(8, 8)).requires_grad_(False)
    nn.init.zeros_(head[0].weight)
    head[0].weight[:, :, 1, 1] = torch.eye(16)  # the convolution over patches is silenced
    change = (head(maps) - head(torch.zeros_like(maps))).abs()[0, 0].amax(dim=0)

    assert change[8:16].min() > 0
    assert change[7] > 0
    assert change[16] > 0
    assert change[0] == change[23] == 0


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_tokens_in_16_bits_are_computed_with_in_32(dtype):
    grid, decoder = Size(2, 3), small_decoder()
    taps = [tokens.to(dtype) for tokens in some_taps(grid)]
    with torch.no_grad():
        answer = decoder(taps, grid)
        expected = decoder([tokens.float() for tokens in taps], grid)

    assert answer.dtype == torch.float32
    assert torch.equal(answer, expected)


def test_the_answer_is_float32_under_autocast():
    grid, decoder = Size(2, 3), small_decoder().train()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        logits = decoder(some_taps(grid), grid)

    assert logits.dtype == torch.float32
    logits.mean().backward()
    assert all(parameter.grad is not None for parameter in decoder.parameters())


def test_training_and_evaluation_answer_alike():
    """There is no dropout, and the fused path of PyTorch's layer changes nothing."""
    grid, decoder = Size(3, 5), small_decoder()
    taps = some_taps(grid)
    with torch.no_grad():
        fused = decoder.eval()(taps, grid)
    trained = decoder.train()(taps, grid)

    torch.testing.assert_close(fused, trained.detach(), atol=1e-5, rtol=1e-5)


def test_a_wrong_number_of_levels_is_an_error():
    with pytest.raises(ValueError, match='zip'):
        small_decoder()(some_taps((2, 2), n_levels=2), Size(2, 2))
