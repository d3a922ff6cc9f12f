# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What an image costs, by method, size, engine and arithmetic, beside the codes that others release.

    python benchmarks/bench_cost.py                                   # on the CPU, all engines
    python benchmarks/bench_cost.py --write docs/cost.json            # the same, and into the docs
    python benchmarks/bench_cost.py --device cuda --rounds 50

Each contender is a process of its own. Those of one table take turns, one image each, so that
whatever else the machine does hits all of them alike: ratios are worth more than times. Times are
medians from an image in memory to depth of its size. Memory is the peak of the process; on a GPU,
what was allocated there is added in brackets. Engines other than PyTorch run exported models.

abs_rel is the mean over 50 streets that no training has seen, one frame each, from 1 to 80 m; the
difference is the median from what PyTorch answers in fp32. RN50 and ViT-B/16 have random weights,
on which time and memory do not depend, and no abs_rel.

Peers: DepthCLIP's released loop, written down from its description (CLIP's RN50 in eager PyTorch,
the image and its mirror image one after the other, words encoded once), and CLIPSeg of
transformers, with its condition computed once.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
import dataclasses
from importlib import metadata
from importlib.util import find_spec
import json
from pathlib import Path
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any, Final

from clip_depth_ros.settings.node import read_parameters
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.types import Intrinsics
import numpy as np

_VIT: Final = 'ViT-B-16-quickgelu'
_RANDOM: Final = {'pretrained': 'random', 'camera': 'ignore'}
_BUNDLED: Final = read_parameters('synthetic')
TABLES: Final[Mapping[str, tuple[Mapping[str, Any], tuple[int, int], str]]] = {
    'DepthCLIP, RN50, 544x416, with flip averaging': (
        {**_RANDOM, 'method': 'depthclip', 'flip': True}, (416, 544), 'released',
    ),
    'CLIP2Depth, ViT-B/16, 352x352': (
        {**_RANDOM, 'method': 'clip2depth', 'backbone': _VIT, 'flip': False,
         'input_width_px': 352, 'input_height_px': 352},
        (352, 352), 'clipseg',
    ),
    'CLIP2Depth, bundled weights, 1242x375 seen at 320x96': (
        {**_BUNDLED, 'method': 'clip2depth', 'flip': False}, (375, 1242), '',
    ),
    'DepthCLIP, bundled weights, 1242x375 seen at 320x96': (
        {**_BUNDLED, 'method': 'depthclip', 'flip': False}, (375, 1242), '',
    ),
}
"""Settings, height and width of the image, and the peer that the first row is of."""

PEERS: Final = {'released': "DepthCLIP's released loop", 'clipseg': "transformers' CLIPSeg"}
KITTI: Final = Intrinsics(721.5377, 721.5377, 609.5593, 172.854, 1242, 375)
N_STREETS: Final = 50
MARKS: Final = '<!-- cost -->\n', '<!-- /cost -->'


def main() -> None:
    """Print the tables, as Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--rounds', type=int, default=9)
    parser.add_argument('--engines', nargs='+', default=['torch', 'onnxruntime', 'openvino'])
    parser.add_argument('--precisions', nargs='+', help='(default: fp32 and what pays here)')
    parser.add_argument('--write', type=Path, metavar='FILE',
                        help='also write a JSON file, and performance.md beside it')
    parser.add_argument('--contender', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.contender:
        be_contender(json.loads(args.contender))
        return
    precisions = args.precisions or ['fp32', *faster_precisions(args.device)]
    with tempfile.TemporaryDirectory() as folder:
        streets = write_streets(Path(folder) / 'streets.npz')
        tables = {}
        for number, (title, (values, size, peer)) in enumerate(TABLES.items()):
            own = Path(folder) / str(number)
            own.mkdir()
            contenders = contenders_of(
                {**values, 'device': args.device}, size, peer, args.engines, precisions, own
            )
            tables[title] = measure(contenders, args.rounds, '' if peer else str(streets))
            print(markdown({title: tables[title]}), flush=True)
    if args.write:
        found = {'machine': machine(args.device), 'rounds': args.rounds, 'tables': tables}
        args.write.write_text(json.dumps(found, indent=1) + '\n', encoding='utf-8')
        page = args.write.with_name('performance.md')
        page.write_text(with_tables(page.read_text(encoding='utf-8'), found), encoding='utf-8')


def faster_precisions(device: str) -> list[str]:
    """Return the arithmetics that pay on a device."""
    from clip_depth_ros.model.devices import cpu_has_bf16

    if device != 'cpu':
        return ['fp16', 'bf16']
    return ['bf16'] if cpu_has_bf16() else []


def contenders_of(
    values: Mapping[str, Any], size: tuple[int, int], peer: str, engines: Sequence[str],
    precisions: Sequence[str], folder: Path,
) -> dict[str, Mapping[str, Any]]:
    """Return who answers in one table, by name; what they need is written to the folder."""
    found: dict[str, Mapping[str, Any]] = {}
    if peer:
        found[PEERS[peer]] = {'peer': peer, 'size': size, 'device': values['device']}
    if peer == 'clipseg':
        write_random_clip2depth(folder / 'random.safetensors', values)
        values = {**values, 'clip2depth_weights': str(folder / 'random.safetensors')}
    model = folder / 'model'
    for engine in engines:
        if engine != 'torch' and not model.is_dir() and find_spec(engine):
            export(values, model)
        for precision in precisions:
            if not find_spec(engine) or (engine == 'onnxruntime' and precision != 'fp32'):
                continue
            case = {**values, 'precision': precision}
            if engine != 'torch':
                case |= {'exported_model': str(model), 'engine': engine, 'clip2depth_weights': ''}
            found[f'{engine} {precision}'] = {'settings': case, 'size': size}
    return found


def settings_of(values: Mapping[str, Any]) -> PredictorSettings:
    """Return the settings of the predictor, without those of the node."""
    known = PredictorSettings.model_fields
    return PredictorSettings.from_mapping({k: v for k, v in values.items() if k in known})


def export(values: Mapping[str, Any], folder: Path) -> None:
    """Write one case as an exported model."""
    from clip_depth_ros.predictor.export import export_predictor

    export_predictor(settings_of(values), folder)


def measure(
    contenders: Mapping[str, Mapping[str, Any]], rounds: int, streets: str
) -> list[dict[str, Any]]:
    """Let them answer by turns; return one row for each."""
    workers = {name: started(contender) for name, contender in contenders.items()}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 2):
        for name, worker in workers.items():
            took_s = float(asked(worker, 'answer'))
            if number >= 2:  # the first two warm up
                seconds[name].append(took_s)
    base_s = statistics.median(next(iter(seconds.values())))
    rows, wanted = [], None
    for name, worker in workers.items():
        said = json.loads(asked(worker, f'judge {streets}'))
        answer = np.array(said.pop('answer'))
        wanted = answer if wanted is None else wanted
        median_s = statistics.median(seconds[name])
        rows.append({
            'who': name, 'ms': 1e3 * median_s, 'fastest_ms': 1e3 * min(seconds[name]),
            'times': base_s / median_s, **said,
            'differs_mm': 1e3 * float(np.median(abs(answer - wanted))),
        })
        worker.stdin.close()
        worker.wait()
    return rows


def markdown(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Return the tables for people."""
    lines = []
    for title, rows in tables.items():
        has_error = any(row['abs_rel'] for row in rows)
        lines += [
            f'| {title} | ms | images/s | times the first | MB | '
            + ('abs_rel | differs, mm |' if has_error else 'differs, mm |'),
            '| --- |' + ' ---: |' * (6 if has_error else 5),
        ]
        for row in rows:
            error = f'{row["abs_rel"]:.4f} | ' if has_error else ''
            differs = '' if 'CLIPSeg' in rows[0]['who'] else f'{row["differs_mm"]:.2g}'
            lines.append(
                f'| {row["who"]} | {row["ms"]:{".0f" if row["ms"] > 100 else ".3g"}} | '
                f'{1e3 / row["ms"]:.3g} | {row["times"]:.2f} | '
                f'{row["memory"]} | {error}{differs} |'
            )
        lines.append('')
    return '\n'.join(lines)


def with_tables(page: str, found: Mapping[str, Any]) -> str:
    """Return performance.md with what was found between its marks."""
    before, rest = page.split(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    said = f'{found["machine"]}; medians of {found["rounds"]} rounds.'
    return f'{before}{MARKS[0]}{said}\n\n{markdown(found["tables"])}{MARKS[1]}{after}'


def machine(device: str) -> str:
    """Return what this was measured on."""
    import torch

    names = {'torch': 'PyTorch', 'onnxruntime': 'ONNX Runtime', 'openvino': 'OpenVINO'}
    there = ', '.join(
        f'{said} {metadata.version(name)}' for name, said in names.items() if find_spec(name)
    )
    if device != 'cpu':
        return f'{torch.cuda.get_device_name()}, {there}'
    said = torch.cpu.get_capabilities()
    best = [name for name in ('amx_bf16', 'avx512_bf16', 'avx512_f', 'avx2') if said.get(name)]
    return f'{said["cpu_name"]}, {torch.get_num_threads()} cores with {best[0]}, {there}'


def write_streets(path: Path) -> Path:
    """Write a frame of each held-out street."""
    from clip_depth_ros.world.drive import Drive

    frames = [Drive(1_000_000 + n).frame(7 + 13 * n, lidar=False) for n in range(N_STREETS)]
    np.savez(
        path, rgb=np.stack([frame.rgb for frame in frames]),
        depth_m=np.stack([frame.depth_m for frame in frames]),
        camera=np.stack([dataclasses.astuple(frame.intrinsics) for frame in frames]),
    )
    return path


def started(contender: Mapping[str, Any]) -> subprocess.Popen[str]:
    """Start the process of a contender."""
    command = [sys.executable, '-W', 'ignore', __file__, '--contender', json.dumps(contender)]
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


def be_contender(said: Mapping[str, Any]) -> None:
    """Be one of the processes: answer an image, or judge the answers, for each line that comes."""
    height, width = said['size']
    if said.get('peer'):
        import cost_peers

        answer = getattr(cost_peers, said['peer'])(width, height, said['device'])
    else:
        from clip_depth_ros.predictor.build import build_predictor

        predictor = build_predictor(settings_of(said['settings']))

        def answer(rgb: Any, camera: Intrinsics | None = None) -> Any:
            return predictor.predict(rgb, camera).depth_m

    camera = [KITTI] if (width, height) == (KITTI.width, KITTI.height) else []
    # Smooth, so that neighbouring patches differ and no two words tie.
    noise = np.random.default_rng(0).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    rgb = np.kron(noise, np.ones((8, 8, 1), np.uint8))
    rgb = np.pad(rgb, ((0, height - rgb.shape[0]), (0, width - rgb.shape[1]), (0, 0)), 'edge')
    for line in sys.stdin:
        what, _, path = line.strip().partition(' ')
        if what == 'answer':
            started_s = time.perf_counter()
            answer(rgb, *camera)
            print(time.perf_counter() - started_s, flush=True)
        else:
            memory = peak_memory()  # before the streets are loaded
            thinned = np.nan_to_num(answer(rgb, *camera), posinf=0.0, neginf=0.0)[::4, ::4]
            print(json.dumps({
                'memory': memory, 'abs_rel': abs_rel(answer, path) if path else None,
                'answer': thinned.tolist(),
            }), flush=True)


def abs_rel(answer: Any, path: str) -> float:
    """Return the mean over the streets."""
    from clip_depth_ros.core.metrics import depth_metrics, valid_pixels

    with np.load(path) as streets:
        errors = []
        for rgb, truth_m, camera in zip(*map(streets.get, streets.files), strict=True):
            known = Intrinsics(*camera[:4], *map(int, camera[4:]))
            depth_m = np.clip(answer(rgb, known), 1.0, 80.0)
            valid = valid_pixels(truth_m, min_depth_m=1.0, depth_cap_m=80.0)
            errors.append(depth_metrics(depth_m, truth_m, valid).abs_rel)
    return float(np.mean(errors))


def peak_memory() -> str:
    """Return the peak resident memory of this process, MB, and that of the GPU in brackets."""
    # Not ru_maxrss, which begins with that of the process that started this one.
    status = Path('/proc/self/status').read_text(encoding='utf-8')
    memory = f'{int(status.partition("VmHWM:")[2].split()[0]) * 1.024e-3:.0f}'
    torch = sys.modules.get('torch')
    if torch and torch.cuda.is_initialized():
        memory += f' ({torch.cuda.max_memory_allocated() / 1e6:.0f})'
    return memory


def write_random_clip2depth(path: Path, values: Mapping[str, Any]) -> None:
    """Write CLIP2Depth of the default size with random weights, for the input that is set."""
    from clip_depth_ros.model.backbone import build_backbone
    from clip_depth_ros.model.clip2depth import build_clip2depth
    from clip_depth_ros.model.clip2depth_weights import save_clip2depth
    from clip_depth_ros.settings.clip2depth import Clip2DepthSettings

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
