# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
An evaluation in a folder: it can be interrupted, resumed, and shared by processes.

They may be of one machine or of several that see the same folder. Each does a contiguous part of
the batches. They need not talk to each other: what is done is in the journals.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
import os
from pathlib import Path
import time
from typing import Any, BinaryIO

from clip_depth_ros.core.files import file_to_append, make_folder
from clip_depth_ros.errors import ConfigError, OutputError
from clip_depth_ros.evaluation.results.result import Result
from clip_depth_ros.evaluation.run.evaluate import Evaluation, OnProgress, scored_frames
from clip_depth_ros.evaluation.run.frames import FrameRecord, SCORING, Scoring
from clip_depth_ros.evaluation.run.journal import Journal, JournalWatch, lock, read_journals
from clip_depth_ros.evaluation.run.team import ALL, frames_of, Shard

_PATIENCE_S = 600.0
_POLL_S = 0.2


def evaluate_in_folder(
    evaluation: Evaluation,
    out_dir: str | os.PathLike[str],
    identity: Mapping[str, Any],
    part: Shard = ALL,
    *,
    force: bool = False,
    on_progress: OnProgress = lambda done, total: None,
    on_waiting: OnProgress = lambda done, total: None,
) -> Result | None:
    """
    Evaluate what is not in the journals of a folder yet.

    Parameters
    ----------
    evaluation : Evaluation
        What is evaluated.
    out_dir : str or Path
        Folder of the evaluation.
    identity : mapping
        All that decides the numbers: :meth:`Evaluation.identity`, and what else does.
    part : Shard
        Which of the processes that share the work this is.
    force : bool
        Remove another evaluation that is in the folder.
    on_progress : callable
        Gets the number of frames of this process's part that are done, and of all of them.
    on_waiting : callable
        Gets the same of all processes, when this one waits for the others.

    Returns
    -------
    Result or None
        Of all frames; None for all processes but the first.

    Raises
    ------
    OutputError
        If another evaluation is in the folder, the journal cannot be written, or no other process
        adds a frame for ten minutes.

    """
    fill_journal(
        evaluation, out_dir, identity, part, force=force, on_progress=on_progress
    )
    if not part.is_first:
        return None
    n_frames = len(evaluation.source)
    wait_for_all(out_dir, n_frames, identity, on_progress=on_waiting)
    records = _all_of(read_journals(out_dir, identity), n_frames, out_dir)
    return evaluation.result(records, identity)


def fill_journal(
    evaluation: Evaluation,
    out_dir: str | os.PathLike[str],
    identity: Mapping[str, Any],
    part: Shard = ALL,
    *,
    force: bool = False,
    scoring: Scoring = SCORING,
    on_progress: OnProgress = lambda done, total: None,
) -> None:
    """Write down a part of the frames, except those that are there; see the function above."""
    with Journal(out_dir, identity, part, force=force) as journal:
        own = frames_of(len(evaluation.source), evaluation.batch_size, part)
        n_done = sum(index in journal.done for index in own)
        on_progress(n_done, len(own))
        with closing(scored_frames(evaluation, part, {*journal.done}, scoring)) as records:
            for record in records:
                journal.add(record)
                n_done += 1
                on_progress(n_done, len(own))


def shard_from(environ: Mapping[str, str]) -> Shard:
    """
    Return the part that torchrun has meant for a process; all without torchrun.

    ConfigError if RANK or WORLD_SIZE is no number, or they do not go together.
    """
    try:
        return Shard(int(environ.get('RANK', '0')), int(environ.get('WORLD_SIZE', '1')))
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(
            f'RANK and WORLD_SIZE must be whole numbers, got {environ.get("RANK")!r} and '
            f'{environ.get("WORLD_SIZE")!r}: start with torchrun, or set neither'
        ) from error


def wait_for_all(
    out_dir: str | os.PathLike[str],
    n_frames: int,
    identity: Mapping[str, Any],
    *,
    patience_s: float = _PATIENCE_S,
    poll_s: float = _POLL_S,
    on_progress: OnProgress = lambda done, total: None,
) -> None:
    """
    Return when all frames of an evaluation are in the journals of its folder.

    OutputError if no new frame has come for ``patience_s``: a process has ended, or hangs. The
    number of frames that are done, and of all, go to ``on_progress``.
    """
    watch, n_done, since_s = JournalWatch(out_dir, identity), -1, time.monotonic()
    while len(done := watch.look()) < n_frames:
        if len(done) > n_done:
            n_done, since_s = len(done), time.monotonic()
            on_progress(n_done, n_frames)
        elif time.monotonic() - since_s > patience_s:
            first = next(index for index in range(n_frames) if index not in done)
            raise OutputError(
                f'{n_frames - n_done} of {n_frames} frames are missing ({first} '
                f'is the first), and none came for {patience_s:g} s: another process has failed '
                'or hangs; start all of them again, they go on from there'
            )
        time.sleep(poll_s)
    on_progress(n_frames, n_frames)


@contextmanager
def run_lock(out_dir: str | os.PathLike[str], rank: int) -> Iterator[None]:
    """
    Keep other runs out of a folder, which is made if it is not there.

    Each of the processes that share the work has its own lock, by its rank. OutputError, naming
    the folder, if another process holds the lock, or it cannot be written.
    """
    path = make_folder(out_dir) / f'.lock-{rank}'
    try:
        file = _locked(path)
    except BlockingIOError as error:
        raise OutputError(
            f'another process is evaluating into {str(out_dir)!r}: wait for it, or name another '
            'folder'
        ) from error
    except OSError as error:
        raise OutputError(
            f'cannot write {str(path)!r}: {error.strerror or error}; name another folder'
        ) from error
    with file:
        try:
            yield
        finally:
            with suppress(OSError):  # it may stay
                path.unlink()  # while the lock is held, this can only be our own file


def _locked(path: Path) -> BinaryIO:
    """Open and lock a file, a new one if there is none or it was removed just now."""
    while True:
        file = file_to_append(path)
        try:
            lock(file, path)
        except FileNotFoundError:
            file.close()
        except BaseException:
            file.close()
            raise
        else:
            return file


def _all_of(
    records: Iterable[FrameRecord], n_frames: int, out_dir: str | os.PathLike[str]
) -> Iterator[FrameRecord]:
    """Yield the records; refuse to end if some are missing."""
    n_read = 0
    for record in records:
        yield record
        n_read += 1
    if n_read < n_frames:
        raise OutputError(
            f'{n_frames - n_read} of {n_frames} frames are not in the journals of '
            f'{str(out_dir)!r}: start the evaluation again, it goes on from there'
        )
