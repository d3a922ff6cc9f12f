# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Everything that a GPU is worth, by one command within six minutes: ``make bench-gpu``.

    python benchmarks/bench_gpu.py --out gpu.json     # and gpu.md beside it
    python benchmarks/bench_gpu.py --device cpu --repeats 1 --batches 1 --precisions fp32  # a try

In this order, so that what matters most is there if time runs out:

1. tests marked ``gpu``;
2. answers of the bundled weights in fp32, fp16 and bf16: abs_rel and time (``bench_cost.py``);
3. the bare network by method, image, batch and arithmetic: eager, compiled by PyTorch, as a CUDA
   graph; beside two floors measured in the same run: its operations at the speed of a big matrix
   product, and its bytes at that of a pinned copy;
4. the whole predictor beside its bare network: what resizing, copies and enlarging add;
5. training with and without cached tokens (``bench_train.py``).

Times are medians in milliseconds. All weights are random, but for the bundled ones of 2. A case
that fails is a row that says why, and the rest goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
import json
from pathlib import Path
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any, Final

from bench_cost import settings_of, write_random_clip2depth
from clip_depth_ros.core.files import atomic_write_bytes
from clip_depth_ros.predictor.build import build_predictor
import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

STEPS: Final = ('tests', 'precision', 'networks', 'training')
SIZES: Final = ((352, 352), (352, 704), (352, 1216), (375, 1242))
HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parent


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--device', default='cuda')
    parser.add_argument('--out', type=Path, default=Path('gpu.json'))
    parser.add_argument('--repeats', type=int, default=20)
    parser.add_argument('--batches', type=int, nargs='+', default=[1, 4, 8])
    parser.add_argument('--precisions', nargs='+', default=['fp16', 'bf16'])
    parser.add_argument('--backbones', nargs='+', default=['RN50-quickgelu', 'ViT-B-16-quickgelu'])
    parser.add_argument('--steps', nargs='+', default=STEPS, choices=STEPS)
    parser.add_argument('--limit-s', type=float, default=330, help='begin nothing new after this')
    args = parser.parse_args()
    found = Found(args)
    found.run('tests', [sys.executable, '-m', 'pytest', '-m', 'gpu', '-q', '-p',
                        'no:cacheprovider', 'test'])
    found.run('precision', [sys.executable, str(HERE / 'bench_cost.py'), '--device', args.device,
                            '--engines', 'torch', '--rounds', str(args.repeats)])
    floors = found.floors()
    for backbone in args.backbones if 'networks' in args.steps else ():
        method = 'depthclip' if backbone.startswith('RN') else 'clip2depth'
        for precision in args.precisions:
            for size in SIZES:
                for batch in args.batches:
                    found.network(method, backbone, precision, size, batch, floors)
    found.run('training', [sys.executable, str(HERE / 'bench_train.py'), '--device', args.device,
                           '--repeats', '5'])
    print(found.markdown())


class Found:
    """What has been measured so far; written after each step."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args, self._started_s = args, time.monotonic()
        self._rows: list[dict[str, Any]] = []
        self._found: dict[str, Any] = {'torch': torch.__version__, 'networks': self._rows}
        if args.device != 'cpu':
            self._found['device'] = torch.cuda.get_device_name()

    def is_late(self) -> bool:
        """Return whether nothing new should begin."""
        return time.monotonic() - self._started_s > self._args.limit_s

    def run(self, name: str, command: list[str]) -> None:
        """Keep what a command says."""
        if self.is_late() or name not in self._args.steps:
            return
        left_s = max(10.0, self._args.limit_s + 30 - (time.monotonic() - self._started_s))
        try:
            done = subprocess.run(
                command, cwd=ROOT, text=True, timeout=left_s, check=False,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )
            said = f'{done.stdout[-6000:]}\n(exit status {done.returncode})'
        except subprocess.TimeoutExpired as late:
            said = f'{str(late.stdout or "")[-3000:]}\n(ended after {left_s:.0f} s)'
        self._found[name] = said
        print(f'== {name}\n{said}', flush=True)
        self.write()

    def floors(self) -> dict[str, float]:
        """Return operations a second by arithmetic, and bytes a second of a pinned copy."""
        device, found = self._args.device, {}
        n = 512 if device == 'cpu' else 8192
        for name, dtype in (('fp16', torch.float16), ('bf16', torch.bfloat16),
                            ('fp32', torch.float32)):
            a = torch.randn(n, n, device=device, dtype=dtype)
            found[name] = 2 * n**3 / (self.ms(lambda a=a: a @ a) / 1e3)
        host = torch.empty(64 << 20, dtype=torch.uint8, pin_memory=device != 'cpu')
        there = torch.empty_like(host, device=device)
        found['bytes'] = host.numel() / (self.ms(lambda: there.copy_(host, True)) / 1e3)
        self._found['floors'] = found
        return found

    def network(
        self, method: str, backbone: str, precision: str, size: tuple[int, int], batch: int,
        floors: dict[str, float],
    ) -> None:
        """Measure one network in every way, and the predictor that is made of it."""
        if self.is_late():
            return
        row: dict[str, Any] = {
            'method': method, 'backbone': backbone, 'precision': precision,
            'size': 'x'.join(map(str, size)), 'batch': batch,
        }
        try:
            with tempfile.TemporaryDirectory() as folder:
                self._measure(row, size, floors, Path(folder))
        except (RuntimeError, ValueError) as error:
            row['failed'] = f'{type(error).__name__}: {str(error).splitlines()[0]}'
        self._rows.append(row)
        print(json.dumps(row), flush=True)
        self.write()

    @torch.inference_mode()
    def _measure(
        self, row: dict[str, Any], size: tuple[int, int], floors: dict[str, float], folder: Path
    ) -> None:
        height, width = size
        values: dict[str, Any] = {
            'method': row['method'], 'backbone': row['backbone'], 'pretrained': 'random',
            'device': self._args.device, 'precision': row['precision'], 'camera': 'ignore',
            'flip': False, 'input_height_px': height, 'input_width_px': width,
        }
        if row['method'] == 'clip2depth':
            write_random_clip2depth(folder / 'random.safetensors', values)
            values['clip2depth_weights'] = str(folder / 'random.safetensors')
        predictor: Any = build_predictor(settings_of(values))
        network, batch = predictor.network, row['batch']
        shown: list[Any] = []
        keep = network.graph.register_forward_pre_hook(lambda _, inputs: shown.append(inputs))
        rgbs = [*np.random.default_rng(0).integers(0, 256, (batch, *size, 3), np.uint8)]
        with FlopCounterMode(display=False) as counter:
            predictor.predict_batch(rgbs)
        keep.remove()
        inputs, graph = shown[-1], network.graph
        row['gflop'] = counter.get_total_flops() / 1e9
        row['flop_floor'] = 1e12 * row['gflop'] / floors[row['precision']]
        n_bytes = sum(each.nbytes for each in inputs) + 4 * batch * height * width
        row['copy_floor'] = 1e3 * n_bytes / floors['bytes']
        row['eager'] = self.ms(lambda: graph(*inputs))
        row['predictor'] = self.ms(lambda: predictor.predict_batch(rgbs))
        if self._args.device != 'cpu':
            row['cuda_graph'] = self.ms(_captured(graph, inputs))
            row['memory_mb'] = torch.cuda.max_memory_allocated() / 1e6
            torch.cuda.reset_peak_memory_stats()
        if batch == 1 and size == SIZES[2]:  # compiling takes half a minute
            compiled = torch.compile(graph)
            row['compiled'] = self.ms(lambda: compiled(*inputs))
        predictor.close()

    def ms(self, do: Callable[[], object]) -> float:
        """Return the median time of doing something, ms, after warming up."""
        times = []
        for _ in range(self._args.repeats + 3):
            started_s = time.perf_counter()
            do()
            if self._args.device != 'cpu':
                torch.cuda.synchronize()
            times.append(time.perf_counter() - started_s)
        return 1e3 * statistics.median(times[3:])

    def markdown(self) -> str:
        """Return the networks as a table."""
        columns = ('method', 'backbone', 'precision', 'size', 'batch', 'eager', 'compiled',
                   'cuda_graph', 'predictor', 'flop_floor', 'copy_floor', 'memory_mb', 'failed')
        lines = [f'| {" | ".join(columns)} |', '| ' + '--- | ' * len(columns)]
        for row in self._rows:
            cells = [row.get(name, '') for name in columns]
            said = [f'{cell:.3g}' if isinstance(cell, float) else str(cell) for cell in cells]
            lines.append(f'| {" | ".join(said)} |')
        return '\n'.join(lines)

    def write(self) -> None:
        """Write JSON and the table."""
        text = json.dumps(self._found, indent=1) + '\n'
        atomic_write_bytes(self._args.out, text.encode())
        atomic_write_bytes(self._args.out.with_suffix('.md'), f'{self.markdown()}\n'.encode())


def _captured(graph: Any, inputs: tuple[torch.Tensor, ...]) -> Callable[[], object]:
    """Return what replays a network as one CUDA graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            graph(*inputs)
    torch.cuda.current_stream().wait_stream(side)
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        graph(*inputs)
    return captured.replay


if __name__ == '__main__':
    main()
