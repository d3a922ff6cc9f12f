# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The folder of a run: what lies where, its logs, and whether a run may start or resume there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import csv
import io
import json
import os
from pathlib import Path
import shutil
from typing import Any, Final, Literal, TYPE_CHECKING

from clip_depth_ros.core.files import (
    atomic_write_bytes,
    check_regular,
    file_to_append,
    make_folder,
    remove_leftovers,
)
from clip_depth_ros.errors import ConfigError, MissingDependencyError, OutputError
from clip_depth_ros.settings.paths import user_path
from clip_depth_ros.settings.training import TrainSettings
from clip_depth_ros.training.checkpoint import check_facts, Checkpoint, load_checkpoint

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

TRAIN_COLUMNS: Final = ('step', 'loss', 'learning_rate', 'gradient_norm', 'images_per_s')

_SETTINGS: Final = 'run.json'

MAY_CHANGE: Final = frozenset({
    'allow_download', 'bad_frame_share', 'cache_dir', 'device', 'log_interval', 'n_sheet_frames',
    'n_threads', 'n_workers', 'out_dir', 'rendered_dir', 'save_interval', 'tensorboard',
})
"""Settings that may differ when a run resumes: they do not change what is learned."""


class RunFolder:
    """
    The folder that the settings of a run name, and its files; ConfigError if they name none.

    Attributes
    ----------
    path : Path
        The folder.
    checkpoint : Path
        The state that a run resumes from.
    best, last : Path
        Weights of the best validation and of the last checkpoint.
    report : Path
        Metrics before and after, JSON.

    """

    def __init__(self, settings: TrainSettings) -> None:
        if not settings.out_dir:
            raise ConfigError(
                'out_dir is needed: say where the run and its weights are to be kept'
            )
        self.path = user_path(settings.out_dir)
        self.checkpoint = self.path / 'checkpoint.safetensors'
        self.best, self.last = self.path / 'best.safetensors', self.path / 'last.safetensors'
        self.report = self.path / 'report.json'
        self._settings, self._settings_path = settings, self.path / _SETTINGS

    def sheet(self, step: int) -> Path:
        """Return the picture sheet of the validation after a number of steps."""
        return self.path / 'sheets' / f'step_{step:07d}.png'

    @property
    def is_begun(self) -> bool:
        """Return whether there is a run in the folder."""
        return self._settings_path.is_file()

    def check_free(self, *, force: bool) -> None:
        """
        Make the folder, and refuse one that holds something, unless ``force`` is set.

        OutputError if it is not empty, or cannot be made.
        """
        make_folder(self.path)
        taken = sorted(path.name for path in self.path.iterdir() if path.name != 'tokens')
        if taken and not force:
            raise OutputError(
                f'the run folder {str(self.path)!r} is not empty ({", ".join(taken[:5])}): add '
                '--resume to go on with its run, --force to overwrite it, or name another out_dir'
            )

    def begin(self) -> None:
        """
        Make the folder ready for a new run.

        What an earlier run left is removed, and nothing else; tokens are checked on their own.
        OutputError if it cannot be written.
        """
        self.clear()
        content = json.dumps(self._settings.model_dump(mode='json'), indent=2) + '\n'
        atomic_write_bytes(self._settings_path, content.encode())

    def clear(self) -> None:
        """Remove what runs leave, but for tokens: then another one needs no ``force``."""
        own = (
            self._settings_path, self.checkpoint, self.best, self.last, self.report,
            self.path / 'train.csv', self.path / 'validation.csv',
        )
        for path in own:
            path.unlink(missing_ok=True)
        for folder in (self.path / 'sheets', self.path / 'tensorboard'):
            shutil.rmtree(folder, ignore_errors=True)

    def resume(self) -> Checkpoint | None:
        """
        Return the checkpoint to resume from; None if the run was stopped before the first.

        ConfigError if there is no run, or one with other settings; WeightsError if the checkpoint
        is damaged.
        """
        previous = settings_of_run(self.path)
        now = self._settings.model_dump(mode='json')
        others = [
            f'{name} was {previous.get(name)!r}, is {now.get(name)!r}'
            for name in {**now, **previous}
            if name not in MAY_CHANGE and previous.get(name) != now.get(name)
        ]
        if others:
            raise ConfigError(
                f'{str(self.path)!r} holds a run with other settings: {"; ".join(others)}. Resume '
                'with the same, or begin another run in another out_dir'
            )
        remove_leftovers(self.path)
        if not self.checkpoint.exists():
            return None
        checkpoint = load_checkpoint(self.checkpoint)
        check_facts(checkpoint)
        return checkpoint


def settings_of_run(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """
    Return the settings that the run in a folder was begun with; ConfigError if none was.

    Those that an earlier version called otherwise have their names of today.
    """
    path = user_path(folder) / _SETTINGS
    try:
        check_regular(path)
        values: dict[str, Any] = dict(json.loads(path.read_bytes()))
    except (OSError, TypeError, ValueError, RecursionError) as error:
        raise ConfigError(
            f'--resume needs the folder of a run, but {str(path)!r} cannot be read ({error}): '
            'leave --resume out to begin one'
        ) from error
    known = TrainSettings.model_fields
    today = {old: new for old, new in TrainSettings.renamed.items() if new in known}
    return {today.get(name, name): value for name, value in values.items()}


class CsvLog:
    """
    A table that grows by rows; each row is in the file when :meth:`add` returns.

    The first column is ``step``. Rows of steps after ``up_to_step`` are dropped: a resumed run
    writes them again. OutputError if the file cannot be written.
    """

    def __init__(self, path: Path, columns: Sequence[str], *, up_to_step: int = -1) -> None:
        self.path, self.columns = path, tuple(columns)
        kept = [row for row in read_log(path) if int(row['step']) <= up_to_step]
        atomic_write_bytes(path, self._text([dict(zip(columns, columns, strict=True)), *kept]))

    def add(self, row: Mapping[str, Any]) -> None:
        """Write one row; numbers are written so that they read back as the same."""
        try:
            with file_to_append(self.path) as file:
                file.write(self._text([row]))
        except OSError as error:
            raise OutputError(
                f'cannot write {str(self.path)!r}: {error.strerror}; free some space and go on '
                'with --resume'
            ) from error

    def _text(self, rows: Sequence[Mapping[str, Any]]) -> bytes:
        text = io.StringIO()
        csv.DictWriter(text, self.columns, lineterminator='\n').writerows(rows)
        return text.getvalue().encode()


def read_log(path: Path) -> list[dict[str, str]]:
    """Return the whole rows of a log; a half line that a killed run left is dropped."""
    if not path.is_file():
        return []
    text = path.read_text(encoding='utf-8')
    whole = text[: text.rfind('\n') + 1]
    return list(csv.DictReader(io.StringIO(whole)))


class RunLog:
    """
    The logs of one run: ``train.csv``, ``validation.csv`` and, on request, TensorBoard's.

    Parameters
    ----------
    folder : Path
        Of the run.
    metric_names : sequence of str
        Columns of the validation table.
    up_to_step : int
        Later rows are dropped.
    tensorboard : bool
        Whether to write TensorBoard's files too; MissingDependencyError if it is not installed.

    """

    def __init__(
        self,
        folder: Path,
        metric_names: Sequence[str],
        *,
        up_to_step: int = -1,
        tensorboard: bool = False,
    ) -> None:
        board = _summary_writer(folder / 'tensorboard', up_to_step) if tensorboard else None
        self._board: SummaryWriter | None = board
        columns = {'train': TRAIN_COLUMNS, 'validation': ('step', *metric_names)}
        self._tables = {
            kind: CsvLog(folder / f'{kind}.csv', names, up_to_step=up_to_step)
            for kind, names in columns.items()
        }

    def add(self, kind: Literal['train', 'validation'], row: Mapping[str, Any]) -> None:
        """Write one line about the training or a validation."""
        self._tables[kind].add(row)
        if self._board is None:
            return
        for name, value in row.items():
            if name != 'step':
                self._board.add_scalar(f'{kind}/{name}', float(value), int(row['step']))

    def close(self) -> None:
        """Write what TensorBoard holds back."""
        if self._board is not None:
            self._board.close()


def _summary_writer(folder: Path, up_to_step: int) -> SummaryWriter:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingDependencyError(
            f'tensorboard=true needs TensorBoard ({error}): pip install "clip_depth_ros[train]", '
            'or leave it off; train.csv and validation.csv are written either way'
        ) from error
    # TensorBoard hides what an interrupted run wrote from this step on.
    return SummaryWriter(folder, purge_step=up_to_step + 1)
