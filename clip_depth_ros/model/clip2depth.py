# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
CLIP2Depth: a mirror and a small decoder that make a frozen CLIP answer in metres.

Kim, Kang, Kim, Lee: "CLIP Can Understand Depth", Pattern Recognition 172, 2026, arXiv 2402.03251.
A reimplementation: see :mod:`clip_depth_ros.settings.clip2depth` for what is assumed.
"""

from __future__ import annotations

from collections.abc import Sequence
import math
from typing import Any, Final

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import ClipDepthError, ConfigError
from clip_depth_ros.model.backbone import Backbone
from clip_depth_ros.model.decoder import Decoder
from clip_depth_ros.settings.clip2depth import Clip2DepthSettings
import torch
from torch import nn, Tensor
from torch.nn import functional

_FILM_STD: Final = 0.02
"""Of FiLM's weights before training: CLIP's text vectors have a length of about 10."""


def build_clip2depth(settings: Clip2DepthSettings, backbone: Backbone) -> Clip2Depth:
    """
    Build a fresh CLIP2Depth that fits a backbone, on the cpu.

    Parameters
    ----------
    settings : Clip2DepthSettings
        What it is made of.
    backbone : Backbone
        The frozen CLIP it will read; a vision transformer.

    Raises
    ------
    ConfigError
        If the backbone is no vision transformer, has no such blocks, or reads fewer rows than the
        mirror has.

    Notes
    -----
    Weights are drawn from PyTorch's global random generator.

    """
    tower, text = backbone.vit, backbone.text_tower
    tower.check_blocks(settings.taps)
    if settings.condition in ('mirror', 'fixed_mirror'):
        _check_length(text, settings.mirror_length + 2 * settings.mirror_framing)
    text_width = text.positional_embedding.shape[1]
    return Clip2Depth(settings, tower.width, text_width, backbone.embed_dim, tower.stride)


class Clip2Depth(nn.Module):
    """
    The trainable part of CLIP2Depth: mirror, FiLM and decoder.

    Parameters
    ----------
    settings : Clip2DepthSettings
        What it is made of.
    vision_width : int
        Channels of the image tower's tokens.
    text_width : int
        Channels of the text tower's token embeddings.
    text_dim : int
        Length of the text tower's answer.
    patch : Size
        Pixels of one patch.

    Notes
    -----
    For ViT-B/16 the default has 1,159,777 trainable parameters, 1,094,113 with FiLM kept as it is.
    What the condition makes of FiLM is the same for all images: :meth:`freeze_condition` computes
    it once, and afterwards neither the mirror nor the text tower is touched.

    """

    _gamma: Tensor | None
    _beta: Tensor | None

    def __init__(
        self,
        settings: Clip2DepthSettings,
        vision_width: int,
        text_width: int,
        text_dim: int,
        patch: Size,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.decoder = Decoder(
            len(settings.taps),
            vision_width,
            reduce_dim=settings.reduce_dim,
            n_heads=settings.n_heads,
            mlp_dim=settings.mlp_dim,
            head=settings.head,
            patch=patch,
            rays=settings.rays,
        )
        if settings.condition in ('mirror', 'fixed_mirror'):
            rows = settings.mirror_std * torch.randn(settings.mirror_length, text_width)
            self.mirror = nn.Parameter(rows, requires_grad=settings.condition == 'mirror')
        if settings.condition != 'none':
            # CLIPSeg's names, gamma and beta, and CLIPSeg's formula.
            self.film_mul = _near_constant(text_dim, settings.reduce_dim, 1.0)
            self.film_add = _near_constant(text_dim, settings.reduce_dim, 0.0)
            self.film_mul.requires_grad_(settings.train_film)
            self.film_add.requires_grad_(settings.train_film)
        # Derived from the rest, so not saved; buffers so that they move between devices.
        self.register_buffer('_gamma', None, persistent=False)
        self.register_buffer('_beta', None, persistent=False)
        nn.init.constant_(self.decoder.last_bias, _start(settings))

    def condition_vector(self, backbone: Backbone) -> Tensor | None:
        """
        Return what the frozen text tower makes of the condition, float32 (text_dim,), or None.

        Gradients reach the mirror. ConfigError if the sentence or the mirror is longer than the
        text tower reads; ClipDepthError if the text tower was freed.
        """
        settings = self.settings
        if settings.condition == 'none':
            return None
        if settings.condition == 'sentence':
            return backbone.text.vector(settings.sentence)
        frame = backbone.text.frame() if settings.mirror_framing else None
        return mirror_vector(backbone.text_tower, self.mirror, frame)

    def freeze_condition(self, backbone: Backbone) -> None:
        """
        Compute FiLM's terms once, for images to come; :meth:`train` forgets them.

        The text tower of the backbone is not needed afterwards.
        """
        with torch.no_grad():
            condition = self.condition_vector(backbone)
            if condition is not None:
                self._gamma, self._beta = self._film(condition)

    def train(self, mode: bool = True) -> Clip2Depth:
        """Switch to training, which forgets the frozen condition, or back."""
        if mode:
            self._gamma = self._beta = None
        super().train(mode)
        return self

    def forward(
        self,
        taps: Sequence[Tensor],
        grid: Size,
        condition: Tensor | None = None,
        rays: Tensor | None = None,
    ) -> Tensor:
        """
        Return depth at each pixel of the network's input.

        Parameters
        ----------
        taps : sequence of float (B, 1 + N, vision_width)
            As :meth:`Backbone.taps` returns them for ``settings.taps``.
        grid : Size
            Patches per column and row, N in all.
        condition : float (text_dim,), optional
            As :meth:`condition_vector` returns it; by default what was kept by
            :meth:`freeze_condition`.
        rays : float32 (B, N, 2), optional
            Where patches look, as :func:`clip_depth_ros.core.camera.patch_rays` has it; needed,
            and looked at, when ``settings.rays``.

        Returns
        -------
        float32 (B, H, W)
            Metres, from min_depth_m to max_depth_m, behind a camera of ``settings.focal_px``.

        Raises
        ------
        ClipDepthError
            If there is no condition and none was frozen, or there are no rays where it needs them.

        """
        film = None if self.settings.condition == 'none' else self._film_or_frozen(condition)
        return to_metres(self.decoder(taps, grid, film, rays), self.settings)

    def trainable_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that training changes, by the settings it was built with."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def _film_or_frozen(self, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        if condition is not None:
            return self._film(condition)
        if self._gamma is None or self._beta is None:
            raise ClipDepthError(
                'CLIP2Depth needs its condition: pass condition_vector(backbone), or call '
                'freeze_condition(backbone) once'
            )
        return self._gamma, self._beta

    def _film(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        return self.film_mul(condition).float(), self.film_add(condition).float()


def to_metres(logits: Tensor, settings: Clip2DepthSettings) -> Tensor:
    """
    Return metres for the decoder's numbers (our choice; the paper is silent).

    Parameters
    ----------
    logits : float32
        Any shape.
    settings : Clip2DepthSettings
        output, min_depth_m and max_depth_m are used.

    Returns
    -------
    float32, of the same shape
        From min_depth_m to max_depth_m. ``sigmoid`` reaches both in the limit and has a gradient
        everywhere; ``softplus`` grows without bound and is cut at max_depth_m.

    """
    near_m, far_m = settings.min_depth_m, settings.max_depth_m
    if settings.output == 'sigmoid':
        return near_m + (far_m - near_m) * logits.sigmoid()
    return (near_m + functional.softplus(logits)).clamp(max=far_m)


def _start(settings: Clip2DepthSettings) -> float:
    """Return the number for the middle of the range in log depth: where training starts."""
    near_m, far_m = settings.min_depth_m, settings.max_depth_m
    beyond_m = math.sqrt(near_m * far_m) - near_m
    if settings.output == 'sigmoid':
        share = beyond_m / (far_m - near_m)
        return math.log(share / (1 - share))
    return beyond_m + math.log(-math.expm1(-beyond_m))  # the inverse of softplus


def _near_constant(n_in: int, n_out: int, value: float) -> nn.Linear:
    """
    Build a projection that answers nearly the same to everything at first.

    Our choice: gamma starts near 1 and beta near 0, so that the condition neither silences nor
    scrambles the deepest level before it has learned anything.
    """
    linear = nn.Linear(n_in, n_out)
    nn.init.normal_(linear.weight, std=_FILM_STD)
    nn.init.constant_(linear.bias, value)
    return linear


def mirror_vector(text_tower: Any, mirror: Tensor, frame: Tensor | None = None) -> Tensor:
    """
    Read a matrix as if it were the embeddings of words.

    Parameters
    ----------
    text_tower : open_clip.CLIP or open_clip's TextTransformer
        Frozen; gradients reach the mirror through it.
    mirror : float (s, text_width)
        One row in place of each word (the paper).
    frame : float (2, text_width), optional
        Embeddings of start and end of text to put around it (our choice: without).

    Returns
    -------
    float32 (text_dim,)
        Not brought to unit length (CLIPSeg's code does not either).

    Raises
    ------
    ConfigError
        If there are more rows than the text tower has positions.

    Notes
    -----
    Our choice, as the paper is silent: positions 0 to s - 1 are added, the causal mask is kept and
    the answer is that at the last position, the only one that sees every row under that mask.
    open_clip pools by token ids, which a mirror does not have, so its parts are called here.

    """
    rows = mirror if frame is None else torch.cat([frame[:1], mirror, frame[1:]])
    length = len(rows)
    _check_length(text_tower, length)
    dtype = text_tower.transformer.get_cast_dtype()
    states = (rows + text_tower.positional_embedding[:length]).to(dtype).unsqueeze(0)
    mask = text_tower.attn_mask
    mask = None if mask is None else mask[:length, :length]
    states = text_tower.transformer(states, attn_mask=mask)  # (1, s, text_width)
    last = text_tower.ln_final(states[:, -1])
    projection = text_tower.text_projection
    if isinstance(projection, nn.Linear):
        last = projection(last)
    elif projection is not None:
        last = last @ projection
    vector: Tensor = last[0].float()
    return vector


def _check_length(text_tower: Any, length: int) -> None:
    """Check that the text tower has a position for each row; ConfigError naming both."""
    n_positions = len(text_tower.positional_embedding)
    if length > n_positions:
        raise ConfigError(
            f'the text tower of this backbone reads {n_positions} rows, the mirror with its '
            f'framing has {length}: lower mirror_length, or choose a backbone with a longer '
            'context_length'
        )
