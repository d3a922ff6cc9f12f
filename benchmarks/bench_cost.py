# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What an image costs with each size of CLIP and each engine: time, images a second, memory.

    python benchmarks/bench_cost.py                      # on the CPU, all engines
    python benchmarks/bench_cost.py --engines torch      # PyTorch alone
    python benchmarks/bench_cost.py --device cuda --rounds 50

Each method runs in a fresh process of its own. The processes take turns, one image each, so that
whatever else the machine does hits all of them alike. Times are medians from a KITTI-sized image
(1242x375) in to depth of that size out, flip averaging included, as by default. Memory is the peak
resident memory of the process (on a GPU, the peak allocated there is added in brackets). Other
engines run exported models, in processes without PyTorch; each case is exported first. RN50 and
ViT-B/16 have random weights, on which time and memory do not depend.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
import json
from pathlib import Path
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any, Final

from clip_depth_ros.settings.node import read_parameters

_VIT: Final = 'ViT-B-16-quickgelu'
_KITTI: Final = {**read_parameters('kitti'), 'pretrained': 'random'}
CASES: Final[Mapping[str, Mapping[str, Any]]] = {
    'CLIP2Depth, bundled, 320x96': {**read_parameters('synthetic'), 'method': 'clip2depth'},
    'DepthCLIP, bundled, 320x96': {**read_parameters('synthetic'), 'method': 'depthclip'},
    'DepthCLIP, RN50, 704x224': _KITTI,
    'CLIP2Depth, ViT-B/16, 704x224': {**_KITTI, 'backbone': _VIT, 'method': 'clip2depth'},
}
"""Settings by method, CLIP and the size that the network sees."""


def main() -> None:
    """Print the table, as Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--rounds', type=int, default=25)
    parser.add_argument('--engines', nargs='+', default=['torch', 'onnxruntime', 'openvino'])
    parser.add_argument('--settings', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.settings:
        answer_on_request(json.loads(args.settings))
        return
    with tempfile.TemporaryDirectory() as folder:
        cases = {name: {**case, 'device': args.device} for name, case in CASES.items()}
        weights = Path(folder) / 'random.safetensors'
        write_random_clip2depth(weights, cases['CLIP2Depth, ViT-B/16, 704x224'])
        cases['CLIP2Depth, ViT-B/16, 704x224']['clip2depth_weights'] = str(weights)
        measure(with_engines(cases, args.engines, Path(folder)), args.rounds)


def with_engines(
    cases: Mapping[str, Mapping[str, Any]], engines: Sequence[str], folder: Path
) -> dict[str, Mapping[str, Any]]:
    """Return each case in each engine; what is not PyTorch's is exported to the folder."""
    found: dict[str, Mapping[str, Any]] = {}
    for number, (name, case) in enumerate(cases.items()):
        for engine in engines:
            if engine == 'torch':
                found[f'{name}, torch'] = case
                continue
            model = folder / str(number)
            if not model.is_dir():
                print(f'exporting {name}', file=sys.stderr)
                export(case, model)
            found[f'{name}, {engine}'] = {
                **case, 'exported_model': str(model), 'engine': engine, 'clip2depth_weights': '',
            }
    return found


def export(values: Mapping[str, Any], folder: Path) -> None:
    """Write one case as an exported model."""
    from clip_depth_ros.predictor.export import export_predictor
    from clip_depth_ros.settings.predictor import PredictorSettings

    known = PredictorSettings.model_fields
    export_predictor(
        PredictorSettings.from_mapping({k: v for k, v in values.items() if k in known}), folder
    )


def measure(cases: Mapping[str, Mapping[str, Any]], rounds: int) -> None:
    """Let the cases answer by turns, and print what each took."""
    workers = {name: started(case) for name, case in cases.items()}
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(rounds + 2):
        for name, worker in workers.items():
            took_s = float(asked(worker, 'answer'))
            if number >= 2:  # the first two warm up
                seconds[name].append(took_s)
    print('| method, CLIP, network input, engine | ms | fastest | images/s | of PyTorch | MB |')
    print('| --- | ---: | ---: | ---: | ---: | ---: |')
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    for name, worker in workers.items():
        said, median_s = json.loads(asked(worker, 'end')), medians[name]
        of_torch = medians.get(f'{name.rpartition(", ")[0]}, torch', float('nan')) / median_s
        worker.wait()
        print(
            f'| {name} ({said["precision"]}) | {1e3 * median_s:.3g} | '
            f'{1e3 * min(seconds[name]):.3g} | {1 / median_s:.3g} | {of_torch:.2f} x | '
            f'{said["memory"]} |'
        )


def started(settings: Mapping[str, Any]) -> subprocess.Popen[str]:
    """Start a process that answers by these settings."""
    command = [sys.executable, __file__, '--settings', json.dumps(settings)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def asked(worker: subprocess.Popen[str], what: str) -> str:
    """Return the line that a process answers with."""
    assert worker.stdin
    assert worker.stdout
    worker.stdin.write(f'{what}\n')
    worker.stdin.flush()
    line = worker.stdout.readline()
    if not line:
        raise SystemExit(f'{worker.args!r} has ended early')
    return line


def answer_on_request(values: Mapping[str, Any]) -> None:
    """Be one of the processes: time an image for each line that comes in."""
    from clip_depth_ros.predictor.build import build_predictor
    from clip_depth_ros.settings.predictor import PredictorSettings
    from clip_depth_ros.types import Intrinsics
    import numpy as np

    known = PredictorSettings.model_fields
    settings = PredictorSettings.from_mapping({k: v for k, v in values.items() if k in known})
    predictor = build_predictor(settings)
    camera = Intrinsics(721.5377, 721.5377, 609.5593, 172.854, 1242, 375)
    rgb = np.random.default_rng(0).integers(0, 256, (375, 1242, 3), np.uint8)
    for line in sys.stdin:
        if line.strip() == 'end':
            break
        started_s = time.perf_counter()
        predictor.predict(rgb, camera)
        print(time.perf_counter() - started_s, flush=True)
    # Not ru_maxrss, which begins with that of the process that started this one.
    status = Path('/proc/self/status').read_text(encoding='utf-8')
    memory = f'{int(status.partition("VmHWM:")[2].split()[0]) * 1.024e-3:.0f}'
    if settings.device.startswith('cuda') and not settings.exported_model:
        import torch

        memory += f' ({torch.cuda.max_memory_allocated() / 1e6:.0f})'
    print(json.dumps({'memory': memory, 'precision': predictor.describe()['precision']}))


def write_random_clip2depth(path: Path, values: Mapping[str, Any]) -> None:
    """Write CLIP2Depth of the default size with random weights, for the input that is set."""
    from clip_depth_ros.model.backbone import build_backbone
    from clip_depth_ros.model.clip2depth import build_clip2depth
    from clip_depth_ros.model.clip2depth_weights import save_clip2depth
    from clip_depth_ros.settings.clip2depth import Clip2DepthSettings
    from clip_depth_ros.settings.predictor import PredictorSettings

    clip = build_backbone(PredictorSettings(backbone=_VIT, pretrained='random'), 'cpu', 'fp32')
    settings = Clip2DepthSettings.from_mapping({
        name: values[name] for name in ('input_width_px', 'input_height_px')
    })
    save_clip2depth(
        path, build_clip2depth(settings, clip), settings, backbone=clip.name,
        backbone_hash=clip.hash, provenance={'data': 'none'}, metrics={},
    )


if __name__ == '__main__':
    main()
