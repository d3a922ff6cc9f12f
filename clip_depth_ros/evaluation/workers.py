# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Processes that do work beside the one that predicts.

Threads would share Python's lock with the predictor, which takes it up again after each of its
operations: that cost it a sixth to a third of its speed. Arrays go through pipes as they are, not
through the pickle, and no shared memory is left behind if a process is killed.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.connection import Connection
import os
import pickle
import signal
import traceback
from typing import Any, Final, NamedTuple

from clip_depth_ros.errors import ClipDepthError
import cv2

_NICE: Final = 5
"""How far behind the predictor workers stand where both want the same core."""


class Worker:
    """
    One process that holds an object and calls its methods; a context manager.

    Calls return at once; they are done one after the other, in their order.

    Parameters
    ----------
    build : callable
        Makes the object; it and its parts go to the process pickled.
    parts : object
        What ``build`` is given.

    """

    def __init__(self, build: Callable[..., object], *parts: object) -> None:
        # Not forked: this process has threads (of PyTorch, of OpenCV) that a fork would break.
        context = get_context('forkserver')
        context.set_forkserver_preload([__name__])
        self._connection, there = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(there, build, parts), daemon=True, name='clip-depth worker'
        )
        self._process.start()
        there.close()
        self._caller = ThreadPoolExecutor(1, 'caller')

    def call(self, method: str, *arguments: object) -> Future[Any]:
        """
        Have a method called; what it raises, the future raises.

        ClipDepthError, from the future, if the process has ended.
        """
        return self._caller.submit(self._call, method, arguments)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Let the process end; at once if there was an error."""
        if kind is None:
            self._caller.shutdown()
            self._connection.close()
        else:
            self._process.terminate()
            self._caller.shutdown(wait=False, cancel_futures=True)
        self._process.join()

    def _call(self, method: str, arguments: tuple[object, ...]) -> Any:
        try:
            _send(self._connection, _packed((method, arguments)))
            reply, error, trace = _receive(self._connection)
        except (EOFError, OSError) as gone:
            raise ClipDepthError(
                'a process that reads and compares frames has ended: was it killed, is there too '
                'little memory? Fewer n_workers or a smaller batch_size need less; started '
                'again, the evaluation goes on from there'
            ) from gone
        if error is not None:
            raise error from RuntimeError(f'in another process:\n{trace}')
        return reply


def _serve(connection: Connection, build: Callable[..., object], parts: tuple[Any, ...]) -> None:
    """Call methods until the other end of the pipe is closed, or its process has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the first process decides
    cv2.setNumThreads(0)
    os.nice(_NICE)
    held = build(*parts)
    while True:
        try:
            method, arguments = _receive(connection)
        except EOFError:
            return
        try:
            packed = _packed((getattr(held, method)(*arguments), None, ''))
        except Exception as error:
            packed = _packed((None, _sendable(error), traceback.format_exc()))
        _send(connection, packed)


def _sendable(error: Exception) -> Exception:
    """Give an error that survives pickling."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(''.join(traceback.format_exception(error)))
    return error


class _Packed(NamedTuple):
    """A value to be sent: pickled, but for its arrays."""

    head: bytes
    arrays: list[memoryview]


def _packed(value: object) -> _Packed:
    arrays: list[pickle.PickleBuffer] = []
    head = pickle.dumps(value, protocol=5, buffer_callback=arrays.append)
    return _Packed(head, [array.raw() for array in arrays])


def _send(connection: Connection, packed: _Packed) -> None:
    """Send a value, its arrays as they are in memory."""
    connection.send((packed.head, [array.nbytes for array in packed.arrays]))
    for array in packed.arrays:
        connection.send_bytes(array)


def _receive(connection: Connection) -> Any:
    """Receive what :func:`_send` sent; arrays may be written to."""
    head, sizes = connection.recv()
    arrays = [bytearray(size) for size in sizes]
    for array in arrays:
        connection.recv_bytes_into(array)
    return pickle.loads(head, buffers=arrays)
