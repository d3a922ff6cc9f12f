# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Entry point of ``clip-depth``: finds the sub-command, turns errors into exit codes."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
import contextlib
import importlib
import os
from pathlib import Path
import shlex
import signal
import sys
import threading
from typing import Any

from clip_depth_ros import __version__
from clip_depth_ros.cli.flags import refuse_unknown
from clip_depth_ros.cli.wording import as_flags, flags_of
from clip_depth_ros.core.plain_text import PlainStream
from clip_depth_ros.errors import ClipDepthError, did_you_mean, SettingsFileError
from clip_depth_ros.ros.environment import needing_ros

COMMANDS = {
    'predict': 'compute depth for your own images, videos or webcam',
    'live': 'publish a webcam, video or stream in ROS, with its depth, without a driver',
    'bag': 'make, convert, inspect and play recordings',
    'demo': 'play a recording through the real node and show what comes out',
    'evaluate': 'measure how good depth is on recordings and data sets, by a named protocol',
    'compare': 'tell whether one method is really better than another',
    'train': 'train CLIP2Depth, or adapt it to your own camera',
    'fit': 'fit bins, temperature and words of DepthCLIP to a place',
    'export': 'write a model for robots without PyTorch, and for faster engines',
    'settings': 'print every setting as YAML or as a table',
}
"""Sub-commands and what they are for; each is the module ``clip_depth_ros.cli.<name>``."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser with all sub-commands; imports nothing heavy."""
    parser = argparse.ArgumentParser(
        prog='clip-depth', description='Metric depth from one camera, with CLIP.'
    )
    parser.add_argument('--version', action='version', version=__version__)
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    for name, purpose in COMMANDS.items():
        module = importlib.import_module(f'clip_depth_ros.cli.{name}')
        command = commands.add_parser(name, help=purpose, description=module.__doc__)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


@contextlib.contextmanager
def _ending_by_signal() -> Iterator[None]:
    """
    Leave as by an exception when asked to end, so that children and half-written files go too.

    The exit code is 128 + the signal's number, as shells have it.
    """

    def leave(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    numbers = [getattr(signal, name) for name in ('SIGTERM', 'SIGHUP') if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    # What is ignored stays ignored: nohup asks for that.
    numbers = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]
    previous = {number: signal.signal(number, leave) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _printing_plainly() -> Iterator[None]:
    """Let nothing that is printed, whatever it came from, steer the terminal."""
    stdout: Any = PlainStream(sys.stdout)
    stderr: Any = PlainStream(sys.stderr)
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        yield


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run ``clip-depth`` and return its exit code.

    0 when all went well, 1 for an error that the message explains, 2 for wrong flags (argparse),
    130 after Ctrl-C. Anything unforeseen keeps its traceback.
    """
    with _printing_plainly():
        parser = build_parser()
        _refuse_unknown_command(parser, sys.argv[1:] if argv is None else argv)
        args, unknown = parser.parse_known_args(argv)
        if unknown:
            refuse_unknown(parser, unknown)
        args.command_line = shlex.join([parser.prog, *(sys.argv[1:] if argv is None else argv)])
        return _run(args, parser)


def _refuse_unknown_command(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    """Leave as argparse does, but naming the command that is near."""
    first = next(iter(words), '')
    if not first.startswith('-') and first not in ('', *COMMANDS):
        near = did_you_mean(first, COMMANDS)
        parser.error(f'there is no command {first!r} (it is one of {", ".join(COMMANDS)}){near}')


def _run(args: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Run the sub-command; turn the errors that it may end with into exit codes."""
    out = _out_of(args)
    try:
        with _ending_by_signal(), needing_ros():
            return int(args.run(args))
    except ClipDepthError as error:
        # A file has its settings by their names; all else was said, or can be, by flags.
        is_of_file = isinstance(error, SettingsFileError)
        flags = {} if is_of_file else flags_of(parser, args.command)
        print(f'clip-depth {args.command}: error: {as_flags(str(error), flags)}', file=sys.stderr)
        if out:
            with contextlib.suppress(OSError, ValueError):
                out.rmdir()  # unless something is in it
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read along (head, less) has seen enough; Python would complain on leaving.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE


def _out_of(args: argparse.Namespace) -> Path | None:
    """Return the output folder if it is not there yet: one that was made for nothing goes."""
    out = getattr(args, 'out', None) or getattr(args, 'out_dir', None)
    return Path(out) if out and not os.path.lexists(out) else None


if __name__ == '__main__':
    sys.exit(main())
