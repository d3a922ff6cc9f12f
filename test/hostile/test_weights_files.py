# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Weights, settings and checkpoints made to do harm: refused in words, nothing run, soon done."""

from __future__ import annotations

import codecs
from collections.abc import Callable
import json
import os
from pathlib import Path
import random
import resource
import socket
import subprocess
import sys
from typing import Any
import warnings
import zipfile

from clip_depth_ros.errors import ClipDepthError, ConfigError, WeightsError
from clip_depth_ros.model import tensor_files
from clip_depth_ros.model.clip2depth_weights import read_clip2depth
from clip_depth_ros.model.clipseg import load_clipseg
from clip_depth_ros.model.tensor_files import read_tensor_file
from clip_depth_ros.model.weights import load_weights, read_weights
from clip_depth_ros.predictor.build import build_predictor
from clip_depth_ros.settings.base import read_settings
from clip_depth_ros.settings.predictor import PredictorSettings
from clip_depth_ros.training.checkpoint import check_facts, load_checkpoint, save_checkpoint
import pytest
import safetensors
import safetensors.torch
from small_clip2depth import deep_backbone, write_clip2depth
from small_clips import SMALL_VIT
import torch
from torch import nn

ROOT = Path(__file__).resolve().parents[2]


def load_as_clipseg(path: Path) -> None:
    """Read a file as CLIPSeg's weights; the model it would go into is not reached."""
    load_clipseg(nn.Linear(1, 1), path)  # type: ignore[arg-type]


READERS: dict[str, Callable[[Path], Any]] = {
    'clip_weights': read_weights,
    'clip2depth_weights': read_clip2depth,
    'clipseg_weights': load_as_clipseg,
    'checkpoint': load_checkpoint,
    'settings': read_settings,
    'backbone': lambda path: build_predictor(
        PredictorSettings(backbone=str(path), pretrained='random')
    ),
}
"""Whatever reads a file that somebody may have sent, by the setting that names it."""

reads = pytest.mark.parametrize('read', READERS.values(), ids=READERS.keys())
PROGRAMS = ('clip_weights', 'clip2depth_weights', 'clipseg_weights', 'checkpoint')


class Payload(nn.Module):
    """A program as a weights file: it writes a file when it is opened."""

    def __init__(self, marker: str) -> None:
        super().__init__()
        self.marker = marker
        self.weight = nn.Parameter(torch.zeros(1))

    @torch.jit.export
    def __getstate__(self):
        return self.weight, self.training, self.marker

    @torch.jit.export
    def __setstate__(self, state: tuple[torch.Tensor, bool, str]) -> None:
        self.weight = state[0]
        self.training = state[1]
        self.marker = state[2]
        torch.save(self.weight, self.marker)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.weight


@pytest.fixture(scope='module')
def marker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp('marker') / 'harm'


@pytest.fixture(scope='module')
def program(tmp_path_factory: pytest.TempPathFactory, marker: Path) -> Path:
    """Return an archive whose code writes the marker."""
    path = tmp_path_factory.mktemp('archive') / 'clip.pt'
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # PyTorch deprecates what OpenAI used
        torch.jit.save(torch.jit.script(Payload(str(marker))), path)
    return path


def rewritten(source: Path, target: Path, entries: Callable[[str, bytes], Any]) -> Path:
    """Write an archive anew, each of its entries as what a function makes of it."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, 'w') as new:
        for info in old.infolist():
            for name, data in entries(info.filename, old.read(info)):
                new.writestr(zipfile.ZipInfo(name), data)
    return target


def in_capitals(name: str, data: bytes) -> Any:
    """Let a program go by a name that a look for .py does not find."""
    yield name.removesuffix('.py') + '.PY' if name.endswith('.py') else name, data


def hostile_first(name: str, data: bytes) -> Any:
    """Let a program stand twice: one reader takes the first, another the last."""
    yield name, data
    if name.endswith('.py'):
        yield name, data.replace(b'__setstate__', b'__harmless__')


def as_it_is(name: str, data: bytes) -> Any:
    yield name, data


DISGUISES = (as_it_is, in_capitals, hostile_first)


@pytest.mark.filterwarnings('ignore')
class TestPrograms:
    """A TorchScript archive is a program: whatever it is called, it is not opened."""

    @pytest.mark.parametrize('disguise', DISGUISES)
    def test_the_payload_does_its_work_where_it_is_opened(
        self, program, marker, tmp_path, disguise
    ):
        torch.jit.load(rewritten(program, tmp_path / 'clip.pt', disguise))
        assert marker.exists()
        marker.unlink()

    @pytest.mark.parametrize('disguise', DISGUISES)
    @pytest.mark.parametrize('name', ['clip.pt', 'model.bin', 'RN50.pt', 'x.safetensors'])
    @pytest.mark.parametrize('read', PROGRAMS)
    def test_it_is_refused_unopened(self, program, marker, tmp_path, disguise, name, read):
        path = rewritten(program, tmp_path / name, disguise)
        with pytest.raises(WeightsError):
            READERS[read](path)
        assert not marker.exists()

    def test_the_error_says_what_it_is_and_how_to_have_its_tensors(self, program):
        said = r'TorchScript archive and none of OpenAI.*runs the code in it.*torch.jit.load\(OLD'
        with pytest.raises(WeightsError, match=said):
            read_weights(program)

    def test_what_is_named_like_openai_s_must_have_its_hash(self, program, tmp_path):
        path = rewritten(program, tmp_path / 'RN50.pt', as_it_is)
        with pytest.raises(WeightsError, match=r'SHA-256 afeb0e10f9e5\w+, got .* damaged'):
            read_weights(path)

    def test_torchscript_s_loader_is_reached_by_a_known_hash_alone(
        self, program, marker, monkeypatch
    ):
        opened = []
        monkeypatch.setattr(torch.jit, 'load', lambda path, **_: opened.append(path) or program)
        with pytest.raises(WeightsError):
            read_weights(program)
        assert opened == []
        digest = tensor_files._sha256(program)
        monkeypatch.setattr(tensor_files, 'OPENAI_ARCHIVES', {'RN50.pt': digest})
        with pytest.raises(WeightsError, match='cannot read'):
            read_weights(program)
        assert opened == [program]


class Pickled:
    """A pickle that writes a file when it is opened."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), 'w')


@pytest.mark.parametrize('read', PROGRAMS)
@pytest.mark.parametrize('legacy', [True, False])
def test_a_pickle_is_not_opened(tmp_path, read, legacy):
    path, marker = tmp_path / 'clip.pt', tmp_path / 'harm'
    content = {'state_dict': {'a': torch.ones(2)}, 'x': Pickled(marker)}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(WeightsError):
        READERS[read](path)
    assert not marker.exists()


def test_objects_beside_the_tensors_are_named_with_a_remedy(tmp_path):
    """A checkpoint with a metric as a number of numpy is whole: fetching it again is no help."""
    import numpy as np

    path = tmp_path / 'epoch_3.pt'
    torch.save({'state_dict': {'a': torch.ones(2)}, 'best': np.float64(0.5)}, path)
    with pytest.raises(WeightsError) as caught:
        read_weights(path)
    assert 'pickled objects beside its tensors (numpy' in str(caught.value)
    assert 'multiarray.scalar' in str(caught.value)
    assert "torch.save(c.get('state_dict', c), NEW)" in str(caught.value)
    assert 'fetch' not in str(caught.value)


@pytest.mark.parametrize('entry', ['data/0', 'data.pkl', '.format_version'])
def test_a_small_archive_that_unpacks_to_much_is_refused_unpacked(tmp_path, entry):
    """40 MB of nothing are 40 kB; what PyTorch writes is not compressed at all."""
    whole, path = tmp_path / 'whole.pt', tmp_path / 'clip.pt'
    torch.save({'a': torch.ones(2)}, whole)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, 'w') as new:
        for info in old.infolist():
            if info.filename != f'whole/{entry}':
                new.writestr(info.filename, old.read(info))
        new.writestr(f'whole/{entry}', bytes(40_000_000), zipfile.ZIP_DEFLATED)
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(WeightsError, match=r'would unpack to 40 MB, \d+ times its size'):
        read_weights(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 20_000


class Called:
    """A pickle that calls something when it is opened."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def a_copy_of_one_number() -> Any:
    """Return what turns a view of one number as a hundred million into so many."""
    view = torch.ones(1).expand(100_000_000)
    copied = torch._utils._rebuild_device_tensor_from_cpu_tensor
    return Called(copied, view, torch.float64, 'cpu', False)


def hex_of_hex() -> Any:
    text: Any = Called(codecs.encode, 'a', 'latin1')
    for _ in range(27):
        text = Called(codecs.encode, text, 'hex')
    return text


def lists_of_lists(of: Callable[..., Any]) -> Any:
    numbers: Any = 1.0
    for _ in range(8):
        numbers = [numbers] * 10
    return Called(of, numbers)


@pytest.mark.parametrize('read', PROGRAMS)
@pytest.mark.parametrize(
    'bomb',
    [
        lambda: Called(bytearray, 400_000_000),
        a_copy_of_one_number,
        hex_of_hex,
        lambda: lists_of_lists(torch.FloatTensor),
        lambda: lists_of_lists(torch.storage.TypedStorage),
    ],
    ids=['zeros', 'a copy', 'hex of hex', 'a tensor of lists', 'a storage of lists'],
)
def test_a_small_pickle_that_means_much_is_refused(tmp_path, read, bomb):
    """The reader of plain tensors calls these; a kilobyte took as much as there was."""
    path = tmp_path / 'clip.pt'
    torch.save({'state_dict': {'a': torch.ones(2)}, 'x': bomb()}, path)
    assert path.stat().st_size < 6_000
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(WeightsError):
        READERS[read](path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 20_000


def test_a_reader_that_does_not_tell_what_it_calls_reads_no_pickles(tmp_path, monkeypatch):
    """What it calls is in a private list of PyTorch's, which may move."""
    path = tmp_path / 'clip.pt'
    torch.save({'a': torch.ones(2)}, path)
    monkeypatch.delattr(torch._weights_only_unpickler, '_get_allowed_globals')
    tensor_files._forget_bombs.cache_clear()
    with pytest.raises(WeightsError, match=r'save the weights as \.safetensors'):
        read_tensor_file(path, 'CLIP weights', 'clip_weights')


def test_weights_that_another_program_packed_are_read(tmp_path):
    whole, path = tmp_path / 'whole.pt', tmp_path / 'clip.pt'
    torch.save({'a': torch.arange(100_000.0)}, whole)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            new.writestr(info.filename, old.read(info))
    assert path.stat().st_size < 0.8 * whole.stat().st_size
    assert torch.equal(read_weights(path).state['a'], torch.arange(100_000.0))


def test_a_file_of_a_size_that_no_clip_has_is_refused_unread(tmp_path):
    path = tmp_path / 'sparse.safetensors'
    with path.open('wb') as file:
        file.truncate(40 * 2**30)
    with pytest.raises(WeightsError, match='claims 40 GiB, more than any CLIP has'):
        read_weights(path)


@pytest.fixture(params=['pipe', 'socket', 'device', 'folder'])
def no_file(request, tmp_path, monkeypatch) -> Path:
    """Return a path to what is there, and no regular file."""
    path = tmp_path / 'clip.json'
    if request.param == 'pipe':
        os.mkfifo(path)
    elif request.param == 'socket':
        monkeypatch.chdir(tmp_path)  # a socket's path may have 107 bytes
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    elif request.param == 'device':
        path.symlink_to('/dev/zero')
    else:
        path.mkdir()
    return path


@reads
def test_what_is_no_regular_file_is_not_read(no_file, read):
    with pytest.raises(ClipDepthError, match=r'(?i)regular file|is a directory'):
        read(no_file)


class TestTensors:
    """Tensors that are not what they seem cost what they seem, or fail far from their cause."""

    @pytest.mark.parametrize(('make', 'what'), [
        (lambda: torch.zeros(1).expand(100_000, 100_000), r'\[100000, 100000\]'),
        (lambda: torch.zeros(2, device='meta'), 'meta'),
        (lambda: torch.eye(3).to_sparse(), 'sparse'),
        (lambda: torch.zeros(2, dtype=torch.complex64), 'complex64'),
        (lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8), 'qint8'),
    ], ids=['one number as ten thousand million', 'no numbers', 'sparse', 'complex', 'quantized'])
    @pytest.mark.filterwarnings('ignore')
    def test_no_plain_numbers(self, tmp_path, make, what):
        path = tmp_path / 'clip.pt'
        torch.save({'ln_final.weight': make()}, path)
        with pytest.raises(WeightsError, match=rf'(?s)ln_final.weight.*{what}|cannot read'):
            read_weights(path)

    @pytest.mark.parametrize('state', [
        {1: torch.ones(1)}, {'a': {'b': torch.ones(1)}}, {'state_dict': 3}, {'state_dict': []},
    ])
    def test_no_state_dict(self, tmp_path, state):
        torch.save(state, tmp_path / 'clip.pt')
        with pytest.raises(WeightsError, match='hold no state dict of tensors'):
            read_weights(tmp_path / 'clip.pt')

    def test_parts_of_transformers_weights_that_do_not_fit_together(self, tmp_path):
        name = 'text_model.encoder.layers.0.self_attn.{}_proj.weight'
        state = {name.format(part): torch.ones(2, 2) for part in 'qv'}
        state[name.format('k')] = torch.ones(2, 3)
        torch.save(state, tmp_path / 'clip.pt')
        with pytest.raises(WeightsError, match='named as those of the transformers library'):
            read_weights(tmp_path / 'clip.pt')

    @pytest.mark.parametrize('number', [7e4, 1e30, -3e38, float('nan')])
    def test_numbers_beyond_what_any_weights_have(self, tmp_path, number):
        from clip_depth_ros.model.architecture import Architecture

        model = Architecture('small', SMALL_VIT).new_model()
        state = model.state_dict()
        state['ln_final.bias'][3] = number
        torch.save(state, tmp_path / 'clip.pt')
        with pytest.raises(WeightsError, match=r'beyond 65504 .*: ln_final.bias'):
            load_weights(model, read_weights(tmp_path / 'clip.pt'), 'small')


def changed(path: Path, change: Callable[[dict[str, Any], dict[str, torch.Tensor]], None]) -> Path:
    """Change settings or tensors of CLIP2Depth weights, and let them be whole by their hash."""
    from clip_depth_ros.model.clip2depth_weights import _digest

    with safetensors.safe_open(path, framework='pt') as file:
        metadata = {k: v for k, v in file.metadata().items() if k != 'sha256'}
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    settings = json.loads(metadata['settings'])
    change(settings, state)
    for name in [name for name in settings if name in metadata]:
        metadata[name] = settings.pop(name)
    metadata['settings'] = json.dumps(settings)
    metadata['sha256'] = _digest(metadata, state)
    safetensors.torch.save_file(state, path, metadata)
    return path


@pytest.fixture(scope='module')
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, bytes]:
    """Return a backbone and CLIP2Depth weights for it that are what they seem."""
    folder = tmp_path_factory.mktemp('clip2depth')
    backbone = deep_backbone(folder)
    return backbone, write_clip2depth(folder / 'good.safetensors', backbone).read_bytes()


class TestClip2Depth:
    """Whole by its hash, and still nothing that was ever trained."""

    @pytest.fixture
    def good(self, whole, tmp_path) -> Path:
        path = tmp_path / 'mine.safetensors'
        path.write_bytes(whole[1])
        return path

    def build(self, whole, path: Path) -> Any:
        return build_predictor(PredictorSettings(
            backbone=whole[0], pretrained='random', clip2depth_weights=str(path)
        ))

    def test_good_ones_pass(self, whole, good):
        self.build(whole, changed(good, lambda settings, state: None)).close()

    @pytest.mark.parametrize('number', [7e4, 1e30, -3e38])
    @pytest.mark.parametrize('name', [
        'mirror', 'film_mul.weight', 'decoder.blocks.1.linear1.bias',
    ])
    def test_numbers_beyond_what_training_makes(self, good, name, number):
        changed(good, lambda settings, state: state[name].view(-1)[0].fill_(number))
        with pytest.raises(WeightsError, match=rf'beyond 65504 .*: {name}'):
            read_clip2depth(good)

    @pytest.mark.parametrize(('factor', 'shown'), [(6e4, '80 to 80'), (-6e4, '1 to 1')])
    def test_one_number_that_drowns_all_others(self, whole, good, factor, shown):
        def drown(settings: Any, state: dict[str, torch.Tensor]) -> None:
            last = max(name for name in state if name.startswith('decoder.head.'))
            state[last.rpartition('.')[0] + '.bias'].fill_(factor)

        with pytest.raises(WeightsError, match=rf'do not lead to depth.*answer {shown} m'):
            self.build(whole, changed(good, drown))

    def test_numbers_that_overflow_on_the_way(self, whole, good):
        def overflow(settings: Any, state: dict[str, torch.Tensor]) -> None:
            for tensor in state.values():
                tensor.mul_(6e4 / tensor.abs().max())

        with pytest.raises(WeightsError, match='do not lead to depth'):
            self.build(whole, changed(good, overflow))

    @pytest.mark.parametrize('size', [(8192, 8192), (2049, 2048)])
    def test_an_input_that_would_take_hours(self, good, size):
        height, width = size
        changed(good, lambda settings, _: settings.update(
            input_height_px=height, input_width_px=width
        ))
        with pytest.raises(WeightsError, match=rf'pixels at most, got {height} x {width}'):
            read_clip2depth(good)

    @pytest.mark.parametrize('values', [
        {'taps': [10**9]}, {'taps': [0, 1, 10**6]}, {'reduce_dim': 10**9}, {'mlp_dim': 16384},
        {'max_depth_m': 1e308}, {'min_depth_m': 80.0}, {'mirror_length': 1024},
        {'head': '__import__'}, {'taps': 'x'}, {'condition': None},
    ], ids=str)
    def test_settings_that_are_none_or_those_of_another_model(self, whole, good, values):
        changed(good, lambda settings, _: settings.update(values))
        with pytest.raises(ClipDepthError):
            self.build(whole, good)

    @pytest.mark.parametrize(('name', 'text'), [
        ('metrics', '{"abs_rel": "0.1"}'), ('provenance', '[' * 100_000), ('provenance', '3'),
        ('metrics', '{"a": {"b": 1}}'),
    ], ids=['text', 'deep', 'number', 'nested'])
    def test_metadata_that_are_none(self, good, name, text):
        changed(good, lambda settings, _: settings.update({name: text}))
        with pytest.raises(WeightsError, match=name):
            read_clip2depth(good)

    def test_what_it_says_of_itself_does_not_steer_a_terminal(self, whole, good):
        said = json.dumps({'data': '\x1b]0;owned\x07' + 'x' * 10_000, 'protocol': 'a\nERROR: b'})
        changed(good, lambda settings, _: settings.update(provenance=said))
        predictor = self.build(whole, good)
        described = predictor.describe()
        predictor.close()
        assert all(text.isprintable() and len(text) < 400 for text in described.values())


class TestCheckpoints:
    """A run goes on from its own checkpoint; another's is as foreign as other weights."""

    @pytest.mark.parametrize('facts', [
        {}, {'step': 'x', 'best_step': 0, 'scores': {}, 'bad_frames': {}},
        {'step': 1, 'best_step': 0, 'scores': [], 'bad_frames': {}},
    ])
    def test_facts_that_a_run_cannot_go_on_from(self, tmp_path, facts):
        save_checkpoint(tmp_path / 'c.safetensors', {'model': {'a': torch.ones(1)}}, facts)
        with pytest.raises(WeightsError, match=r'lacks what a run goes on from \(step, best_step'):
            check_facts(load_checkpoint(tmp_path / 'c.safetensors'))

    @pytest.mark.parametrize('text', ['[' * 100_000, '3', '', '[1]'])
    def test_facts_that_are_none(self, tmp_path, monkeypatch, text):
        monkeypatch.setattr(json, 'dumps', lambda _: text)
        save_checkpoint(tmp_path / 'c.safetensors', {'model': {'a': torch.ones(1)}}, {})
        with pytest.raises(WeightsError, match='says nothing of its run'):
            load_checkpoint(tmp_path / 'c.safetensors')


@pytest.mark.parametrize('name', ['clip.pt', 'old.pt', 'clip.safetensors'])
@pytest.mark.filterwarnings('ignore')
def test_damage_anywhere_is_an_error_in_words(tmp_path, name):
    path = tmp_path / name
    state = {'a.weight': torch.ones(3, 4), 'b': torch.zeros(5, dtype=torch.float16)}
    if name.endswith('safetensors'):
        safetensors.torch.save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=name == 'clip.pt')
    good, dice = path.read_bytes(), random.Random(0)
    for _ in range(150):
        bad = bytearray(good)
        for _ in range(dice.choice([1, 1, 2, 20])):
            bad[dice.randrange(len(bad))] = dice.randrange(256)
        path.write_bytes(bytes(bad[: dice.randrange(len(bad))] if dice.random() < 0.2 else bad))
        message = ''
        try:
            read_tensor_file(path, 'weights', 'clip_weights')
        except WeightsError as error:
            message = str(error)
        assert message == '' or message.isprintable()


NETWORK = """
import sys

def deny(event, args):
    if event in ('socket.connect', 'socket.getaddrinfo', 'socket.gethostbyname', 'socket.sendto'):
        print('NETWORK', event, args, flush=True)
        raise OSError('no network')

sys.addaudithook(deny)
from clip_depth_ros.errors import ClipDepthError
from clip_depth_ros.model.text import tokenizer_for
from clip_depth_ros.predictor.build import build_predictor
from clip_depth_ros.settings.predictor import PredictorSettings

def refused(work):
    try:
        work()
    except ClipDepthError as error:
        print('refused:', str(error)[:60])

for backbone, tag in (
    ('RN50-quickgelu', 'openai'), ('ViT-B-16', 'datacomp_xl_s13b_b90k'),
    ('ViT-B-32-quickgelu', 'metaclip_400m'), ('ViT-L-14-CLIPA', 'datacomp1b'),
):
    settings = PredictorSettings(backbone=backbone, pretrained=tag)
    refused(lambda: build_predictor(settings))
refused(lambda: tokenizer_for({'hf_tokenizer_name': 'bert-base-uncased'}, allow_download=False))
build_predictor(PredictorSettings(backbone='tiny', pretrained='bundled')).close()
"""


def test_the_network_is_not_touched_unless_it_is_asked_for(tmp_path):
    """Neither for weights nor for tokenizers, nor to say who is asking."""
    environment = {
        name: value for name, value in os.environ.items()
        if name not in ('HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE')
    }
    process = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', NETWORK], cwd=ROOT, capture_output=True, text=True,
        env={**environment, 'HF_HOME': str(tmp_path), 'HOME': str(tmp_path)}, check=False,
    )
    assert 'NETWORK' not in process.stdout
    assert process.stdout.count('refused:') == 5, process.stdout + process.stderr
    assert process.returncode == 0, process.stderr


def test_a_folder_of_settings_is_refused(tmp_path):
    with pytest.raises(ConfigError, match='no regular file'):
        read_settings(tmp_path)
