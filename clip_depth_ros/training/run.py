# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The folder of a run: what lies where, and whether it may be begun or gone on with."""

from __future__ import annotations

from dataclasses import dataclass
import json
from pathlib import Path
import shutil
from typing import Any, Final

from clip_depth_ros.core.files import atomic_write_bytes, make_folder, remove_leftovers
from clip_depth_ros.errors import ConfigError, OutputError
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.training.checkpoint import Checkpoint, load_checkpoint

MAY_CHANGE: Final = frozenset({
    'allow_download', 'bad_frame_share', 'cache_dir', 'device', 'log_interval', 'n_sheet_frames',
    'n_threads', 'n_workers', 'out_dir', 'rendered_dir', 'save_interval', 'tensorboard',
})
"""Settings that may be others when a run goes on: they do not change what is learned."""


def run_folder(settings: TrainSettings) -> RunFolder:
    """
    Give the folder that the settings name.

    Raises
    ------
    ConfigError
        If they name none.

    """
    if not settings.out_dir:
        raise ConfigError('out_dir is needed: say where the run and its weights are to be kept')
    return RunFolder(Path(settings.out_dir).expanduser())


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where the files of a run are."""

    path: Path

    @property
    def settings(self) -> Path:
        """Give the settings of the run, JSON."""
        return self.path / 'run.json'

    @property
    def checkpoint(self) -> Path:
        """Give the state that a run goes on from."""
        return self.path / 'checkpoint.safetensors'

    @property
    def best(self) -> Path:
        """Give the weights of the best validation."""
        return self.path / 'best.safetensors'

    @property
    def last(self) -> Path:
        """Give the weights of the last checkpoint."""
        return self.path / 'last.safetensors'

    @property
    def report(self) -> Path:
        """Give the metrics before and after, JSON."""
        return self.path / 'report.json'

    @property
    def tokens(self) -> Path:
        """Give the folder of token caches, if they are kept with the run."""
        return self.path / 'tokens'

    def sheet(self, step: int) -> Path:
        """Give the picture sheet of the validation after a number of steps."""
        return self.path / 'sheets' / f'step_{step:07d}.png'

    def begin(self, settings: TrainSettings, *, force: bool) -> None:
        """
        Make the folder ready for a new run.

        Raises
        ------
        OutputError
            If it is not empty and ``force`` is not set, or cannot be written.

        """
        make_folder(self.path)
        taken = sorted(path.name for path in self.path.iterdir() if path != self.tokens)
        if taken and not force:
            raise OutputError(
                f'the run folder {str(self.path)!r} is not empty ({", ".join(taken[:5])}): add '
                '--resume to go on with its run, --force to overwrite it, or name another out_dir'
            )
        self._remove_own()
        content = json.dumps(settings.model_dump(mode='json'), indent=2) + '\n'
        atomic_write_bytes(self.settings, content.encode())

    def resume(self, settings: TrainSettings) -> Checkpoint | None:
        """
        Give the checkpoint to go on from; None if the run was stopped before the first.

        Raises
        ------
        ConfigError
            If there is no run, or that of other settings.
        WeightsError
            If the checkpoint is damaged.

        """
        try:
            previous = json.loads(self.settings.read_bytes())
        except (OSError, ValueError) as error:
            raise ConfigError(
                f'--resume needs the folder of a run, but {str(self.settings)!r} cannot be read '
                f'({error}): leave --resume out to begin one'
            ) from error
        self._check_same(previous, settings)
        remove_leftovers(self.path)
        return load_checkpoint(self.checkpoint) if self.checkpoint.exists() else None

    def _check_same(self, previous: dict[str, Any], settings: TrainSettings) -> None:
        now = settings.model_dump(mode='json')
        names = [name for name in {**now, **previous} if name not in MAY_CHANGE]
        others = [
            f'{name} was {previous.get(name)!r}, is {now.get(name)!r}'
            for name in names
            if previous.get(name) != now.get(name)
        ]
        if others:
            raise ConfigError(
                f'{str(self.path)!r} holds a run with other settings: {"; ".join(others)}. Resume '
                'with the same, or begin another run in another out_dir'
            )

    def _remove_own(self) -> None:
        """Remove what an earlier run left, and nothing else; tokens are checked on their own."""
        own = (
            self.settings, self.checkpoint, self.best, self.last, self.report,
            self.path / 'train.csv', self.path / 'validation.csv',
        )
        for path in own:
            path.unlink(missing_ok=True)
        for folder in (self.path / 'sheets', self.path / 'tensorboard'):
            shutil.rmtree(folder, ignore_errors=True)
