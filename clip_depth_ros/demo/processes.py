# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Processes of a demo: each with a log file, ended politely; and the environment they get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import os
from pathlib import Path
import signal
import subprocess
import sys
from typing import Any, Final

from clip_depth_ros.errors import ClipDepthError, ConfigError
import yaml

END_TIMEOUT_S: Final = 30.0
_TAIL_LINES: Final = 15
_MAX_DOMAIN: Final = 232


class LoggedProcess:
    """
    A Python module run as a process of its own; to be used in a ``with`` statement.

    Parameters
    ----------
    name : str
        Its name in messages.
    command : sequence of str
        Module and arguments.
    log_path : Path
        File that gets everything that it prints.
    environ : mapping of str to str
        Its whole environment.

    """

    def __init__(
        self, name: str, command: Sequence[str], log_path: Path, environ: Mapping[str, str]
    ) -> None:
        self.name = name
        self._command = [sys.executable, '-m', *command]
        self._log_path = log_path
        self._environ = dict(environ)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> LoggedProcess:
        with self._log_path.open('wb') as log:
            # A session of its own: Ctrl-C reaches the parent alone, which ends its children.
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environ,
                start_new_session=True,
            )
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.end()

    def exit_code(self) -> int | None:
        """Return the exit code; None while it runs."""
        assert self._process is not None
        return self._process.poll()

    def wait(self, timeout_s: float) -> int | None:
        """Wait for the end and return the exit code; None if it still runs after the time."""
        assert self._process is not None
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def end(self) -> int:
        """Ask it to end as Ctrl-C does, insist if it does not, and return the exit code."""
        assert self._process is not None
        for signal_number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if self.exit_code() is not None:
                break
            self._process.send_signal(signal_number)
            self.wait(END_TIMEOUT_S)
        code = self.exit_code()
        assert code is not None
        return code

    def check_alive(self) -> None:
        """
        Make sure that it still runs.

        Raises
        ------
        ClipDepthError
            With the end of its log, if it does not.

        """
        if (code := self.exit_code()) is not None:
            raise ClipDepthError(f'{self.name} ended early with exit code {code}:\n{self.tail()}')

    def tail(self) -> str:
        """Return the last lines that it printed."""
        lines = self._log_path.read_text(encoding='utf-8', errors='replace').splitlines()
        return '\n'.join(lines[-_TAIL_LINES:])


def parameters_yaml(values: Mapping[str, Any]) -> str:
    """Return a ROS parameters file for any node; empty lists are left to their defaults."""
    plain = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in values.items()
        if value != ()
    }
    return yaml.safe_dump({'/**': {'ros__parameters': plain}})


def shared_cores(
    environ: Mapping[str, str], n_processes: int, n_cores: int | None = None
) -> dict[str, str]:
    """
    Return an environment in which each of several processes computes on its share of the cores.

    Two PyTorch processes that both take all cores wait for each other most of the time. What the
    user has set stays as it is.
    """
    threads = max(1, (n_cores or os.cpu_count() or 1) // n_processes)
    return {'OMP_NUM_THREADS': str(threads), **environ} if n_processes > 1 else {**environ}


def isolated_environ(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """
    Return an environment in which ROS talks to this machine only, in a domain of its own.

    What the user has set stays as it is.

    Raises
    ------
    ConfigError
        If the ROS_DOMAIN_ID that is set is not a valid one.

    """
    domain = environ.get('ROS_DOMAIN_ID', '0')
    if not domain.isascii() or not domain.isdecimal() or int(domain) > _MAX_DOMAIN:
        raise ConfigError(
            f'ROS_DOMAIN_ID must be a whole number from 0 to {_MAX_DOMAIN}, got {domain!r}'
        )
    isolated = {
        'ROS_DOMAIN_ID': str(1 + os.getpid() % 101),
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'PYTHONUNBUFFERED': '1',
    }
    return {**isolated, **environ}
