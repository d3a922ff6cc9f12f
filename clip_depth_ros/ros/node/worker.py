# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The worker thread: it builds predictors and predicts, and nobody else touches them meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
import contextlib
import threading
import time
from typing import Any, Final, TypeAlias

from clip_depth_ros.errors import ClipDepthError
from clip_depth_ros.ros.node.diagnostics import reason
from clip_depth_ros.settings.node import NodeSettings
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.types import DepthPredictor
import numpy as np

BuildPredictor: TypeAlias = Callable[[PredictorSettings, 'DepthPredictor | None'], DepthPredictor]
"""Builds a predictor from settings; may take over what it can from a previous one."""

Predict: TypeAlias = Callable[[NodeSettings, DepthPredictor], None]
"""Work on one image with the settings and the predictor in force; it must not raise."""

_WARM_UP_IMAGE: Final = np.zeros((96, 128, 3), np.uint8)
_END_S: Final = 30.0
_DESCRIBE_PERIOD_S: Final = 1.0


class LatestWorker:
    """
    A thread that does the newest job of each kind: falling behind drops, it never queues.

    ``work`` is what to do with a job, by kind, the most urgent kind first. One job is done at a
    time. It must not raise; what it raises ends the thread.
    """

    def __init__(self, **work: Callable[[Any], None]) -> None:
        self._work = work
        self._changed = threading.Condition()
        self._waiting: dict[str, Any] = {}
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name='depth_worker', daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, kind: str, job: Any) -> bool:
        """Hand over a job; return whether it replaced one of its kind that was not begun."""
        with self._changed:
            replaced = kind in self._waiting
            self._waiting[kind] = job
            self._changed.notify()
        return replaced

    def discard(self, kind: str) -> bool:
        """Take back the waiting job of a kind; return whether there was one."""
        with self._changed:
            return self._waiting.pop(kind, None) is not None

    def stop(self) -> None:
        """Ask the thread to end after the job in hand; what waits is not done any more."""
        with self._changed:
            self._waiting.clear()
            self._is_stopping = True
            self._changed.notify()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread to end; return whether it has."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def is_working(self) -> bool:
        """Return whether the thread is there to work, and was not asked to end."""
        return self._thread.is_alive() and not self._is_stopping

    def _run(self) -> None:
        while (taken := self._take()) is not None:
            kind, job = taken
            self._work[kind](job)
            # Not kept while waiting for the next one: it may hold an image.
            del taken, job

    def _take(self) -> tuple[str, Any] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_stopping)
            if self._is_stopping:
                return None
            kind = next(kind for kind in self._work if kind in self._waiting)
            return kind, self._waiting.pop(kind)


class PredictorWorker:
    """
    The predictor of a configured node, and the one thread that uses it.

    Building this builds and warms up the first predictor, on the caller's thread, and raises as
    ``build`` does; from :meth:`start` until :meth:`join` has returned, the worker's thread alone
    touches predictor and CLIP. The methods are for the executor's thread; the attributes may be
    read from any.

    Attributes
    ----------
    wanted : NodeSettings
        The newest that were asked for.
    settings : NodeSettings
        In force.
    error : str
        Why the newest are not in force; empty if they are, or are being built.
    described : mapping
        ``describe()`` of the predictor in force, not more than a second or an image old.

    """

    def __init__(self, build: BuildPredictor, settings: NodeSettings, logger: Any) -> None:
        self._build = build
        self._logger = logger
        self.wanted = self.settings = settings
        self.error = ''
        self._predictor = build(settings, None)
        try:
            self._predictor.predict(_WARM_UP_IMAGE)
            self.described: Mapping[str, str] = self._predictor.describe()
        except BaseException:
            self._predictor.close()
            raise
        self._described_s = time.monotonic()
        self._worker = self._new_worker()

    # ------------------------------------------------------------------ executor's side

    def start(self) -> None:
        """
        Start the thread; make sure that it works again where :meth:`join` has given up.

        ClipDepthError if it was asked to end and is still busy.
        """
        if self._worker.is_working():
            return
        self.join()
        self._worker = self._new_worker()
        self._worker.submit('change', self.wanted)
        self._worker.start()

    def request(self, settings: NodeSettings) -> None:
        """Put settings in force before the next image; of several requests the last counts."""
        if settings == self.wanted and not self.error:
            return
        self.wanted, self.error = settings, ''
        self._worker.submit('change', settings)

    def submit(self, predict: Predict) -> bool:
        """Hand over the newest image; return whether it replaced one that was not begun."""
        return self._worker.submit('predict', predict)

    def discard(self) -> bool:
        """Take back the image that waits; return whether there was one."""
        return self._worker.discard('predict')

    def join(self) -> None:
        """
        End the thread after what it has in hand: an image, or a predictor that is being built.

        ClipDepthError if that takes too long; the thread ends as soon as it is done.
        """
        self._worker.stop()
        if not self._worker.join(_END_S):
            raise ClipDepthError(
                f'what is in hand is still being computed after {_END_S:.0f} s; '
                'try again, or use a smaller input or a faster device'
            )

    def close(self) -> None:
        """Give the predictor's memory back, on the device too; to be called after :meth:`join`."""
        self._predictor.close()

    # ------------------------------------------------------------------ worker's side

    def _change(self, settings: NodeSettings) -> None:
        """Build what the settings ask for and put it in force; else keep what there is."""
        if settings != self.settings:
            try:
                predictor = self._build(settings, self._predictor)
                described = predictor.describe()
            except Exception as error:
                # Whatever it is, images go on with what there is, and the operator can read it.
                self.error = reason(error)
                self._logger.error(f'changed parameters are not in force: {self.error}')
                return
            self._predictor, self.settings = predictor, settings
            self.described, self._described_s = described, time.monotonic()
            self._logger.info('changed parameters are in force')
        self.error = ''

    def _predict(self, predict: Predict) -> None:
        predict(self.settings, self._predictor)
        if time.monotonic() - self._described_s > _DESCRIBE_PERIOD_S:
            # What the device holds changes; a lost device must not end the thread.
            with contextlib.suppress(Exception):
                self.described = self._predictor.describe()
            self._described_s = time.monotonic()

    def _new_worker(self) -> LatestWorker:
        # The most urgent first: a change is in force from the next image on.
        return LatestWorker(change=self._change, predict=self._predict)
