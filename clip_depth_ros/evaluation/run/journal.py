# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The journal: what is known of each frame, on disk as soon as it is known.

``OUT/journal/<rank>-of-<world>.jsonl``, one for each process that shared the work, only ever
appended to. Its first line says what decides the numbers (``identity``), each further line is one
frame. A process that is killed at any moment leaves at most half a line, which is cut away when
the work goes on. What is finished has no journal any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, ExitStack, suppress
import json
import os
from pathlib import Path
import time
from typing import Any, BinaryIO, Final

from clip_depth_ros.core.files import atomic_write_bytes, make_folder, remove_leftovers
from clip_depth_ros.errors import OutputError
from clip_depth_ros.evaluation.run.frame_record import FrameRecord, from_line, json_line
from clip_depth_ros.evaluation.run.identity import difference
from clip_depth_ros.evaluation.run.run_lock import lock

FORMAT: Final = 'clip_depth_ros evaluation journal 1'

_SYNC_S: Final = 1.0
"""How often what was written is brought to the disk itself."""


class Journal:
    """
    The journal of one process, open for more frames; a context manager.

    Parameters
    ----------
    out_dir : str or Path
        Folder of the evaluation.
    identity : mapping
        All that decides the numbers; plain values, as JSON has them.
    rank, world_size : int
        Which of how many processes this is.
    force : bool
        Remove what another evaluation has left here, rather than refuse; not what is being
        written just now.

    Attributes
    ----------
    done : set of int
        Frames in any journal here.

    Raises
    ------
    OutputError
        If another evaluation is here, another process writes this journal, or it cannot be
        written.

    """

    def __init__(
        self,
        out_dir: str | os.PathLike[str],
        identity: Mapping[str, Any],
        *,
        rank: int = 0,
        world_size: int = 1,
        force: bool = False,
    ) -> None:
        self.path = make_folder(_folder(out_dir)) / f'{rank}-of-{world_size}.jsonl'
        for path in _journals(out_dir):
            there = _identity_in(path)
            if there is not None and (differs := _difference(there, identity)):
                if not force:
                    raise OutputError(
                        f'{str(path)!r} is of another evaluation: {differs}; name another '
                        'folder, or have it removed with --force'
                    )
                # Other processes of this run replace their own; they may have done so just now.
                if path == self.path or not path.name.endswith(f'-of-{world_size}.jsonl'):
                    _remove(path)
        self._file = _open_to_append(self.path, identity)
        self._synced_s = time.monotonic()
        self.done = {index for index, _, _ in _locations(out_dir, identity)}

    def add_line(self, index: int, line: bytes) -> None:
        """
        Write down a frame that is a line already.

        It is safe if this process is killed; if power fails, after a second.

        Raises
        ------
        OutputError
            If the operating system refuses.

        """
        with _explained(self.path):
            self._file.write(line)
            self._file.flush()
            if time.monotonic() - self._synced_s > _SYNC_S:
                os.fsync(self._file.fileno())
                self._synced_s = time.monotonic()
        self.done.add(index)

    def close(self) -> None:
        """Let go of the file, when all of it is on the disk."""
        with suppress(OSError):  # what could not be written was told by add_line
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
    Give each frame that is in any journal of an evaluation once, in the order of their numbers.

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
    """Say whether an evaluation there was begun and not finished."""
    return bool(_journals(out_dir))


def forget_journal(out_dir: str | os.PathLike[str]) -> None:
    """
    Remove all journals, when an evaluation is finished: who starts it again wants it anew.

    Processes that have written their last frame may still have theirs open.

    Raises
    ------
    OutputError
        If the operating system refuses.

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

    Parameters
    ----------
    out_dir : str or Path
        Folder of the evaluation.
    identity : mapping
        Journals of other evaluations do not count.

    """

    def __init__(self, out_dir: str | os.PathLike[str], identity: Mapping[str, Any]) -> None:
        self._out_dir, self._identity = out_dir, identity
        self._read: dict[Path, int] = {}  # up to where
        self._indices: set[int] = set()

    def look(self) -> set[int]:
        """Give all numbers so far; reads what is new."""
        for path in _journals(self._out_dir):
            if path not in self._read and not _is_of(path, self._identity):
                continue
            for index, _, end in _frames_in(path, self._read.get(path, 0)):
                self._indices.add(index)
                self._read[path] = end
        return self._indices


def _folder(out_dir: str | os.PathLike[str]) -> Path:
    return Path(out_dir) / 'journal'


def _journals(out_dir: str | os.PathLike[str]) -> list[Path]:
    return sorted(_folder(out_dir).glob('*-of-*.jsonl'))


def _locations(
    out_dir: str | os.PathLike[str], identity: Mapping[str, Any]
) -> Iterator[tuple[int, Path, int]]:
    """Give number, file and place of each whole line about a frame."""
    for path in _journals(out_dir):
        if _is_of(path, identity):
            for index, begin, _ in _frames_in(path, 0):
                yield index, path, begin


def _frames_in(path: Path, begin: int) -> Iterator[tuple[int, int, int]]:
    """
    Give number, begin and end of each line about a frame from a place on, bytes.

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
        atomic_write_bytes(path, json_line({'format': FORMAT, 'identity': identity}))
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
    """Say whether a journal is of an evaluation."""
    there = _identity_in(path)
    return there is not None and not _difference(there, identity)


def _difference(there: Mapping[str, Any], identity: Mapping[str, Any]) -> str:
    """Say in what the identity in a journal is another one; nothing if it is not."""
    return difference(there, json.loads(json_line(identity)))


def _identity_in(path: Path) -> Mapping[str, Any] | None:
    """
    Give what a journal is of; None if it was just removed, or a loss of power left it empty.

    Raises
    ------
    OutputError
        If it is no journal.

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
