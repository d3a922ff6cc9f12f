# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Exported models: the same answers as PyTorch's, in every engine, and without PyTorch."""

from __future__ import annotations

import json
import os
from pathlib import Path
import shutil
import subprocess
import sys
from typing import Any

from clip_depth_ros.cli.main import main
from clip_depth_ros.errors import (
    ConfigError,
    DeviceError,
    MissingDependencyError,
    WeightsError,
)
from clip_depth_ros.predictor.build import build_predictor
from clip_depth_ros.predictor.engines import _openvino_core, precisions_to_try
from clip_depth_ros.predictor.exported import CARD, NETWORK, open_card, TEXT, TOKENIZER
from clip_depth_ros.predictor.scenes import words_file
from clip_depth_ros.settings.node import NodeSettings
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.types import DepthPredictor, Intrinsics
import cv2
import numpy as np
import pytest
from small_clip2depth import deep_backbone, write_clip2depth
from small_clips import blobs, SMALL_RESNET, write_json

pytest.importorskip('onnxscript', reason='needs onnxscript: pip install .[export]')
pytest.importorskip('tokenizers', reason='needs tokenizers: pip install .[export]')

# Two exports take a minute each on a busy machine.
pytestmark = pytest.mark.timeout(600)

ENGINES = ('openvino', 'onnxruntime')
BUNDLED = {'backbone': 'tiny', 'pretrained': 'bundled'}
CAMERA = Intrinsics.of_hfov(70, 160, 96)


WITHOUT_PYTORCH = """
import importlib.abc
import sys

class Refused(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in {'torch', 'torchvision', 'open_clip', 'timm', 'transformers'}:
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)

sys.meta_path.insert(0, Refused())
"""


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where models are; each is exported once, by the command, as it takes seconds."""
    return tmp_path_factory.mktemp('exported')


@pytest.fixture(scope='module')
def clip2depth(folder: Path) -> dict[str, Any]:
    """Return one that reads a camera, and is told rays, as the bundled one."""
    backbone = deep_backbone(folder, layers=2)
    trained = {'taps': (0, 1), 'focal_px': 60.0, 'rays': True, 'hfov_deg': 70.0}
    weights = write_clip2depth(folder / 'small_clip2depth.safetensors', backbone, **trained)
    return exported(
        folder / 'clip2depth', backbone=backbone, pretrained='random', method='clip2depth',
        clip2depth_weights=str(weights),
    )


@pytest.fixture(scope='module')
def depthclip(folder: Path) -> dict[str, Any]:
    # As few blocks as there can be: each takes seconds to trace.
    few = {
        'vision_cfg': {**SMALL_RESNET['vision_cfg'], 'layers': [1, 1, 1, 1]},
        'text_cfg': {**SMALL_RESNET['text_cfg'], 'layers': 1},
    }
    backbone = write_json(folder, {**SMALL_RESNET, **few})
    return exported(
        folder / 'depthclip', backbone=backbone, pretrained='random', method='depthclip'
    )


def exported(out: Path, **settings: str) -> dict[str, Any]:
    """Export by the command, and return the settings that it was exported with."""
    flags = [
        word for name, value in settings.items() for word in ('--' + name.replace('_', '-'), value)
    ]
    assert main(['export', '--out', str(out), *flags]) == 0
    return {**settings, 'out': str(out)}


def both(model: dict[str, Any], **others: Any) -> tuple[DepthPredictor, DepthPredictor]:
    """Return the predictor of the weights, and that of the exported model, both in fp32."""
    settings = {name: value for name, value in model.items() if name != 'out'}
    engine = others.pop('engine', 'auto')
    others['precision'] = 'fp32'
    weights = PredictorSettings.from_mapping({**settings, **others})
    return build_predictor(weights), opened(model, engine=engine, **others)


def opened(model: dict[str, Any], **settings: Any) -> DepthPredictor:
    return build_predictor(
        PredictorSettings.from_mapping({'exported_model': model['out'], **settings})
    )


def needs(engine: str) -> None:
    pytest.importorskip(engine, reason=f'needs {engine}: pip install .[{engine}]')


@pytest.mark.parametrize('engine', ENGINES)
class TestEqual:
    """Oracle: PyTorch in float32."""

    @pytest.mark.parametrize('size', [(96, 160), (192, 640), (60, 61)])
    def test_clip2depth_at_any_size(self, clip2depth, engine, size):
        needs(engine)
        torch, other = both(clip2depth, engine=engine)
        camera = Intrinsics.of_hfov(80, size[1], size[0])
        wanted = torch.predict(blobs(*size), camera).depth_m

        np.testing.assert_allclose(other.predict(blobs(*size), camera).depth_m, wanted, rtol=1e-4)

    @pytest.mark.parametrize('flip', [True, False])
    def test_depthclip_with_its_confidence(self, depthclip, engine, flip):
        needs(engine)
        torch, other = both(depthclip, engine=engine, flip=flip, temperature=1.0)
        wanted, answer = torch.predict(blobs(96, 160)), other.predict(blobs(96, 160))

        np.testing.assert_allclose(answer.depth_m, wanted.depth_m, atol=1e-4)
        np.testing.assert_allclose(answer.confidence, wanted.confidence, atol=1e-3)

    def test_batches_of_any_length(self, clip2depth, engine):
        needs(engine)
        _, other = both(clip2depth, engine=engine, flip=False)
        images = [blobs(96, 160, seed) for seed in range(3)]
        answers = other.predict_batch(images, [CAMERA] * 3)

        for image, answer in zip(images, answers, strict=True):
            np.testing.assert_allclose(
                answer.depth_m, other.predict(image, CAMERA).depth_m, rtol=1e-4
            )

    def test_learned_words_are_those_of_the_weights(self, depthclip, engine, tmp_path):
        needs(engine)
        weights, _ = both(depthclip, engine=engine)
        turned = np.eye(*weights.words.shape, dtype=np.float32)
        file = tmp_path / 'words.safetensors'
        file.write_bytes(words_file(turned, weights.network))
        torch, other = both(depthclip, engine=engine, learned_words=str(file))
        wanted = torch.predict(blobs(96, 160)).depth_m

        np.testing.assert_allclose(other.predict(blobs(96, 160)).depth_m, wanted, atol=1e-4)

    def test_new_words_bins_and_temperatures(self, depthclip, engine):
        """Words are read by the exported text tower; upper case and odd spaces as CLIP does."""
        needs(engine)
        words = ['close', "isn't  far", 'FAR,  far away…']
        torch, other = both(
            depthclip, engine=engine, depth_words=words, bins_m=[1, 5, 20], temperature=2.0
        )
        wanted = torch.predict(blobs(96, 160)).depth_m

        np.testing.assert_allclose(other.predict(blobs(96, 160)).depth_m, wanted, atol=1e-4)


class TestWhatItSays:
    def test_the_model_decides_what_the_weights_did(self, clip2depth):
        """No preset needs to be named again; the range of colours is right, too."""
        settings = PredictorSettings.from_mapping({'exported_model': clip2depth['out']})

        assert (settings.method, settings.backbone) == ('clip2depth', clip2depth['backbone'])
        assert settings.answer_range_m() == (0.5, 80.0)

    def test_it_says_what_computes_and_why(self, clip2depth):
        described = opened(clip2depth).describe()

        assert described['engine'].startswith(('openvino', 'onnxruntime'))
        assert '(auto: ' in described['engine']
        assert described['exported_model'] == clip2depth['out']
        assert described['clip2depth_weights'].startswith('small_clip2depth.safetensors')

    def test_a_change_shares_the_network(self, depthclip):
        first = opened(depthclip)
        again = build_predictor(first.settings.changed(temperature=3.0), first)

        assert again.network is first.network


class CoreWithoutBf16:
    """OpenVINO on a cpu that says that it computes in bfloat16, and then does not."""

    def __init__(self) -> None:
        self.core = _openvino_core()  # a second one could be unloaded: see TestSignals

    def __getattr__(self, name: str) -> Any:
        return getattr(self.core, name)

    def compile_model(self, model: Any, device: str, hints: dict[str, str]) -> Any:
        if hints['INFERENCE_PRECISION_HINT'] == 'bf16':
            raise RuntimeError('Exception from core.cpp:\nno descriptor for node: Softmax\n')
        return self.core.compile_model(model, device, hints)


class TestBf16ThatFails:
    """As where ONEDNN_MAX_CPU_ISA allows OpenVINO less than the cpu has."""

    @pytest.fixture(autouse=True)
    def cpu(self, monkeypatch: pytest.MonkeyPatch) -> None:
        needs('openvino')
        core = CoreWithoutBf16()
        monkeypatch.setattr('clip_depth_ros.predictor.engines._openvino_core', lambda: core)
        monkeypatch.setattr('clip_depth_ros.predictor.engines._has_bf16', lambda: True)

    def test_auto_computes_in_fp32(self, clip2depth):
        assert opened(clip2depth).describe()['precision'] == 'fp32'

    def test_asked_for_it_is_an_error_that_says_what_to_set(self, clip2depth):
        with pytest.raises(DeviceError, match=(
            r'openvino .* cannot compute this model in bf16 on this cpu \(no descriptor for node: '
            r"Softmax\): set another precision, or engine='onnxruntime'"
        )):
            opened(clip2depth, precision='bf16')


class TestBf16:
    def test_it_answers_nearly_as_fp32_does(self, clip2depth, tmp_path):
        """In a process of its own: this one keeps to what all cpus have."""
        needs('openvino')
        asked = PredictorSettings.from_mapping(
            {'exported_model': clip2depth['out'], 'engine': 'openvino'}
        )
        if 'bf16' not in precisions_to_try(asked):
            pytest.skip('this cpu does not compute in bfloat16')
        cv2.imwrite(str(tmp_path / 'photo.png'), blobs(96, 160))
        environ = {name: value for name, value in os.environ.items() if 'ONEDNN' not in name}
        answers = {}
        for precision in ('fp32', 'bf16'):
            out = tmp_path / precision
            command = [
                sys.executable, '-m', 'clip_depth_ros.cli.main', 'predict',
                str(tmp_path / 'photo.png'), '--out', str(out), '--exported-model',
                clip2depth['out'], '--engine', 'openvino', '--precision', precision,
            ]
            subprocess.run(command, check=True, capture_output=True, env=environ)
            answers[precision] = np.load(out / 'photo_depth.npy')

        assert not np.array_equal(answers['bf16'], answers['fp32'])
        np.testing.assert_allclose(answers['bf16'], answers['fp32'], rtol=0.05)


class TestSignals:
    def test_one_that_another_thread_drops_leaves_ctrl_c_working(self, depthclip):
        """Unloading OpenVINO's plugin would free the stack that signals are handled on."""
        needs('openvino')
        code = (
            'import gc, os, signal, threading\n'
            'from clip_depth_ros.predictor.build import build_predictor\n'
            'from clip_depth_ros.settings.predictor import PredictorSettings\n'
            f"model = {{'exported_model': {depthclip['out']!r}, 'engine': 'openvino'}}\n"
            'held = [build_predictor(PredictorSettings.from_mapping(model))]\n'
            "signal.signal(signal.SIGINT, lambda *_: print('told'))\n"
            'thread = threading.Thread(target=lambda: (held.clear(), gc.collect()))\n'
            'thread.start()\n'
            'thread.join()\n'
            'os.kill(os.getpid(), signal.SIGINT)\n'
        )
        done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)

        assert (done.returncode, done.stdout) == (0, 'told\n'), done.stderr


class TestWithoutPyTorch:
    def test_predict_loads_no_pytorch(self, depthclip, tmp_path):
        """As on a robot that has none: whoever imports it fails."""
        cv2.imwrite(str(tmp_path / 'photo.png'), blobs(96, 160))
        code = (
            'import sys\n'
            'sys.modules.update(torch=None, open_clip=None, torchvision=None)\n'
            'from clip_depth_ros.cli.main import main\n'
            f"sys.exit(main(['predict', {str(tmp_path / 'photo.png')!r}, '--out', "
            f"{str(tmp_path / 'out')!r}, '--exported-model', {depthclip['out']!r}, "
            "'--depth-words', 'near', 'far', '--bins-m', '1', '9', '--temperature', '10']))"
        )
        subprocess.run([sys.executable, '-c', code], check=True, capture_output=True)
        depth_m = np.load(tmp_path / 'out' / 'photo_depth.npy')

        assert depth_m.shape == (96, 160)
        assert 1 <= depth_m.min() < depth_m.max() <= 9

    @pytest.mark.ros
    def test_the_node_answers_as_the_model_does_offline_and_loads_no_library_of_it(
        self, clip2depth, ros_domain
    ):
        needs('onnxruntime')
        from ros_process import first_depth, IMAGE, INTRINSICS

        settings = {'exported_model': clip2depth['out'], 'engine': 'onnxruntime'}
        depth_m, libraries = first_depth(ros_domain, WITHOUT_PYTORCH, settings)
        assert 'onnxruntime' in libraries
        assert 'libtorch' not in libraries
        offline = build_predictor(NodeSettings(**settings)).predict(IMAGE, INTRINSICS)
        assert offline.camera == 'used'
        np.testing.assert_array_equal(depth_m, offline.depth_m)


class TestRefused:
    def copy(self, model: dict[str, Any], tmp_path: Path) -> Path:
        return Path(shutil.copytree(model['out'], tmp_path / 'copy'))

    @pytest.mark.parametrize('name', [NETWORK, TEXT, TOKENIZER])
    def test_a_changed_file(self, depthclip, tmp_path, name):
        folder = self.copy(depthclip, tmp_path)
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)

        with pytest.raises(WeightsError, match=f'{name}.*is not the file that was exported'):
            open_card(folder)

    def test_a_folder_that_is_none(self, tmp_path):
        with pytest.raises(WeightsError, match=r'cannot read model\.json'):
            PredictorSettings.from_mapping({'exported_model': str(tmp_path)})

    @pytest.mark.parametrize('content', [
        b'', b'[]', b'{"format": 1}', b'\xff', b'[' * 100_000,
    ], ids=['empty', 'list', 'other', 'bytes', 'deep'])
    def test_a_card_that_is_none(self, tmp_path, content):
        (tmp_path / CARD).write_bytes(content)

        with pytest.raises(WeightsError, match='does not describe an exported model'):
            PredictorSettings.from_mapping({'exported_model': str(tmp_path)})

    def test_a_card_names_no_file_outside_its_folder(self, clip2depth, tmp_path):
        folder = self.copy(clip2depth, tmp_path)
        card = json.loads((folder / CARD).read_bytes())
        card['files']['../../etc/passwd'] = '0'
        (folder / CARD).write_text(json.dumps(card))

        with pytest.raises(WeightsError, match='is not the file that was exported'):
            open_card(folder)

    def test_an_engine_that_answers_otherwise(self, clip2depth, tmp_path):
        """The self-test: an engine's new version may compute another thing."""
        folder = self.copy(clip2depth, tmp_path)
        card = json.loads((folder / CARD).read_bytes())
        card['self_test']['seed'] = 1  # another picture, the old answer
        (folder / CARD).write_text(json.dumps(card))

        with pytest.raises(WeightsError, match=r'differs by [\d.]+ of its range, at most 0.001'):
            build_predictor(PredictorSettings.from_mapping({'exported_model': str(folder)}))

    def test_scenes_and_other_features(self, depthclip):
        with pytest.raises(ConfigError, match="exported with features='official'"):
            opened(depthclip, features='dense')
        with pytest.raises(ConfigError, match='does not recognise scenes'):
            opened(depthclip, scene_aware=True).predict(blobs(96, 160))

    def test_engines_and_weights_that_do_not_go_together(self, clip2depth):
        with pytest.raises(ConfigError, match='runs exported models: write one with clip-depth'):
            PredictorSettings.from_mapping({'engine': 'openvino', **BUNDLED})
        with pytest.raises(ConfigError, match="is not run by PyTorch: set engine='auto'"):
            opened(clip2depth, engine='torch')

    def test_an_engine_that_is_not_installed(self, clip2depth, monkeypatch):
        monkeypatch.setattr('clip_depth_ros.predictor.engines.find_spec', lambda name: None)

        with pytest.raises(MissingDependencyError, match='pip install onnxruntime, or openvino'):
            opened(clip2depth)

    def test_a_model_that_is_there(self, clip2depth, capsys):
        assert main(['export', '--out', clip2depth['out']]) != 0
        assert '--force' in capsys.readouterr().err

    def test_a_prompt_that_is_too_long(self, depthclip):
        with pytest.raises(ConfigError, match=r'may have 75 tokens, got 81'):
            opened(depthclip, depth_words=['far ' * 78, 'near'], bins_m=[1, 2])
