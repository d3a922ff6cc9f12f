# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A small evaluation for tests: frames in memory, answers and scores that are easily checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
import sys
import time

from clip_depth_ros.errors import DataError
from clip_depth_ros.evaluation.run.answers import Answers
from clip_depth_ros.evaluation.run.evaluate import Evaluation
from clip_depth_ros.evaluation.run.folder import fill_journal
from clip_depth_ros.evaluation.run.frames import FrameRecord, Scoring
from clip_depth_ros.evaluation.run.journal import read_journals
from clip_depth_ros.evaluation.run.team import Shard
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.evaluation.score.score import FrameScore
from clip_depth_ros.sources.samples import DepthSample
from clip_depth_ros.types import DepthMap
import numpy as np

IDENTITY = {'what': 'a test'}
PLAIN = EvaluationProtocol()


class Film:
    """
    Frames one by one from several recordings; those in ``bad`` cannot be read.

    Each takes ``read_s`` to read, from number ``slow_from`` on.
    """

    name = 'film'

    def __init__(
        self, n_frames: int, *, per_recording: int = 10**6, bad: Sequence[int] = (),
        read_s: float = 0.0, slow_from: int = 0,
    ) -> None:
        self._n_frames, self._per_recording = n_frames, per_recording
        self._bad, self._read_s, self._slow_from = frozenset(bad), read_s, slow_from

    def __len__(self) -> int:
        return self._n_frames

    def __getitem__(self, index: int) -> DepthSample:
        """Give a frame whose depth is all its number."""
        if index >= self._slow_from:
            time.sleep(self._read_s)
        if index in self._bad:
            raise DataError(f'frame {index} is truncated')
        depth_m = np.full((2, 3), index, np.float32)
        return DepthSample(
            f'frame {index}', np.zeros((2, 3, 3), np.uint8), depth_m, stamp_ns=100 * index,
            recording=str(index // self._per_recording),
        )

    def describe(self) -> dict[str, str]:
        """Give what decides the frames."""
        return {'frames': str(self._n_frames)}


class SumOfBatch:
    """Answers the sum of the numbers of all frames in the batch: which batches were asked."""

    def __init__(self, fails_on: Sequence[str] = ()) -> None:
        self.asked: list[list[str]] = []
        self._fails_on = fails_on

    def answer(self, samples: Sequence[DepthSample]) -> list[DepthMap | DataError]:
        """Give the same for each frame of a batch."""
        self.asked.append([sample.name for sample in samples])
        total = np.full((2, 3), sum(float(sample.target_m[0, 0]) for sample in samples))
        return [
            DataError('not recorded') if sample.name in self._fails_on else DepthMap(total)
            for sample in samples
        ]

    def describe(self) -> dict[str, str]:
        """Give what it is."""
        return {'method': 'sum'}

    def close(self) -> None:
        """Do nothing."""


def score(answer: DepthMap, sample: DepthSample, protocol: EvaluationProtocol) -> FrameScore:
    """Give the answer itself; frame 13 has no truth."""
    if sample.name == 'frame 13':
        raise DataError('no ground truth counts')
    return FrameScore({'answer': float(answer.depth_m[0, 0])}, {'n': (1.0,)})


def flicker(
    previous: tuple[DepthSample, DepthMap],
    current: tuple[DepthSample, DepthMap],
    protocol: EvaluationProtocol,
) -> dict[str, float]:
    """Give what was answered for the frame before."""
    return {'before': float(previous[1].depth_m[0, 0])}


def follows(previous: DepthSample, current: DepthSample) -> bool:
    """Say whether frames are of one recording."""
    return previous.recording == current.recording


SCORING = Scoring(score, flicker, follows)


def evaluate(
    out_dir: Path, source: Film, answers: Answers | Mapping[str, Answers] | None = None, *,
    rank: int = 0, world_size: int = 1, batch_size: int = 4, n_workers: int = 2, **changes
) -> list[FrameRecord]:
    """Evaluate and return what is in the journals then."""
    by_name = answers if isinstance(answers, Mapping) else {'sum': answers or SumOfBatch()}
    evaluation = Evaluation(
        source=source, answers=by_name, protocol=PLAIN, batch_size=batch_size, n_workers=n_workers
    )
    keywords = {'identity': IDENTITY, 'scoring': SCORING, **changes}
    fill_journal(evaluation, out_dir, part=Shard(rank, world_size), **keywords)
    return [*read_journals(out_dir, IDENTITY)]


if __name__ == '__main__':
    evaluate(Path(sys.argv[1]), Film(int(sys.argv[2]), read_s=0.02))
