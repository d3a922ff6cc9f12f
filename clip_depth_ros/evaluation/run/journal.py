# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The journal: what is known of each frame, on disk as soon as it is known.

``OUT/journal/<rank>-of-<world>.jsonl``, one for each process that shares the work, only ever
appended to. Its first line says what decides the numbers (``identity``), each further line is one
frame. A process that is killed at any moment leaves at most half a line, which is cut away when
the evaluation is resumed. What is finished has no journal any more.

Plain files rather than a database: processes of several machines share a folder, and locks of
databases do not hold on network file systems. Here each process appends to a file of its own, and
reading needs no lock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, ExitStack, suppress
import fcntl
from itertools import islice
import json
import os
from pathlib import Path
import time
from typing import Any, BinaryIO, Final

from clip_depth_ros.core.files import atomic_write_bytes, make_folder, remove_leftovers
from clip_depth_ros.errors import OutputError
from clip_depth_ros.evaluation.results.result import float_or_nan, plain, Problem
from clip_depth_ros.evaluation.run.frames import FrameRecord
from clip_depth_ros.evaluation.run.team import ALL, Shard
from clip_depth_ros.evaluation.score.score import FrameScore

FORMAT: Final = 'clip_depth_ros evaluation journal 4'

_SYNC_S: Final = 1.0
"""How often what was written is brought to the disk itself."""

_LONGEST: Final = 80
"""Characters of a value that an error message shows."""

_MOST: Final = 3
"""Differences that it names."""


class Journal:
    """
    The journal of one process, open for more frames; a context manager.

    ``force`` removes what another evaluation has left here, rather than to refuse it; but not what
    is being written at the moment. ``done`` are the numbers of the frames in any journal here.
    OutputError if another evaluation is here, another process writes this journal, or it cannot be
    written.
    """

    def __init__(
        self,
        out_dir: str | os.PathLike[str],
        identity: Mapping[str, Any],
        part: Shard = ALL,
        *,
        force: bool = False,
    ) -> None:
        own_name = f'{part.rank}-of-{part.world_size}.jsonl'
        self.path = make_folder(_folder(out_dir)) / own_name
        for path in _journals(out_dir):
            there = _identity_in(path)
            if there is not None and (differs := _difference(there, identity)):
                if not force:
                    raise OutputError(
                        f'{str(path)!r} is of another evaluation: {differs}; name another '
                        'folder, or have it removed with --force'
                    )
                # Other processes of this run replace their own; they may have done so just now.
                if path == self.path or not path.name.endswith(f'-of-{part.world_size}.jsonl'):
                    _remove(path)
        self._file = _open_to_append(self.path, identity)
        self._synced_s = time.monotonic()
        self.done = {index for index, _, _ in _locations(out_dir, identity)}

    def add(self, record: FrameRecord) -> None:
        """
        Write down a frame; OutputError if the operating system refuses.

        It is safe if this process is killed; if power fails, after a second.
        """
        with _explained(self.path):
            self._file.write(to_line(record))
            self._file.flush()
            if time.monotonic() - self._synced_s > _SYNC_S:
                os.fsync(self._file.fileno())
                self._synced_s = time.monotonic()
        self.done.add(record.index)

    def close(self) -> None:
        """Let go of the file, when all of it is on the disk."""
        with suppress(OSError):  # what could not be written was reported by add
            os.fsync(self._file.fileno())
            self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_journals(
    out_dir: str | os.PathLike[str], identity: Mapping[str, Any]
) -> Iterator[FrameRecord]:
    """
    Yield each frame that is in any journal of an evaluation once, in the order of their numbers.

    The order does not depend on who wrote which frame when, nor does anything added up in it.
    """
    found = sorted(_locations(out_dir, identity))
    with ExitStack() as stack:
        files = {
            path: stack.enter_context(path.open('rb')) for path in {path for _, path, _ in found}
        }
        last = -1
        for index, path, offset in found:
            if index != last:
                files[path].seek(offset)
                yield from_line(files[path].readline())
            last = index


def has_journal(out_dir: str | os.PathLike[str]) -> bool:
    """Return whether an evaluation there was begun and not finished."""
    return bool(_journals(out_dir))


def forget_journal(out_dir: str | os.PathLike[str]) -> None:
    """
    Remove all journals, when an evaluation is finished: started again, it begins anew.

    Processes that have written their last frame may still have theirs open. OutputError if the
    operating system refuses.
    """
    folder = _folder(out_dir)
    for path in _journals(out_dir):
        with _explained(path):
            path.unlink(missing_ok=True)
    remove_leftovers(folder)
    with suppress(OSError):  # there is none, or something else is in it
        folder.rmdir()


class JournalWatch:
    """
    The numbers of the frames in the journals of an evaluation, while these grow.

    Journals in the folder that are of another identity do not count.
    """

    def __init__(self, out_dir: str | os.PathLike[str], identity: Mapping[str, Any]) -> None:
        self._out_dir, self._identity = out_dir, identity
        self._read: dict[Path, int] = {}  # up to where
        self._indices: set[int] = set()

    def look(self) -> set[int]:
        """Return all numbers so far; reads what is new."""
        for path in _journals(self._out_dir):
            if path not in self._read and not _is_of(path, self._identity):
                continue
            for index, _, end in _frames_in(path, self._read.get(path, 0)):
                self._indices.add(index)
                self._read[path] = end
        return self._indices


def to_line(record: FrameRecord) -> bytes:
    """Return a frame as a line of JSON."""
    return _json_line({
        'index': record.index,
        'name': record.name,
        'recording': record.recording,
        'stamp_ns': record.stamp_ns,
        'scores': {
            predictor: {'values': score.values, 'sums': score.sums}
            for predictor, score in record.scores.items()
        },
        'problems': [[problem.what, problem.why] for problem in record.problems],
        'notes': record.notes,
        'image_size': record.image_size,
        'cameras': record.cameras,
    })


def from_line(line: bytes) -> FrameRecord:
    """Return the frame of a line."""
    frame = json.loads(line)
    return FrameRecord(
        index=frame['index'],
        name=frame['name'],
        recording=frame['recording'],
        stamp_ns=frame['stamp_ns'],
        scores={
            predictor: FrameScore(
                {name: float_or_nan(value) for name, value in score['values'].items()},
                {name: tuple(map(float_or_nan, each)) for name, each in score['sums'].items()},
            )
            for predictor, score in frame['scores'].items()
        },
        problems=[Problem(what, why) for what, why in frame['problems']],
        notes=frame['notes'],
        image_size=frame['image_size'],
        cameras=frame['cameras'],
    )


def lock(file: BinaryIO, path: Path, *, is_shared: bool = False) -> None:
    """
    Lock an open file until it is closed, at once or not at all.

    A lock ends with its process, however that ends. If it is shared, it only keeps out those that
    do not share: several may check that nobody writes. BlockingIOError if another process has
    locked the file, FileNotFoundError if it is not at ``path`` any more: a lock on it would keep
    nobody out.
    """
    fcntl.flock(file, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    if not os.path.samestat(os.fstat(file.fileno()), path.stat()):
        raise FileNotFoundError(f'{str(path)!r} was replaced')


def _json_line(value: Any) -> bytes:
    return json.dumps(plain(value), allow_nan=False, separators=(',', ':')).encode() + b'\n'


def _folder(out_dir: str | os.PathLike[str]) -> Path:
    return Path(out_dir) / 'journal'


def _journals(out_dir: str | os.PathLike[str]) -> list[Path]:
    return sorted(_folder(out_dir).glob('*-of-*.jsonl'))


def _locations(
    out_dir: str | os.PathLike[str], identity: Mapping[str, Any]
) -> Iterator[tuple[int, Path, int]]:
    """Yield number, file and place of each whole line about a frame."""
    for path in _journals(out_dir):
        if _is_of(path, identity):
            for index, begin, _ in _frames_in(path, 0):
                yield index, path, begin


def _frames_in(path: Path, begin: int) -> Iterator[tuple[int, int, int]]:
    """
    Yield number, begin and end of each line about a frame from a place on, bytes.

    What follows a line that is not whole, or was damaged by a loss of power, does not count.
    """
    with path.open('rb') as file:
        if not begin:
            begin = len(file.readline())
        file.seek(begin)
        for line in file:
            try:
                index = int(json.loads(line)['index'])
            except (ValueError, TypeError, KeyError):
                return
            if not line.endswith(b'\n'):
                return
            end = begin + len(line)
            yield index, begin, end
            begin = end


def _open_to_append(path: Path, identity: Mapping[str, Any]) -> BinaryIO:
    """Open a journal, a new one if there is none, behind its last whole line."""
    if _identity_in(path) is None:
        # Wholly or not at all: other processes read it.
        atomic_write_bytes(path, _json_line({'format': FORMAT, 'identity': identity}))
    with _explained(path):
        file = path.open('r+b')
        try:
            lock(file, path)
        except BaseException:
            file.close()
            raise
        ends = [end for _, _, end in _frames_in(path, 0)]
        file.truncate(ends[-1] if ends else len(file.readline()))
        file.seek(0, os.SEEK_END)
    return file


def _remove(path: Path) -> None:
    """Remove a journal that nobody writes."""
    with _explained(path), suppress(FileNotFoundError), path.open('rb') as file:
        lock(file, path, is_shared=True)  # others of this run may be doing the same
        path.unlink()


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Say what to do where the operating system refuses."""
    try:
        yield
    except OutputError:
        raise
    except BlockingIOError as error:
        raise OutputError(
            f'another process is writing {str(path)!r}: wait for it, or name another folder'
        ) from error
    except OSError as error:
        raise OutputError(
            f'cannot write {str(path)!r}: {error.strerror or error}; free some space or name '
            'another folder; started again, it goes on from there'
        ) from error


def _is_of(path: Path, identity: Mapping[str, Any]) -> bool:
    """Return whether a journal is of an evaluation."""
    there = _identity_in(path)
    return there is not None and not _difference(there, identity)


def _difference(there: Mapping[str, Any], identity: Mapping[str, Any]) -> str:
    """Return in what the identity in a journal is another one, in words; empty if it is not."""
    here = json.loads(_json_line(identity))
    return '; '.join(islice(_differences(there, here, ''), _MOST))


def _differences(there: Any, here: Any, name: str) -> Iterator[str]:
    """Yield what was and what is, for each plain value that differs."""
    if isinstance(there, Mapping) and isinstance(here, Mapping):
        for key in {**there, **here}:
            below = f'{name}.{key}' if name else key
            yield from _differences(there.get(key), here.get(key), below)
    elif there != here and name == 'files':
        yield 'the files of the source have changed'
    elif there != here:
        yield f'{name} was {_short(there)}, is {_short(here)}'


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _LONGEST else f'{text[:_LONGEST]}...'


def _identity_in(path: Path) -> Mapping[str, Any] | None:
    """
    Return what a journal is of; None if it was just removed, or a loss of power left it empty.

    OutputError if it is no journal.
    """
    try:
        with path.open('rb') as file:
            first = file.readline()
    except FileNotFoundError:
        return None
    if not first.strip(b'\0'):  # file systems fill what they have lost with zeros
        return None
    try:
        header = json.loads(first)
        if header['format'] == FORMAT:
            return dict(header['identity'])
    except (ValueError, TypeError, KeyError):
        pass
    raise OutputError(
        f'{str(path)!r} is not a journal of this version ({FORMAT!r}): name another folder, or '
        'remove it'
    )
