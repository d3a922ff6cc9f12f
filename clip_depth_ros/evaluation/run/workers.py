# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Processes that do work beside the one that predicts.

Threads would share Python's lock with the predictor, which takes it up again after each of its
operations: that cost it a sixth to a third of its speed. Arrays go through pipes as they are, not
through the pickle, and no shared memory is left behind if a process is killed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
            target=_serve, args=(there,), daemon=True, name='clip-depth worker'
        )
        self._process.start()
        there.close()
        self._caller = ThreadPoolExecutor(1, 'caller')
        # Not as arguments of the process, which would end without a word if it cannot read them.
        self._built = self._caller.submit(self._ask, build, parts)

    def call(self, method: str, *arguments: object) -> Future[Any]:
        """
        Have a method called; what it raises, or the making of the object, the future raises.

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
        self._built.result()  # is done: calls are in their order
        return self._ask(method, arguments)

    def _ask(self, what: str | Callable[..., object], arguments: tuple[object, ...]) -> Any:
        request = _packed((what, arguments))
        try:
            _send(self._connection, request)
            answer = _receive(self._connection)
        except (EOFError, OSError) as gone:
            raise ClipDepthError(
                'a process that reads and compares frames has ended: was it killed, is there too '
                'little memory? Fewer n_workers or a smaller batch_size need less; started '
                'again, the evaluation goes on from there'
            ) from gone
        reply, error, trace = _unpacked(answer)
        if error is not None:
            raise error from RuntimeError(f'in another process:\n{trace}')
        return reply


class NoWorker:
    """
    Holds an object in this process and calls its methods at once, as :class:`Worker` does.

    Parameters
    ----------
    build : callable
        Makes the object.
    parts : object
        What ``build`` is given; they are not copied.

    """

    def __init__(self, build: Callable[..., object], *parts: object) -> None:
        self._held = build(*parts)

    def call(self, method: str, *arguments: object) -> Future[Any]:
        """Call a method; what it raises, the future raises."""
        future: Future[Any] = Future()
        try:
            future.set_result(getattr(self._held, method)(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future


def _serve(connection: Connection) -> None:
    """Make an object, then call its methods, until the other end of the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the first process decides
    cv2.setNumThreads(0)
    os.nice(_NICE)
    held: object = None
    while True:
        try:
            request = _receive(connection)
        except EOFError:
            return
        try:
            what, arguments = _unpacked(request)
            if callable(what):
                held, reply = what(*arguments), None
            else:
                reply = getattr(held, what)(*arguments)
            packed = _packed((reply, None, ''))
        except Exception as error:
            packed = _packed((None, _sendable(error), traceback.format_exc()))
        _send(connection, packed)


def _sendable(error: Exception) -> Exception:
    """Return an error that survives pickling."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(''.join(traceback.format_exception(error)))
    return error


class _Packed(NamedTuple):
    """A value to be sent: pickled, but for its arrays."""

    head: bytes
    arrays: Sequence[memoryview | bytearray]


def _packed(value: object) -> _Packed:
    arrays: list[pickle.PickleBuffer] = []
    head = pickle.dumps(value, protocol=5, buffer_callback=arrays.append)
    return _Packed(head, [array.raw() for array in arrays])


def _send(connection: Connection, packed: _Packed) -> None:
    """Send a value, its arrays as they are in memory."""
    connection.send((packed.head, [len(array) for array in packed.arrays]))
    for array in packed.arrays:
        connection.send_bytes(array)


def _receive(connection: Connection) -> _Packed:
    """Receive what :func:`_send` sent."""
    head, sizes = connection.recv()
    arrays = [bytearray(size) for size in sizes]
    for array in arrays:
        connection.recv_bytes_into(array)
    return _Packed(head, arrays)


def _unpacked(packed: _Packed) -> Any:
    """Return back the value; its arrays may be written to if they were received."""
    return pickle.loads(packed.head, buffers=packed.arrays)
