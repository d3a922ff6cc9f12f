# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a run writes down while it goes: CSV always, TensorBoard on request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import csv
import io
from pathlib import Path
from typing import Any, Final, TYPE_CHECKING

from clip_depth_ros.core.files import atomic_write_bytes
from clip_depth_ros.errors import MissingDependencyError, OutputError

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

TRAIN_COLUMNS: Final = ('step', 'loss', 'learning_rate', 'gradient_norm', 'images_per_s')


class CsvLog:
    """
    A table that grows by rows; each row is in the file when :meth:`add` returns.

    Parameters
    ----------
    path : Path
        The file.
    columns : sequence of str
        The first is ``step``.
    up_to_step : int
        Rows of later steps are dropped: a resumed run writes them again.

    Raises
    ------
    OutputError
        If the file cannot be written.

    """

    def __init__(self, path: Path, columns: Sequence[str], *, up_to_step: int = -1) -> None:
        self.path, self.columns = path, tuple(columns)
        kept = [row for row in read_log(path) if int(row['step']) <= up_to_step]
        atomic_write_bytes(path, self._text([dict(zip(columns, columns, strict=True)), *kept]))

    def add(self, row: Mapping[str, Any]) -> None:
        """Write one row; numbers are written so that they read back as the same."""
        try:
            with self.path.open('ab') as file:
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
    """Give the whole rows of a log; of one that a killed run left, without its last half line."""
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
        Whether to write TensorBoard's files too.

    Raises
    ------
    OutputError
        If the files cannot be written.
    MissingDependencyError
        If TensorBoard is asked for and not installed.

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
        self._train = CsvLog(folder / 'train.csv', TRAIN_COLUMNS, up_to_step=up_to_step)
        columns = ('step', *metric_names)
        self._validation = CsvLog(folder / 'validation.csv', columns, up_to_step=up_to_step)

    def add_train(self, row: Mapping[str, Any]) -> None:
        """Write one line about the training."""
        self._train.add(row)
        self._add_to_board('train', row)

    def add_validation(self, row: Mapping[str, Any]) -> None:
        """Write one line about a validation."""
        self._validation.add(row)
        self._add_to_board('validation', row)

    def close(self) -> None:
        """Write what TensorBoard holds back."""
        if self._board is not None:
            self._board.close()

    def _add_to_board(self, kind: str, row: Mapping[str, Any]) -> None:
        if self._board is None:
            return
        for name, value in row.items():
            if name != 'step':
                self._board.add_scalar(f'{kind}/{name}', float(value), int(row['step']))


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
