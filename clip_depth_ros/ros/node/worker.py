# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The worker thread: it builds predictors, predicts and closes them; nobody else touches them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
import contextlib
import itertools
import threading
import time
from typing import Any, Final, Protocol, TypeAlias

from clip_depth_ros.ros.node.diagnostics import reason
from clip_depth_ros.settings.node import NodeSettings
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.types import DepthMap, DepthPredictor, Intrinsics, NOTES, Rgb
import numpy as np

BuildPredictor: TypeAlias = Callable[[PredictorSettings, 'DepthPredictor | None'], DepthPredictor]
"""Builds a predictor from settings; may take over what it can from a previous one."""


class ImageTask(Protocol):
    """
    An image to be answered: begun, then finished or failed.

    Nothing of it may raise: what goes wrong with an image is its camera's affair.
    """

    def begin(
        self, settings: NodeSettings, predictor: DepthPredictor
    ) -> tuple[Rgb, Intrinsics | None] | None:
        """Return what the predictor is asked, by the settings in force; None if nothing is."""

    def finish(self, depth: DepthMap) -> None:
        """Publish the answer."""

    def fail(self, error: Exception) -> None:
        """Note why there is none."""


_WARM_UP_IMAGE: Final = np.zeros((96, 128, 3), np.uint8)
_DESCRIBE_PERIOD_S: Final = 1.0


class LatestWorker:
    """
    A thread that does the newest job of each kind: falling behind drops, it never queues.

    ``work`` is what to do with a job, by kind, the most urgent kind first. One job is done at a
    time. It must not raise; what it raises ends the thread. ``at_end`` is the last thing that the
    thread does.

    Jobs of a kind may be for several: each has its own newest one, and of those that wait, the
    one who was served longest ago goes first. So nobody waits for more than one job of each other.
    """

    def __init__(self, *, at_end: Callable[[], None], **work: Callable[[Any], None]) -> None:
        self._work = work
        self._at_end = at_end
        self._changed = threading.Condition()
        self._waiting: dict[tuple[str, str], Any] = {}  # by kind, and for whom
        self._turns = itertools.count()
        self._last_turn: dict[tuple[str, str], int] = {}
        self._is_stopping = False
        # A daemon: a process that is asked to end waits for no job.
        self._thread = threading.Thread(target=self._run, name='depth_worker', daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, kind: str, job: Any, whose: str = '') -> bool:
        """Hand over a job; return whether it replaced one of the same that was not begun."""
        with self._changed:
            replaced = (kind, whose) in self._waiting
            self._waiting[kind, whose] = job
            self._changed.notify()
        return replaced

    def discard(self, kind: str, whose: str = '') -> bool:
        """Take back a waiting job; return whether there was one."""
        with self._changed:
            return self._waiting.pop((kind, whose), None) is not None

    def take_more(self, kind: str) -> list[Any]:
        """Return the jobs of a kind that wait, for the thread to do with the one in hand."""
        with self._changed:
            return [self._pop(key) for key in self._in_turn(kind)]

    def stop(self) -> None:
        """Ask the thread to end after the job in hand; what waits is not done any more."""
        with self._changed:
            self._waiting.clear()
            self._is_stopping = True
            self._changed.notify()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread to end; return whether it has."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while (taken := self._take()) is not None:
                kind, job = taken
                self._work[kind](job)
                # Not kept while waiting for the next one: it may hold an image.
                del taken, job
        finally:
            self._at_end()

    def _take(self) -> tuple[str, Any] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_stopping)
            if self._is_stopping:
                return None
            key = next(key for kind in self._work for key in self._in_turn(kind))
            return key[0], self._pop(key)

    def _in_turn(self, kind: str) -> list[tuple[str, str]]:
        """Return what waits of a kind, the one that was served longest ago first."""
        waiting = [key for key in self._waiting if key[0] == kind]
        return sorted(waiting, key=lambda key: self._last_turn.get(key, -1))

    def _pop(self, key: tuple[str, str]) -> Any:
        self._last_turn[key] = next(self._turns)
        return self._waiting.pop(key)


class PredictorWorker:
    """
    The predictor of a configured node, and the one thread that uses it.

    The thread builds and warms up the first predictor, works until it is asked to end, and then
    closes the predictor: of whatever it has in hand, nobody needs to wait for the end. The methods
    are for the executor's thread; the attributes may be read from any.

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
    close_error : Exception or None
        What went wrong in giving memory back at the end.

    """

    def __init__(self, build: BuildPredictor, settings: NodeSettings, logger: Any) -> None:
        self._build = build
        self._logger = logger
        self.wanted = self.settings = settings
        self.error = ''
        self.described: Mapping[str, str] = {}
        self._described_s = 0.0
        self._predictor: DepthPredictor | None = None
        self._is_begun = threading.Event()
        self._begin_error: BaseException | None = None
        self.close_error: Exception | None = None
        # The most urgent first: a change is in force from the next image on.
        self._worker = LatestWorker(
            at_end=self._close, begin=self._begin, change=self._change, predict=self._predict
        )
        self._worker.submit('begin', settings)
        self._worker.start()

    # ------------------------------------------------------------------ executor's side

    def has_begun(self, timeout_s: float) -> bool:
        """
        Wait for the first predictor; return whether it is there, built and warmed up.

        What was wrong with building it is raised.
        """
        if not self._is_begun.wait(timeout_s):
            return False
        error, self._begin_error = self._begin_error, None
        try:
            if error:
                raise error
        finally:
            del error  # it holds this frame: such a circle keeps what was built, on a device too
        return True

    def request(self, settings: NodeSettings) -> None:
        """Put settings in force before the next image; of several requests the last counts."""
        if settings == self.wanted and not self.error:
            return
        self.wanted, self.error = settings, ''
        self._worker.submit('change', settings)

    def submit(self, task: ImageTask, camera: str) -> bool:
        """Hand over a camera's newest image; return whether it replaced one that was not begun."""
        return self._worker.submit('predict', task, camera)

    def discard(self, camera: str) -> bool:
        """Take back the image of a camera that waits; return whether there was one."""
        return self._worker.discard('predict', camera)

    def stop(self) -> None:
        """Ask the thread to close the predictor and to end after what it has in hand."""
        self._worker.stop()

    def has_ended(self, timeout_s: float) -> bool:
        """Wait for the thread, asked to end; return whether it has."""
        return self._worker.join(timeout_s)

    # ------------------------------------------------------------------ worker's side

    def _begin(self, settings: NodeSettings) -> None:
        """Build the first predictor and let it see an image: what is slow once is done then."""
        try:
            self._predictor = self._build(settings, None)
            self._predictor.predict(_WARM_UP_IMAGE)
            self._describe(self._predictor)
        except BaseException as error:
            # Raised where it is waited for.
            self._begin_error = error
        finally:
            self._is_begun.set()

    def _change(self, settings: NodeSettings) -> None:
        """Build what the settings ask for and put it in force; else keep what there is."""
        if settings != self.settings:
            try:
                predictor = self._build(settings, self._predictor)
                self._describe(predictor)
            except Exception as error:
                # Whatever it is, images go on with what there is, and the operator can read it.
                self.error = reason(error)
                self._logger.error(f'changed parameters are not in force: {self.error}')
                return
            self._predictor, self.settings = predictor, settings
            self._logger.info('changed parameters are in force')
        self.error = ''

    def _predict(self, task: ImageTask) -> None:
        """Answer an image, together with those of other cameras where that takes less time."""
        assert self._predictor
        tasks = [task]
        if self._predictor.likes_batches:
            tasks += self._worker.take_more('predict')
        begun = {each: each.begin(self.settings, self._predictor) for each in tasks}
        if asked := {each: question for each, question in begun.items() if question}:
            _answer(self._predictor, asked)
        if time.monotonic() - self._described_s > _DESCRIBE_PERIOD_S:
            # What the device holds changes; a lost device must not end the thread.
            with contextlib.suppress(Exception):
                self._describe(self._predictor)
            self._described_s = time.monotonic()

    def _describe(self, predictor: DepthPredictor) -> None:
        said = self.described.get(NOTES)
        self.described, self._described_s = predictor.describe(), time.monotonic()
        if (notes := self.described.get(NOTES)) and notes != said:
            self._logger.warning(notes)

    def _close(self) -> None:
        """Give memory back, on the device too; an error may come when nobody waits any more."""
        predictor, self._predictor = self._predictor, None
        try:
            if predictor:
                predictor.close()
        except Exception as error:
            self.close_error = error
            self._logger.error(f'memory was not given back: {reason(error)}')


def _answer(
    predictor: DepthPredictor, asked: Mapping[ImageTask, tuple[Rgb, Intrinsics | None]]
) -> None:
    """Ask for the depth of images at once; if that fails, one by one: the others may be good."""
    try:
        depths = _depths(predictor, [*asked.values()])
    except Exception as error:
        for task, question in asked.items():
            if len(asked) > 1:
                _answer(predictor, {task: question})
            else:
                task.fail(error)
        return
    for task, depth in zip(asked, depths, strict=True):
        task.finish(depth)


def _depths(
    predictor: DepthPredictor, questions: Sequence[tuple[Rgb, Intrinsics | None]]
) -> Sequence[DepthMap]:
    if len(questions) == 1:
        return [predictor.predict(*questions[0])]
    rgbs, cameras = zip(*questions, strict=True)
    return predictor.predict_batch(rgbs, cameras)
