# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
How the bundled weights are made: streets, a small CLIP, CLIP2Depth on it, and the proof.

Each stage leaves its result in the output folder and is not done again when that is there: a run
that was stopped resumes at the stage it was in (the last, CLIP2Depth, even in the middle of it).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
import hashlib
import json
from pathlib import Path
from typing import Any, Final

from clip_depth_ros.core.files import atomic_write_bytes
from clip_depth_ros.evaluation.score.baselines import shuffled
from clip_depth_ros.model.architecture import find_architecture
from clip_depth_ros.model.backbone import build_backbone
from clip_depth_ros.model.clip2depth_weights import (
    load_clip2depth,
    read_clip2depth,
    save_clip2depth,
)
from clip_depth_ros.model.devices import this_machine
from clip_depth_ros.model.weights import ROWS, TOKEN_TABLE
from clip_depth_ros.predictor.build import build_predictor
from clip_depth_ros.settings.installation import BUNDLED_CLIP, BUNDLED_CLIP2DEPTH, versions
from clip_depth_ros.settings.predictor import PredictorSettings, TINY
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.sources.kinds.synthetic import WorldSource
from clip_depth_ros.sources.samples import SampleSource
from clip_depth_ros.training.loop import Progress, train
from clip_depth_ros.training.run import RunFolder
from clip_depth_ros.world.rendered_streets import Frames, render_streets, Streets
import numpy as np
import safetensors.torch
import torch
from weights.contrast import train_contrast, used_tokens
from weights.recipe import Recipe, RESULTS, VOCABULARY
from weights.table import (
    as_json,
    baseline_rows,
    caption,
    DEPTH_CAP_M,
    MIN_DEPTH_M,
    pixel_priors,
    predict_all,
    Row,
    score,
    seam_ratios,
)

TEMPERATURES: Final = (2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0, 7.0, 8.0)
SEEDS: Final = (0, 1, 2)

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
        Processes that render.
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
        on_progress: OnProgress = lambda progress: None,
    ) -> None:
        self.recipe, self.out_dir = recipe, out_dir
        self.clip_path = out_dir / BUNDLED_CLIP
        self.clip2depth_path = out_dir / BUNDLED_CLIP2DEPTH
        self.results_path = out_dir / RESULTS
        self._device, _ = this_machine(device, 'fp32')
        self._n_workers, self._on_progress = n_workers, on_progress

    def frames(self, part: str) -> Frames:
        """Return the frames of ``train``, ``validation`` or ``held_out``, rendered once."""
        streets: Streets = getattr(self.recipe, part)
        done = 0

        def tell(count: int) -> None:
            nonlocal done
            done += count
            self._tell(f'rendering {part}', done, len(streets))

        return render_streets(
            streets, self._rendered(part), n_workers=self._n_workers, on_frames=tell
        )

    def make_clip(self) -> Path:
        """Train the small CLIP, unless it is there."""
        if self.clip_path.is_file():
            return self.clip_path
        frames, settings = self.frames('train'), self.recipe.contrast
        checkpoint = self.clip_path.with_name('tiny_clip_checkpoint.safetensors')

        def tell(step: int, loss: float) -> None:
            self._tell('training the small CLIP', step + 1, settings.steps, loss=loss)

        clip, losses = train_contrast(
            find_architecture(TINY), [frames], VOCABULARY, settings,
            device=self._device, checkpoint=checkpoint, on_step=tell,
        )
        log = ['step,loss', *(f'{step},{loss:.5f}' for step, loss in enumerate(losses, 1)), '']
        atomic_write_bytes(self.clip_path.with_suffix('.csv'), '\n'.join(log).encode())
        save_clip(self.clip_path, clip, self.recipe)
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
            provenance={**file.provenance, 'settings': settings, 'licence': 'Apache-2.0'},
            metrics=file.metrics,
            dtype=torch.float16,
        )

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
            'taps': (1, 3, 5),
            'mlp_dim': 512,
            'head': 'smooth',
            'min_depth_m': MIN_DEPTH_M,
            'max_depth_m': DEPTH_CAP_M,
            'kind': 'synthetic',
            'steps': steps,
            'batch_size': 8,
            'learning_rate': 1.5e-3,
            'warmup_share': 0.1,
            'ema_decay': 0.998,
            'cache_tokens': True,
            'cache_dir': str(self.out_dir / 'tokens'),
            'validation_interval': 500,
            'save_interval': 250,
            'seed': seed,
            'n_workers': 0,
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
            **changes,
        })
        return settings

    def choose_temperature(self) -> float:
        """Return the temperature with the least abs_rel on the validation streets."""
        frames = self.frames('validation')
        errors = {}
        for temperature in TEMPERATURES:
            settings = self.predictor_settings('depthclip', temperature=temperature)
            errors[temperature] = score(predictions_of(settings, frames), frames).abs_rel
            self._tell('choosing the temperature', len(errors), len(TEMPERATURES))
        return min(errors, key=lambda temperature: errors[temperature])

    def results(self) -> dict[str, Any]:
        """Return the table of the held-out streets, with all that belongs to it."""
        frames, streets = self.frames('held_out'), self.recipe.held_out
        temperature = self.choose_temperature()
        priors_m = pixel_priors(self.frames('train').depth_m)
        rows = [*baseline_rows(frames, priors_m, VOCABULARY)]
        seams = {}
        for name, settings in {
            'DepthCLIP': self.predictor_settings('depthclip', temperature=temperature),
            'CLIP2Depth': self.predictor_settings('clip2depth'),
        }.items():
            predictions = predictions_of(settings, frames)
            rows.append(Row(name, score(predictions, frames)))
            others = np.stack(shuffled([*predictions]))
            rows.append(Row(f'{name}, shuffled over frames', score(others, frames)))
            seams[name] = seam_ratios(predictions, frames, self._patch())
        return {
            'protocol': caption(frames, streets.seeds),
            'table': as_json(rows),
            'temperature': temperature,
            'seam_ratios_rows_columns': seams,
            'recipe': json.loads(json.dumps(asdict(self.recipe))),
            'sha256': self.hashes(),
            'versions': versions(),
        }

    def hashes(self) -> dict[str, str]:
        """Return the SHA-256 of each weights file by its name."""
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (self.clip_path, self.clip2depth_path)
        }

    def study(self, known: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """
        Train the other seeds and the ablations, and score them on the held-out streets.

        Parameters
        ----------
        known : mapping
            What was given last by a study of these weights that was stopped; may be empty.

        Returns
        -------
        iterator of dict
            All that is known so far, after each training.

        """
        recipe = self.recipe
        seeds = dict(known.get('seeds', {}))
        ablations = dict(known.get('ablations', {}).get('table', {}))
        so_far = {
            'seeds': seeds,
            'ablations': {
                'protocol': f'as above, CLIP2Depth trained for {recipe.study_steps} steps each',
                'table': ablations,
            },
        }
        for seed in SEEDS:
            if str(seed) not in seeds:
                found = self._tried(f'seed-{seed}', steps=recipe.decoder_steps, seed=seed)
                seeds.update(as_json([Row(str(seed), found)]))
                yield so_far
        for key, (name, changes) in _ABLATIONS.items():
            if name not in ablations:
                found = self._tried(f'ablation-{key}', steps=recipe.study_steps, seed=0, **changes)
                ablations.update(as_json([Row(name, found)]))
                yield so_far

    def _tried(self, name: str, *, steps: int, seed: int, **changes: Any) -> Any:
        weights = self.trained(name, steps=steps, seed=seed, **changes)
        of_backbone = {
            name: changes[name] for name in ('pretrained', 'clip_weights') if name in changes
        }
        settings = self.predictor_settings(
            'clip2depth', clip2depth_weights=str(weights), **of_backbone
        )
        frames = self.frames('held_out')
        return score(predictions_of(settings, frames), frames)

    def _decoder_sources(self) -> tuple[SampleSource, SampleSource]:
        """Return the frames that CLIP2Depth learns from, with sky as far as can be, and others."""
        recipe = self.recipe
        for part in ('train', 'validation'):
            self.frames(part)
        return (
            WorldSource(
                replace(recipe.train, n_seeds=recipe.n_decoder_streets),
                rendered=self._rendered('train'),
                sky_depth_m=DEPTH_CAP_M,
            ),
            WorldSource(recipe.validation, rendered=self._rendered('validation')),
        )

    def _rendered(self, part: str) -> Path:
        return self.out_dir / 'frames' / part

    def _patch(self) -> tuple[int, int]:
        height, width = find_architecture(TINY).config['vision_cfg']['patch_size']
        return int(height), int(width)

    def _tell(self, stage: str, done: int, total: int, **facts: float) -> None:
        self._on_progress(Progress(stage, done, total, facts))


_ABLATIONS: Final[Mapping[str, tuple[str, dict[str, Any]]]] = {
    'mirror': ('learned mirror', {}),
    'fixed-mirror': ('random mirror, not trained', {'condition': 'fixed_mirror'}),
    'none': ('no condition', {'condition': 'none'}),
    'sentence': ('a sentence in place of the mirror', {'condition': 'sentence'}),
    # Few steps: its tokens are not worth keeping.
    'random-clip': (
        'CLIP of random weights',
        {'clip_weights': '', 'pretrained': 'random', 'cache_tokens': False},
    ),
    'softplus': ('softplus in place of sigmoid', {'output': 'softplus'}),
    'refined': ("CLIPSeg's refined head in place of the smooth one", {'head': 'refined'}),
}


def predictions_of(settings: PredictorSettings, frames: Frames) -> Any:
    """Return the depth that a predictor with these settings sees, (N, H, W)."""
    predictor = build_predictor(settings)
    try:
        return predict_all(predictor, frames)
    finally:
        predictor.close()


def save_clip(path: Path, clip: Any, recipe: Recipe) -> None:
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
        'frames': json.dumps(recipe.train.facts()),
        'recipe': json.dumps(asdict(recipe.contrast)),
        'versions': json.dumps(versions()),
    }
    # Not save_file, which makes files that only their owner can read.
    atomic_write_bytes(path, safetensors.torch.save(state, metadata))
