# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
DepthCLIP against an independent, literal transcription of its published description.

The transcription below takes a state dict and an image and writes out, with plain tensor
functions, what the papers and the description of the released code say: CLIP's modified ResNet
and text transformer (Radford et al. 2021) and DepthCLIP's steps (Zhang et al. 2022). It shares no
code with the package or with open_clip's models; only the byte pair encoding is open_clip's.
"""

from clip_depth_ros.core.patches import expected_depth
from clip_depth_ros.predictor.depthclip import probabilities
from clip_depth_ros.predictor.scenes import word_vectors
from clip_depth_ros.predictor.torch_networks import TorchWords
from clip_depth_ros.settings.depth_bins import BINS_M, DEPTH_WORDS
from clip_depth_ros.settings.predictor import PredictorSettings
import numpy as np
import open_clip
import pytest
from small_clips import blobs, small_backbone, SMALL_RESNET
import torch
from torch.nn import functional
from torch.nn.functional import avg_pool2d, batch_norm, conv2d, relu

WORDS = DEPTH_WORDS['original']
BINS = BINS_M['original']


def norm2d(s, name, x):
    return batch_norm(
        x, s[f'{name}.running_mean'], s[f'{name}.running_var'], s[f'{name}.weight'],
        s[f'{name}.bias'], training=False, eps=1e-5,
    )


def bottleneck(s, name, x, stride):
    y = relu(norm2d(s, f'{name}.bn1', conv2d(x, s[f'{name}.conv1.weight'])))
    y = relu(norm2d(s, f'{name}.bn2', conv2d(y, s[f'{name}.conv2.weight'], padding=1)))
    if stride > 1:  # antialiased: average first, then a convolution of stride 1
        y = avg_pool2d(y, stride)
    y = norm2d(s, f'{name}.bn3', conv2d(y, s[f'{name}.conv3.weight']))
    if f'{name}.downsample.0.weight' in s:
        x = avg_pool2d(x, stride) if stride > 1 else x
        x = norm2d(s, f'{name}.downsample.1', conv2d(x, s[f'{name}.downsample.0.weight']))
    return relu(x + y)


def layer4(s, x):
    x = conv2d(x, s['visual.conv1.weight'], stride=2, padding=1)
    x = relu(norm2d(s, 'visual.bn1', x))
    x = relu(norm2d(s, 'visual.bn2', conv2d(x, s['visual.conv2.weight'], padding=1)))
    x = relu(norm2d(s, 'visual.bn3', conv2d(x, s['visual.conv3.weight'], padding=1)))
    x = avg_pool2d(x, 2)
    for layer, blocks in enumerate(SMALL_RESNET['vision_cfg']['layers'], start=1):
        for block in range(blocks):
            stride = 2 if layer > 1 and block == 0 else 1
            x = bottleneck(s, f'visual.layer{layer}.{block}', x, stride)
    return x


def self_attention(s, name, x, heads):
    n, length, width = x.shape
    qkv = x @ s[f'{name}.in_proj_weight'].T + s[f'{name}.in_proj_bias']
    q, k, v = (part.reshape(n, length, heads, -1).transpose(1, 2) for part in qkv.split(width, -1))
    scores = q @ k.transpose(2, 3) / (width // heads) ** 0.5
    future = torch.ones(length, length, dtype=torch.bool).triu(1)
    weights = scores.masked_fill(future, float('-inf')).softmax(-1)
    mixed = (weights @ v).transpose(1, 2).reshape(n, length, width)
    return mixed @ s[f'{name}.out_proj.weight'].T + s[f'{name}.out_proj.bias']


def layer_norm(s, name, x):
    return functional.layer_norm(x, x.shape[-1:], s[f'{name}.weight'], s[f'{name}.bias'], 1e-5)


def text_vectors(s, sentences):
    tokens = open_clip.tokenize(sentences)
    x = s['token_embedding.weight'][tokens] + s['positional_embedding']
    config = SMALL_RESNET['text_cfg']
    for index in range(config['layers']):
        name = f'transformer.resblocks.{index}'
        x = x + self_attention(s, f'{name}.attn', layer_norm(s, f'{name}.ln_1', x),
                               config['heads'])
        y = layer_norm(s, f'{name}.ln_2', x)
        y = y @ s[f'{name}.mlp.c_fc.weight'].T + s[f'{name}.mlp.c_fc.bias']
        y = y * torch.sigmoid(1.702 * y)  # QuickGELU
        x = x + y @ s[f'{name}.mlp.c_proj.weight'].T + s[f'{name}.mlp.c_proj.bias']
    x = layer_norm(s, 'ln_final', x)
    end_of_text = x[torch.arange(len(tokens)), tokens.argmax(-1)]
    vectors = end_of_text @ s['text_projection']
    return vectors / vectors.norm(dim=-1, keepdim=True)


def grid_depth(s, rgb):
    """Return DepthCLIP's depth at the patch grid, and the gap of its two likeliest words."""
    text = text_vectors(s, [f'This object is {word}' for word in WORDS])
    image = torch.tensor(rgb).permute(2, 0, 1)[None] / 255
    mean = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)
    depths, gaps = [], []
    for flipped in (False, True):
        x = (image - mean) / std
        x = layer4(s, x.flip(3) if flipped else x)
        grid = x.shape[2:]
        x = x.flatten(2).permute(0, 2, 1)  # (1, positions, channels)
        x = x / x.norm(dim=-1, keepdim=True)
        x = functional.interpolate(x, scale_factor=0.5)  # nearest, over the channels
        probs = (100 * x @ text.T / 0.1).softmax(-1)
        top = probs.topk(2, dim=-1).values
        depth = (probs * torch.tensor(BINS)).sum(-1).reshape(grid)
        gap = (top[..., 0] - top[..., 1]).reshape(grid)
        depths.append(depth.flip(1) if flipped else depth)
        gaps.append(gap.flip(1) if flipped else gap)
    return ((depths[0] + depths[1]) / 2).numpy(), torch.minimum(*gaps).numpy()


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    return small_backbone(tmp_path_factory.mktemp('resnet'), SMALL_RESNET)


def ours(backbone, rgb, *, flip=True):
    network = TorchWords(PredictorSettings(features='official'), backbone)
    words = word_vectors(
        network.embed, WORDS, templates=['This {} is {}'], objects=['object']
    )
    probs = probabilities(network, rgb[np.newaxis], words, temperature=0.1, flip=flip)
    return expected_depth(probs[0], BINS)


@pytest.mark.parametrize('size', [(416, 544), (96, 320), (32, 32)])
def test_grid_depth_is_that_of_the_published_method(model, size, record_property):
    """Within 1e-4 m in float32, but where the softmax is a tie; here no cell needs the excuse."""
    backbone, state = model
    rgb = blobs(*size)
    expected, gaps = grid_depth(state, rgb)
    answer = ours(backbone, rgb)

    assert answer.shape == expected.shape == (size[0] // 32, size[1] // 32)
    differs = np.abs(answer - expected) > 1e-4
    ties = gaps < 1e-3
    record_property('cells', answer.size)
    record_property('ties', int(ties.sum()))
    record_property('cells that differ', int(differs.sum()))
    assert not (differs & ~ties).any()
    assert differs.sum() <= 0.01 * answer.size


def test_the_oracle_has_something_to_say(model):
    """Depths vary, and the softmax is not all or nothing, or agreement would mean little."""
    expected, gaps = grid_depth(model[1], blobs(416, 544))

    assert expected.std() > 0.02
    assert np.mean(gaps < 0.9) > 0.5


@pytest.mark.parametrize('mistake', ['no flip', 'odd channels', "CLIP's mean and std"])
def test_the_oracle_notices_a_mistake(model, mistake, monkeypatch):
    """What is easily got wrong differs by far more than the tolerance."""
    backbone, state = model
    rgb = blobs(96, 320)
    if mistake == 'odd channels':
        monkeypatch.setattr(functional, 'interpolate', lambda x, scale_factor: x[..., 1::2])
    if mistake == "CLIP's mean and std":
        monkeypatch.setattr('clip_depth_ros.model.graphs.IMAGENET_MEAN', backbone.mean)
        monkeypatch.setattr('clip_depth_ros.model.graphs.IMAGENET_STD', backbone.std)
    expected, _ = grid_depth(state, rgb)
    answer = ours(backbone, rgb, flip=mistake != 'no flip')

    assert np.abs(answer - expected).max() > 5e-3


def test_text_vectors_are_those_of_the_description(model):
    backbone, state = model
    sentences = ['This object is giant', 'This object is not in distance', 'a']

    np.testing.assert_allclose(
        backbone.text.embed(sentences), text_vectors(state, sentences), atol=1e-6
    )
