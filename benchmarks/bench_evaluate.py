# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What evaluation costs: memory over many frames, and speed beside the bare predictor.

    python benchmarks/bench_evaluate.py --memory-frames 10000
    python benchmarks/bench_evaluate.py --speed-frames 300 --size 352x1216 --rounds 5

Memory: frames that are made up on the spot, so that all that grows is what evaluation keeps, in
this process and in its workers; the growth is what is held more at the end than after 500 frames.

Speed: PNG frames from a temporary folder. The bare predictor gets images from memory, alone;
evaluation reads, predicts, scores and writes the journal, its start included. Two predictors stand
in for real ones: one waits, as for a GPU, and one computes on a core, for as long as networks of
this kind need there. Both take turns, so that a machine that is busy slows down both; medians of
the rounds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from multiprocessing import active_children
import os
from pathlib import Path
import statistics
import tempfile
import time

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.errors import DataError
from clip_depth_ros.evaluation.run.answers import Answers
from clip_depth_ros.evaluation.run.evaluate import Evaluation
from clip_depth_ros.evaluation.run.folder import fill_journal
from clip_depth_ros.evaluation.score.protocols import EvaluationProtocol
from clip_depth_ros.sources.samples import DepthSample, SampleSource
from clip_depth_ros.types import DepthMap
import cv2
import numpy as np

WARM_UP = 500
PROTOCOL = EvaluationProtocol()


class MadeUp:
    """Frames that exist while they are looked at."""

    name = 'made up'

    def __init__(self, n_frames: int, size: Size) -> None:
        self._n_frames, self._size = n_frames, size

    def __len__(self) -> int:
        return self._n_frames

    def __getitem__(self, index: int) -> DepthSample:
        """Return a frame of noise."""
        rng = np.random.default_rng(index)
        depth_m = rng.uniform(1, 79, self._size).astype(np.float32)
        rgb = rng.integers(0, 255, (*self._size, 3), np.uint8)
        return DepthSample(f'frame {index}', rgb, depth_m, stamp_ns=index * 10**8)

    def describe(self) -> dict[str, str]:
        """Return what decides the frames."""
        return {'frames': str(self._n_frames)}


class Pngs:
    """Frames from a folder, as KITTI's annotated depth: sparse, 1/256 m."""

    name = 'PNG files'

    def __init__(self, folder: Path, n_frames: int, size: Size) -> None:
        self._folder, self._n_frames = folder, n_frames
        rng = np.random.default_rng(0)
        rows = np.linspace(60, 3, size.height)[:, np.newaxis] * np.ones(size.width)
        for index in range(n_frames):
            near = cv2.resize(rng.uniform(0, 40, (8, 24)), size[::-1])
            shade = cv2.resize(rng.uniform(0, 255, (24, 72, 3)), size[::-1])
            stored = (rows + near) * 256 * (rng.random(size) < 0.15)
            cv2.imwrite(str(folder / f'{index}.rgb.png'), shade.astype(np.uint8))
            cv2.imwrite(str(folder / f'{index}.gt.png'), stored.astype(np.uint16))

    def __len__(self) -> int:
        return self._n_frames

    def __getitem__(self, index: int) -> DepthSample:
        """Read a frame."""
        bgr = cv2.imread(str(self._folder / f'{index}.rgb.png'))
        stored = cv2.imread(str(self._folder / f'{index}.gt.png'), cv2.IMREAD_UNCHANGED)
        target_m = stored.astype(np.float32) / 256
        return DepthSample(f'frame {index}', np.ascontiguousarray(bgr[..., ::-1]), target_m)

    def describe(self) -> dict[str, str]:
        """Return what decides the frames."""
        return {'frames': str(self._n_frames)}


class Constantly:
    """Answers 20 m, after some work for each image."""

    def __init__(self, work: Callable[[], object] = lambda: None) -> None:
        self._work = work

    def answer(self, samples: Sequence[DepthSample]) -> list[DepthMap | DataError]:
        """Return the depth of each frame."""
        for _ in samples:
            self._work()
        return [DepthMap(np.full(s.rgb.shape[:2], 20, np.float32)) for s in samples]

    def describe(self) -> dict[str, str]:
        """Return what it is."""
        return {'method': 'constant'}

    def close(self) -> None:
        """Do nothing."""


def main() -> None:
    """Print memory, then speed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--memory-frames', type=int, default=10_000, help='0: leave out')
    parser.add_argument('--memory-size', default='96x320', metavar='HxW')
    parser.add_argument('--speed-frames', type=int, default=300, help='0: leave out')
    parser.add_argument('--size', default='352x1216', metavar='HxW')
    parser.add_argument('--wait-ms', type=float, default=30.0)
    parser.add_argument('--compute-ms', type=float, default=100.0)
    parser.add_argument('--batch-size', type=int, default=8)
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument('--rounds', type=int, default=5)
    args = parser.parse_args()
    if args.memory_frames:
        print_memory(args)
    if args.speed_frames:
        print_speed(args)


def print_memory(args: argparse.Namespace) -> None:
    """Evaluate many frames and print what is held on the way."""
    source = MadeUp(args.memory_frames, _size(args.memory_size))
    held_mb: dict[int, float] = {}

    def look(done: int, total: int) -> None:
        if done in (WARM_UP, total) or done % 1000 == 0:
            held_mb[done] = _resident_mb()

    began_s = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        evaluate(source, Constantly(), Path(folder), args, look)
    speed = args.memory_frames / (time.perf_counter() - began_s)
    print(f'{args.memory_frames} frames of {args.memory_size}, {speed:.0f} frames/s')
    for done, mb in held_mb.items():
        print(f'  after {done:6d} frames {mb:7.1f} MB')
    growth_mb = held_mb[args.memory_frames] - held_mb[WARM_UP]
    most_mb = max(mb for done, mb in held_mb.items() if done >= WARM_UP) - held_mb[WARM_UP]
    print(f'  growth after {WARM_UP} frames: {growth_mb:.1f} MB, at most {most_mb:.1f} MB')


def print_speed(args: argparse.Namespace) -> None:
    """Print frames per second, bare and evaluated, for predictors of both kinds."""
    wait_s, compute_s = args.wait_ms / 1e3, args.compute_ms / 1e3
    with tempfile.TemporaryDirectory() as folder:
        source = Pngs(Path(folder), args.speed_frames, _size(args.size))
        _compare_speed(
            f'waits {args.wait_ms:g} ms', source, Constantly(lambda: time.sleep(wait_s)), args
        )
        _compare_speed(
            f'computes {args.compute_ms:g} ms', source, Constantly(lambda: _compute(compute_s)),
            args,
        )


def _compare_speed(
    name: str, source: SampleSource, answers: Constantly, args: argparse.Namespace
) -> None:
    """Take turns, bare and evaluated, and print medians."""
    bare, evaluated = [], []
    for _ in range(args.rounds):
        bare.append(_bare(source, answers, args))
        with tempfile.TemporaryDirectory() as out_dir:
            began_s = time.perf_counter()
            evaluate(source, answers, Path(out_dir), args)
            evaluated.append(len(source) / (time.perf_counter() - began_s))
    ratio = statistics.median(e / b for e, b in zip(evaluated, bare, strict=True))
    print(
        f'{len(source)} frames of {args.size}, predictor {name}: bare '
        f'{statistics.median(bare):.1f} frames/s, evaluated {statistics.median(evaluated):.1f}: '
        f'{ratio:.2f}'
    )


def evaluate(
    source: SampleSource,
    answers: Answers,
    out_dir: Path,
    args: argparse.Namespace,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Evaluate one predictor."""
    evaluation = Evaluation(
        source=source, answers={'constant': answers}, protocol=PROTOCOL,
        batch_size=args.batch_size, n_workers=args.workers,
    )
    fill_journal(evaluation, out_dir, {'bench': 1}, on_progress=on_progress)


def _bare(source: SampleSource, answers: Constantly, args: argparse.Namespace) -> float:
    """Return the frames per second of a predictor alone, always the same images."""
    samples = [source[index] for index in range(args.batch_size)]
    n_batches = len(source) // args.batch_size
    began_s = time.perf_counter()
    for _ in range(n_batches):
        answers.answer(samples)
    return n_batches * args.batch_size / (time.perf_counter() - began_s)


def _compute(seconds: float) -> None:
    """Compute on one core for as much of its time, without Python's lock, as networks do."""
    numbers = np.ones(100_000, np.float32)
    until_s = time.thread_time() + seconds
    while time.thread_time() < until_s:
        np.sqrt(numbers, out=numbers)


def _resident_mb() -> float:
    """Return what this process and its workers hold."""
    return sum(_held_mb(pid) for pid in (os.getpid(), *(p.pid for p in active_children())))


def _held_mb(pid: int | None) -> float:
    status = Path(f'/proc/{pid}/status').read_text(encoding='utf-8')
    return int(status.split('VmRSS:')[1].split()[0]) / 1024


def _size(text: str) -> Size:
    height, width = map(int, text.split('x'))
    return Size(height, width)


if __name__ == '__main__':
    main()
