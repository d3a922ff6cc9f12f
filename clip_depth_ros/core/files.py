# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Files: written as a whole or not at all, compared unread, opened by each process alone.

And pipes, by which a process notices that another has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
import errno
import hashlib
import multiprocessing
from multiprocessing.connection import wait
import os
from pathlib import Path
import secrets
import shutil
import signal
import threading
import time
from typing import Any, BinaryIO, Final, Generic, TypeVar
import weakref

from clip_depth_ros.errors import ClipDepthError, OutputError


def make_folder(path: str | os.PathLike[str]) -> Path:
    """
    Make a folder, and those above it, if it is not there yet.

    Raises
    ------
    OutputError
        If the operating system refuses, or a file is in the way.

    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _explained(folder, error) from error
    return folder


def check_regular(path: Path) -> None:
    """
    Refuse what is there but no regular file: a pipe or a device could be read for ever.

    Raises
    ------
    OSError
        Whose ``strerror`` says what it is.

    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, 'Not a regular file (a pipe, socket or device)', str(path))


def check_free(paths: Iterable[Path], *, force: bool) -> None:
    """
    Refuse to overwrite what is there, unless that is asked for.

    Raises
    ------
    OutputError
        Naming what is in the way.

    """
    taken = [str(path) for path in paths if os.path.lexists(path)]
    if taken and not force:
        raise OutputError(
            f'{", ".join(taken)} {"exists" if len(taken) == 1 else "exist"} already: name another '
            'place, or add --force to overwrite'
        )


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """
    Yield a path beside ``path`` to write to; it takes the place of ``path`` on success.

    The body may create a file or a folder there. Missing parent folders are made. When the body
    raises, what it wrote is removed and ``path`` stays as it was.

    Raises
    ------
    OutputError
        If the operating system refuses: no space, no permission, a folder in the way.

    """
    target = Path(path)
    temporary = target.with_name(f'.{target.name}.{secrets.token_hex(4)}.tmp')
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, target)
    except ClipDepthError:
        raise
    except OSError as error:
        raise _explained(target, error) from error
    finally:
        with suppress(OSError):  # what went wrong before says more
            _remove(temporary)


def atomic_write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file as a whole or not at all, as :func:`atomic_path`; OutputError if it cannot."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def new_file(path: Path) -> BinaryIO:
    """
    Return a new file, open for writing, in the place of what is there, of a link itself.

    For what grows while others read it, such as a log; :func:`atomic_path` is for all else.

    Raises
    ------
    OutputError
        If the operating system refuses.

    """
    try:
        path.unlink(missing_ok=True)
        return path.open('xb')  # O_EXCL: follows no link that somebody was quick to put there
    except OSError as error:
        raise _explained(path, error) from error


def file_to_append(path: Path) -> BinaryIO:
    """Return a file, new if there is none, open for adding to it; OSError if a link is there."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, 'O_NOFOLLOW', 0)
    return os.fdopen(os.open(path, flags, 0o666), 'ab')


def remove_leftovers(folder: Path, name: str = '*') -> None:
    """
    Remove what :func:`atomic_path` left in a folder when its process was killed.

    Call it only where no other process writes there.
    """
    for path in folder.glob(f'.{name}.????????.tmp'):
        with suppress(OSError):
            _remove(path)


def _explained(path: Path, error: OSError) -> OutputError:
    is_full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    advice = 'free some space there or name another place' if is_full else 'name another place'
    return OutputError(f'cannot write {str(path)!r}: {error.strerror or error}; {advice}')


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of what is in a file, 64 hexadecimal digits; OSError if not readable."""
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def fingerprint(files: Iterable[Path]) -> str:
    """
    Return a text that changes with the files: SHA-256 of their paths, sizes and times of change.

    They may come in any order; a missing file counts as missing.
    """
    listing = '\n'.join(sorted(map(_facts, files)))
    return hashlib.sha256(os.fsencode(listing)).hexdigest()


def _facts(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return f'{path}\0missing'
    return f'{path}\0{status.st_size}\0{status.st_mtime_ns}'


Opened = TypeVar('Opened')


class PerProcess(Generic[Opened]):
    """
    Something that each process opens for itself, when it first needs it.

    Forked processes share the position in a file that was open before: one would read what another
    has asked for. Libraries (HDF5, SQLite) break in other ways.

    Parameters
    ----------
    make : callable
        Makes the context manager of it, which is left at the latest when this object is collected;
        must be picklable if this is.

    """

    def __init__(self, make: Callable[[], AbstractContextManager[Opened]]) -> None:
        self._make = make
        self._opened: tuple[int, Opened, weakref.finalize[..., Any]] | None = None

    def get(self) -> Opened:
        """Return what is open in this process, opening it first if needed."""
        pid = os.getpid()
        if self._opened is None or self._opened[0] != pid:
            manager = self._make()
            value = manager.__enter__()
            self._opened = (pid, value, weakref.finalize(self, _leave_in, pid, manager))
        return self._opened[1]

    def close(self) -> None:
        """Close it in this process; it is opened again when needed."""
        if self._opened is not None:
            self._opened[2]()
            self._opened = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave what is open behind."""
        return {**self.__dict__, '_opened': None}


def _leave_in(pid: int, manager: AbstractContextManager[Any]) -> None:
    """Close what this process opened; its parent's is the parent's to close."""
    if os.getpid() == pid:
        manager.__exit__(None, None, None)


_LAST_WORDS_S: Final = 5.0
"""How long a process may take to end by itself once its parent is gone."""


def end_with_parent(pipe: int | None = None) -> None:
    """
    End this process when the one that started it has, in whatever way that was: kill -9 too.

    A thread waits for the other end of a pipe to be closed, which the parent alone holds and the
    operating system closes. SIGTERM, and SIGKILL some seconds later, end this process then.

    Parameters
    ----------
    pipe : int, optional
        A file descriptor. By default, that by which :mod:`multiprocessing` tells its processes
        about their parent: the one that asked for them, not the server that has forked them.

    """
    parent = multiprocessing.parent_process()
    watched = pipe if pipe is not None else parent.sentinel if parent else None
    if watched is None:
        return

    def end() -> None:
        wait([watched])
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_LAST_WORDS_S)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=end, name='end with parent', daemon=True).start()
