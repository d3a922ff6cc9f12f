# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Locks on files: one evaluation at a time writes into a folder.

A lock ends with its process, however that ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
import fcntl
import os
from pathlib import Path
from typing import BinaryIO

from clip_depth_ros.core.files import make_folder
from clip_depth_ros.errors import OutputError


@contextmanager
def run_lock(out_dir: str | os.PathLike[str], rank: int) -> Iterator[None]:
    """
    Keep other runs out of a folder, which is made if it is not there.

    Parameters
    ----------
    out_dir : str or Path
        Folder of the evaluation.
    rank : int
        Which of the processes that share the work this is: each has its own lock.

    Raises
    ------
    OutputError
        Naming the folder, if another process holds the lock, or it cannot be written.

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
                path.unlink()  # while it is held: nobody else's can be meant


def lock(file: BinaryIO, path: Path, *, is_shared: bool = False) -> None:
    """
    Lock an open file until it is closed, at once or not at all.

    Parameters
    ----------
    file : file
        The open file.
    path : Path
        Where it was opened.
    is_shared : bool
        Only keep out those that do not share: several may look whether nobody writes.

    Raises
    ------
    BlockingIOError
        If another process has locked it.
    FileNotFoundError
        If it is not at ``path`` any more: a lock on it would keep nobody out.

    """
    fcntl.flock(file, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    if not os.path.samestat(os.fstat(file.fileno()), path.stat()):
        raise FileNotFoundError(f'{str(path)!r} was replaced')


def _locked(path: Path) -> BinaryIO:
    """Open and lock a file, a new one if there is none or it was removed just now."""
    while True:
        file = path.open('ab')
        try:
            lock(file, path)
        except FileNotFoundError:
            file.close()
        except BaseException:
            file.close()
            raise
        else:
            return file
