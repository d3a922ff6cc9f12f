# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Contrastive training of a small CLIP: its arithmetic, and that it learns."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from clip_depth_ros.errors import DataError
from clip_depth_ros.model.architecture import Architecture, find_architecture
from clip_depth_ros.model.towers import VitTower
from clip_depth_ros.world.rendered_streets import Frames
import numpy as np
from open_clip.tokenizer import SimpleTokenizer
import pytest
import torch
from torch.nn import functional
from weights.captions import Vocabulary
from weights.contrast import (
    contrast_loss,
    encode_captions,
    encode_patches,
    train_contrast,
)
from weights.learner import ContrastSettings

WORDS = Vocabulary(('sky', 'wall'), ('close', 'far'), (2.0, 20.0), ('This {} is {}', 'A {}: {}'))


@pytest.fixture
def small(tmp_path: Path) -> Architecture:
    path = tmp_path / 'small.json'
    path.write_text(json.dumps({
        'embed_dim': 32,
        'vision_cfg': {
            'image_size': [32, 64], 'layers': 2, 'width': 64, 'head_width': 32,
            'patch_size': [8, 16],
        },
        'text_cfg': {
            'context_length': 77, 'vocab_size': 49408, 'width': 32, 'heads': 2, 'layers': 2,
        },
    }))
    return find_architecture(str(path))


def _frames(n: int, seed: int, height: int = 32) -> Frames:
    """Return frames of a wall whose brightness tells its depth, below a blue sky."""
    rng = np.random.default_rng(seed)
    depth_m = np.full((n, height, 64), np.inf, np.float32)
    depth_m[:, 8:] = rng.choice([2.0, 20.0], n)[:, None, None]
    rgb = np.zeros((n, height, 64, 3), np.uint8)
    rgb[..., 2] = 250
    rgb[:, 8:] = np.where(depth_m[:, 8:, :, None] < 10, 220, 40)
    return Frames(rgb, depth_m, np.isfinite(depth_m).astype(np.uint8))


def test_patches_are_those_of_the_frozen_tower(small: Architecture):
    clip: Any = small.new_model().eval()
    pixels = torch.randn(2, 3, 32, 64)
    with torch.inference_mode():
        vectors = encode_patches(clip, pixels)
        dense = VitTower(clip.visual).dense(pixels)
        whole = clip.encode_image(pixels)
    torch.testing.assert_close(vectors[:, 1:].transpose(1, 2).unflatten(2, (4, 4)), dense)
    torch.testing.assert_close(vectors[:, 0], whole)


@pytest.mark.parametrize('grid', [(3, 9), (6, 2), (8, 8)])
def test_they_are_at_other_sizes_too_and_positions_learn_there(small: Architecture, grid):
    clip: Any = small.new_model().eval()
    pixels = torch.randn(2, 3, 8 * grid[0], 16 * grid[1])
    vectors = encode_patches(clip, pixels)
    with torch.inference_mode():
        dense = VitTower(clip.visual).dense(pixels)
    torch.testing.assert_close(vectors[:, 1:].transpose(1, 2).unflatten(2, grid), dense)
    vectors.square().sum().backward()
    assert clip.visual.positional_embedding.grad.abs().sum(dim=1).min() > 0


def test_captions_cut_short_are_those_of_the_whole_text_tower(small: Architecture):
    clip: Any = small.new_model().eval()
    tokens = SimpleTokenizer()(WORDS.captions('This {} is {}'))
    with torch.inference_mode():
        torch.testing.assert_close(encode_captions(clip, tokens[:, :9]), clip.encode_text(tokens))


def test_regions_beside_their_captions_cost_less_than_beside_others(small: Architecture):
    clip: Any = small.new_model()
    sentences = torch.eye(6, 32)
    said = torch.tensor([[[0, 1, 2, 3], [3, 2, 1, 0]]])
    shares = functional.one_hot(said, 6).float()
    seen = torch.cat([sentences[:1], sentences[said.flatten()]]).unsqueeze(0)
    right = contrast_loss(clip, seen, sentences, shares, (1, 1))
    wrong = contrast_loss(clip, seen.roll(1, 1), sentences, shares, (1, 1))
    assert right < 0.5 * wrong


def test_the_order_of_captions_does_not_matter(small: Architecture):
    clip: Any = small.new_model()
    rng = torch.Generator().manual_seed(0)
    seen, sentences = torch.randn(2, 9, 32, generator=rng), torch.randn(6, 32, generator=rng)
    shares = torch.rand(2, 2, 4, 6, generator=rng).softmax(dim=-1)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    plain = contrast_loss(clip, seen, sentences, shares, (2, 2))
    mixed = contrast_loss(clip, seen, sentences[order], shares[..., order], (2, 2))
    torch.testing.assert_close(plain, mixed)


def test_it_learns_which_word_is_true_of_an_unseen_frame(small: Architecture):
    clip, _ = train_contrast(
        small, [_frames(64, 0)], WORDS, ContrastSettings(steps=40, batch=1), device='cpu'
    )
    unseen = _frames(16, 1)
    pixels = torch.from_numpy(unseen.rgb).permute(0, 3, 1, 2).float() / 255
    mean, std = torch.tensor(small.mean), torch.tensor(small.std)
    pixels = (pixels - mean[:, None, None]) / std[:, None, None]
    tokens = SimpleTokenizer()(['This object is close', 'This object is far'])
    with torch.inference_mode():
        sentences = functional.normalize(clip.encode_text(tokens), dim=-1)
        patches = functional.normalize(VitTower(clip.visual).dense(pixels), dim=1)
    said = torch.einsum('bdhw,kd->bkhw', patches, sentences).argmax(dim=1)[:, 1:]
    truth = torch.from_numpy(unseen.depth_m[:, 8::8, ::16]) > 10
    assert (said.bool() == truth).float().mean() > 0.95


def _trained(small: Architecture, settings: ContrastSettings, **more: Any) -> Any:
    sizes = [_frames(16, 0), _frames(8, 1, height=48)]
    return train_contrast(small, sizes, WORDS, settings, device='cpu', **more)


def test_the_same_seed_gives_the_same_losses(small: Architecture):
    settings = ContrastSettings(steps=4, batch=1)
    (_, first), (_, again) = (_trained(small, settings) for _ in range(2))
    _, other = _trained(small, dataclasses.replace(settings, seed=4))
    assert first == again
    assert first != other


class TestATrainingThatWasStopped:
    SETTINGS = ContrastSettings(steps=7, batch=1, save_interval=2)

    def stopped(self, small: Architecture, checkpoint: Path) -> None:
        """Stop after five steps, four of which were written down."""
        def stop(step: int, loss: float) -> None:
            if step == 4:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            _trained(small, self.SETTINGS, checkpoint=checkpoint, on_step=stop)

    def test_goes_on_bit_for_bit(self, small: Architecture, tmp_path: Path):
        self.stopped(small, tmp_path / 'checkpoint')
        steps: list[int] = []
        clip, losses = _trained(
            small, self.SETTINGS, checkpoint=tmp_path / 'checkpoint',
            on_step=lambda step, loss: steps.append(step),
        )
        whole, all_losses = _trained(small, self.SETTINGS)
        assert steps == [4, 5, 6]
        assert losses == all_losses
        for name, tensor in whole.state_dict().items():
            assert torch.equal(tensor, clip.state_dict()[name]), name

    def test_does_not_go_on_with_another_recipe(self, small: Architecture, tmp_path: Path):
        self.stopped(small, tmp_path / 'checkpoint')
        other = dataclasses.replace(self.SETTINGS, lr=1e-4)
        with pytest.raises(DataError, match=r'checkpoint.*it is of another recipe.*remove that'):
            _trained(small, other, checkpoint=tmp_path / 'checkpoint')

    def test_does_not_go_on_from_a_damaged_file(self, small: Architecture, tmp_path: Path):
        self.stopped(small, tmp_path / 'checkpoint')
        content = bytearray((tmp_path / 'checkpoint').read_bytes())
        content[-9] ^= 1
        (tmp_path / 'checkpoint').write_bytes(content)
        with pytest.raises(DataError, match=r'damaged.*remove that file to begin anew'):
            _trained(small, self.SETTINGS, checkpoint=tmp_path / 'checkpoint')


def test_a_loss_that_is_no_number_stops_the_training(small: Architecture):
    settings = dataclasses.replace(ContrastSettings(steps=4, batch=1), lr=1e30)
    with pytest.raises(DataError, match=r'the contrastive loss is nan at step \d: lower lr'):
        train_contrast(small, [_frames(32, 0)], WORDS, settings, device='cpu')
