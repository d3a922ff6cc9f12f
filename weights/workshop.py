# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
How the bundled weights are made: streets, a small CLIP, CLIP2Depth on it.

Each stage leaves its result in the output folder and is not done again when that is there: a run
that was stopped resumes at the stage it was in, both trainings even in the middle of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
import hashlib
import json
import math
from pathlib import Path
from typing import Any, Final

from clip_depth_ros.core.files import atomic_write_bytes
from clip_depth_ros.model.architecture import find_architecture
from clip_depth_ros.model.backbone import build_backbone
from clip_depth_ros.model.clip2depth_weights import (
    load_clip2depth,
    read_clip2depth,
    save_clip2depth,
)
from clip_depth_ros.model.devices import this_machine
from clip_depth_ros.model.hub import forget_checksum
from clip_depth_ros.model.weights import ROWS, TOKEN_TABLE
from clip_depth_ros.settings.installation import (
    BUNDLED_CLIP,
    BUNDLED_CLIP2DEPTH,
    BUNDLED_RESULTS,
    versions,
)
from clip_depth_ros.settings.predictor import PredictorSettings, TINY
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.sources.kinds.synthetic import WorldSource
from clip_depth_ros.sources.samples import Joined, SampleSource
from clip_depth_ros.training.loop import Progress, train
from clip_depth_ros.training.run import RunFolder
from clip_depth_ros.world.rendered_streets import Frames, render_streets, Streets
from clip_depth_ros.world.rig import CANONICAL_FOCAL_PX
import safetensors.torch
import torch
from weights.contrast import train_contrast, used_tokens
from weights.recipe import Recipe, VOCABULARY
from weights.table import DEPTH_CAP_M, MIN_DEPTH_M

_PIECE: Final = 500
"""Streets that are rendered and kept together."""

_PATHS: Final = ('clip_weights', 'out_dir', 'cache_dir', 'rendered_dir')

OnProgress = Callable[[Progress], None]


class Workshop:
    """
    The making of the weights in a folder.

    Parameters
    ----------
    recipe : Recipe
        What to make.
    out_dir : Path
        Gets ``frames/``, ``tiny_clip.safetensors``, ``tiny_clip.csv`` (its log), ``runs/`` (of the
        trainer), ``tiny_clip2depth.safetensors`` and ``tiny_results.json``.
    device : str
        As for :class:`PredictorSettings`.
    n_workers : int
        Processes that render and compare.
    start : Path, optional
        Weights that the small CLIP begins from; else from random ones.
    on_progress : callable
        Called after each step.

    """

    def __init__(
        self,
        recipe: Recipe,
        out_dir: Path,
        *,
        device: str = 'auto',
        n_workers: int = 2,
        start: Path | None = None,
        on_progress: OnProgress = lambda progress: None,
    ) -> None:
        self.recipe, self.out_dir = recipe, out_dir
        self.clip_path = out_dir / BUNDLED_CLIP
        self.clip2depth_path = out_dir / BUNDLED_CLIP2DEPTH
        self.results_path = out_dir / BUNDLED_RESULTS
        self._device, _ = this_machine(device, 'fp32')
        self._start = start
        self.n_workers, self._on_progress = n_workers, on_progress

    def frames(self, part: str) -> list[Frames]:
        """Return the frames of ``train``, ``validation`` or ``prior``, rendered once."""
        return [self.rendered(name, streets) for name, streets in self._pieces(part)]

    def _pieces(self, part: str, share: float = 1.0) -> Iterator[tuple[str, Streets]]:
        """
        Yield the first share of the streets of each size, with names, in small numbers.

        What is rendered is kept piece by piece, so that little is lost where that is stopped.
        """
        parts = getattr(self.recipe, part)
        for number, streets in enumerate(parts if isinstance(parts, tuple) else (parts,)):
            n_seeds = max(1, round(share * streets.n_seeds))
            for begin in range(0, n_seeds, _PIECE):
                yield f'{part}-{number}-{begin}', replace(
                    streets,
                    first_seed=streets.first_seed + begin,
                    n_seeds=min(_PIECE, n_seeds - begin),
                )

    def rendered(self, name: str, streets: Streets) -> Frames:
        """Return the frames of streets of one size, rendered once into :meth:`folder`."""
        done = 0

        def tell(count: int) -> None:
            nonlocal done
            done += count
            self.tell(f'rendering {name}', done, len(streets))

        return render_streets(
            streets, self.folder(name), n_workers=self.n_workers, on_frames=tell
        )

    def folder(self, name: str) -> Path:
        """Return where frames are kept."""
        return self.out_dir / 'frames' / name

    def make_clip(self) -> Path:
        """Train the small CLIP, unless it is there."""
        if self.clip_path.is_file():
            return self.clip_path
        frames, settings = self.frames('train'), self.recipe.contrast
        checkpoint = self.clip_path.with_name('tiny_clip_checkpoint.safetensors')

        def tell(step: int, loss: float) -> None:
            self.tell('training the small CLIP', step + 1, settings.steps, loss=loss)

        clip, losses = train_contrast(
            find_architecture(TINY), frames, VOCABULARY, settings,
            device=self._device, start=self._start, checkpoint=checkpoint, on_step=tell,
        )
        log = ['step,loss', *(f'{step},{loss:.5f}' for step, loss in enumerate(losses, 1)), '']
        atomic_write_bytes(self.clip_path.with_suffix('.csv'), '\n'.join(log).encode())
        save_clip(self.clip_path, clip, self.recipe, self._start)
        checkpoint.unlink(missing_ok=True)
        return self.clip_path

    def make_clip2depth(self) -> Path:
        """Train CLIP2Depth on the small CLIP, unless it is there."""
        if not self.clip2depth_path.is_file():
            weights = self.trained('seed-0', steps=self.recipe.decoder_steps, seed=0)
            self._bundle(weights)
        return self.clip2depth_path

    def _bundle(self, weights: Path) -> None:
        """Write trained weights as float16, without the paths of this machine."""
        file = read_clip2depth(weights)
        backbone = build_backbone(
            self.predictor_settings('depthclip'), self._device, 'fp32'
        )
        settings = {
            name: value
            for name, value in file.provenance['settings'].items()
            if name not in _PATHS
        }
        save_clip2depth(
            self.clip2depth_path,
            load_clip2depth(file, backbone),
            file.settings,
            backbone=file.backbone,
            backbone_hash=file.backbone_hash,
            provenance={
                **file.provenance,
                'settings': settings,
                'cameras': {**file.provenance.get('cameras', {}), **self._mounts()},
                'licence': 'Apache-2.0',
            },
            metrics=file.metrics,
            dtype=torch.float16,
        )

    def _mounts(self) -> dict[str, Any]:
        """Return the lowest and highest cameras, and how far they were pitched down."""
        rigs = [streets.rig(seed) for streets in self.recipe.train for seed in streets.seeds[:200]]
        numbers = {
            'height_m': [rig.height_m for rig in rigs],
            'pitch_deg': [math.degrees(rig.pitch_rad) for rig in rigs],
        }
        return {name: [round(min(each), 2), round(max(each), 2)] for name, each in numbers.items()}

    def trained(self, name: str, *, steps: int, seed: int, **changes: Any) -> Path:
        """Start or resume a run of the trainer, and return its best weights."""
        settings = self.train_settings(name, steps=steps, seed=seed, **changes)
        is_begun = RunFolder(settings).checkpoint.is_file()
        result = train(
            settings,
            resume=is_begun,
            force=not is_begun,
            sources=self._decoder_sources(),
            on_progress=lambda progress: self._on_progress(
                replace(progress, stage=f'{name}: {progress.stage}')
            ),
        )
        return result.best_path

    def train_settings(
        self, name: str, *, steps: int, seed: int, **changes: Any
    ) -> TrainSettings:
        """Return the trainer's settings for a run."""
        settings: TrainSettings = TrainSettings.from_mapping({
            'backbone': TINY,
            'clip_weights': str(self.clip_path),
            'device': self._device,
            'kind': 'synthetic',
            'cache_dir': str(self.out_dir / 'tokens'),
            # A device that waits for frames is idle; a cpu has nothing to spare.
            'n_workers': 0 if self._device == 'cpu' else max(0, self.n_workers - 1),
            **self.recipe.decoder,
            'steps': steps,
            'seed': seed,
            'out_dir': str(self.out_dir / 'runs' / name),
            **changes,
        })
        return settings

    def predictor_settings(self, method: str, **changes: Any) -> PredictorSettings:
        """Return the settings of a predictor with these weights."""
        settings: PredictorSettings = PredictorSettings.from_mapping({
            'method': method,
            'backbone': TINY,
            'clip_weights': str(self.clip_path),
            'clip2depth_weights': str(self.clip2depth_path) if method == 'clip2depth' else '',
            'device': self._device,
            'precision': 'fp32',
            'min_depth_m': MIN_DEPTH_M,
            'max_depth_m': DEPTH_CAP_M,
            'bins': 'outdoor',
            'bins_focal_px': CANONICAL_FOCAL_PX,
            **changes,
        })
        return settings

    def hashes(self) -> dict[str, str]:
        """Return the SHA-256 of each weights file by its name."""
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (self.clip_path, self.clip2depth_path)
        }

    def _decoder_sources(self) -> tuple[SampleSource, SampleSource]:
        """Return the frames that CLIP2Depth learns from, with sky as far as can be, and others."""
        self.frames('train')
        return self._joined('train', self.recipe.decoder_share, DEPTH_CAP_M), self.validation()

    def validation(self) -> SampleSource:
        """Return the frames that choose."""
        self.frames('validation')
        return self._joined('validation')

    def _joined(self, part: str, share: float = 1.0, sky_depth_m: float = 0.0) -> SampleSource:
        return Joined(*(
            WorldSource(streets, rendered=self.folder(name), sky_depth_m=sky_depth_m)
            for name, streets in self._pieces(part, share)
        ))

    def tell(self, stage: str, done: int, total: int, **facts: float) -> None:
        """Say how far something is."""
        self._on_progress(Progress(stage, done, total, facts))


def save_clip(path: Path, clip: Any, recipe: Recipe, start: Path | None = None) -> None:
    """
    Write the small CLIP as float16 safetensors with its origin.

    Of the token table only the rows of words that captions use: the others, half of all numbers,
    are as random as they were.
    """
    state = {
        name: tensor.detach().cpu().half().contiguous()
        for name, tensor in clip.state_dict().items()
        if name != 'attn_mask'
    }
    state[ROWS] = torch.tensor(used_tokens(VOCABULARY))
    state[TOKEN_TABLE] = state[TOKEN_TABLE][state[ROWS]]
    metadata = {
        'format': f'open_clip state dict; of {TOKEN_TABLE} only the rows named in {ROWS}',
        'licence': 'Apache-2.0',
        'trained_on': 'synthetic drive of clip_depth_ros, contrastively, regions and captions',
        'vocabulary': json.dumps(asdict(VOCABULARY)),
        'frames': json.dumps([streets.facts() for streets in recipe.train]),
        'recipe': json.dumps(asdict(recipe.contrast)),
        'versions': json.dumps(versions()),
        'begun_from': hashlib.sha256(start.read_bytes()).hexdigest() if start else '',
    }
    forget_checksum(path)
    # Not save_file, which makes files that only their owner can read.
    atomic_write_bytes(path, safetensors.torch.save(state, metadata))
