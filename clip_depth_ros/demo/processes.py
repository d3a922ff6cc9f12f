# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The processes of a demo: modules of Python with a log each, ended with the parent.

They import what is installed, not what lies in the folder in which the demo was started: that may
be the folder of a recording from anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
import contextlib
import os
from pathlib import Path
import signal
import subprocess
import sys
import threading
from typing import Final

import clip_depth_ros
from clip_depth_ros.core.files import new_file
from clip_depth_ros.errors import ClipDepthError

_END_TIMEOUT_S: Final = 30.0
_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_TAIL_LINES: Final = 15

_WITHOUT_CURRENT_FOLDER: Final = (
    'import sys; sys.path.pop(0); import runpy; '
    'runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)'
)


def module_command(
    module: str, *arguments: str, has_safe_path: bool = sys.version_info >= (3, 11)
) -> list[str]:
    """
    Return the command that runs a module without the current folder on Python's path.

    ``python -m`` puts it first. ``has_safe_path``: Python knows ``-P`` against that.
    """
    if has_safe_path:
        return [sys.executable, '-P', '-m', module, *arguments]
    return [sys.executable, '-c', _WITHOUT_CURRENT_FOLDER, module, *arguments]


def safe_path_environ(
    environ: Mapping[str, str], root: Path = Path(clip_depth_ros.__file__).parents[1]
) -> dict[str, str]:
    """
    Return an environment whose ``PYTHONPATH`` means the current folder only where it names it.

    An empty entry, as ``PYTHONPATH=/my/lib:$PYTHONPATH`` leaves one, means it too. ``root`` is the
    folder of this package; if that is the current one (a checkout that is not installed), it is
    added, since its processes would not find it otherwise.
    """
    named = [entry for entry in environ.get('PYTHONPATH', '').split(os.pathsep) if entry]
    if root == Path.cwd():
        named.append(str(root))
    return {**environ, 'PYTHONPATH': os.pathsep.join(named)}


@contextlib.contextmanager
def _signals_kept() -> Iterator[list[int]]:
    """
    Keep signals that end this process for later, in a list.

    One that interrupts the start of a child would leave it running, unknown to anybody.
    """
    kept: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield kept  # signals are handled in the main thread alone
        return
    handled = [n for n in _ENDING if signal.getsignal(n) not in (signal.SIG_IGN, signal.SIG_DFL)]
    previous = {n: signal.signal(n, lambda number, _: kept.append(number)) for n in handled}
    try:
        yield kept
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class LoggedProcess:
    """
    A Python module that runs as a process of its own, until the end of a ``with`` statement.

    It ends with this process even if that is killed.

    ``name`` is for messages, ``command`` the module with its arguments, ``environ`` the whole
    environment; the file ``log_path`` gets everything that the process prints.
    """

    def __init__(
        self, name: str, command: Sequence[str], log_path: Path, environ: Mapping[str, str]
    ) -> None:
        self.name = name
        self._log_path = log_path
        with _signals_kept() as kept, new_file(log_path) as log:
            # A session of its own: Ctrl-C reaches the parent alone, which ends its children.
            self._process = subprocess.Popen(
                module_command('clip_depth_ros.demo.child', *command),
                stdin=subprocess.PIPE,  # says by its end that this process has ended
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(environ),
                start_new_session=True,
            )
        try:
            for number in kept:
                signal.raise_signal(number)
        except BaseException:
            self.end()
            raise

    def __enter__(self) -> LoggedProcess:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.end()

    def exit_code(self) -> int | None:
        """Return the exit code; None while it runs."""
        return self._process.poll()

    def end(self) -> int:
        """Ask it to end as Ctrl-C does, insist if it does not, and return the exit code."""
        for signal_number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if self.exit_code() is not None:
                break
            self._process.send_signal(signal_number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_TIMEOUT_S)
        if self._process.stdin:
            self._process.stdin.close()
        return self._process.wait()

    def check_alive(self) -> None:
        """Make sure that it still runs; ClipDepthError with the end of its log if not."""
        if (code := self.exit_code()) is not None:
            raise ClipDepthError(f'{self.name} ended early with exit code {code}:\n{self.tail()}')

    def tail(self) -> str:
        """Return the last lines that it printed."""
        lines = self._log_path.read_text(encoding='utf-8', errors='replace').splitlines()
        return '\n'.join(lines[-_TAIL_LINES:])
