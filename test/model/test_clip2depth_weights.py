# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files of trained CLIP2Depth: what goes in comes out, and nothing else is believed."""

import json
import pickle
import re
import struct

from clip_depth_ros.errors import OutputError, WeightsError
from clip_depth_ros.model import clip2depth_weights
from clip_depth_ros.model.backbone import build_backbone
from clip_depth_ros.model.clip2depth import build_clip2depth
from clip_depth_ros.model.clip2depth_weights import (
    load_clip2depth,
    read_clip2depth,
    save_clip2depth,
)
from clip_depth_ros.settings.clip2depth import Clip2DepthSettings
from clip_depth_ros.settings.predictor import PredictorSettings
import pytest
import safetensors.torch
from small_clip2depth import DEEP_VIT, make_lively, METRICS, small_settings
from small_clips import small_backbone, SMALL_VIT, write_json
import torch

PROVENANCE = {'data': 'made up', 'steps': 7, 'seeds': [1, 2], 'note': 'Fluß'}


@pytest.fixture(scope='module')
def backbone(tmp_path_factory):
    return small_backbone(tmp_path_factory.mktemp('clip'), DEEP_VIT)[0]


@pytest.fixture
def model(backbone):
    torch.manual_seed(0)
    model = build_clip2depth(small_settings(), backbone)
    make_lively(model, 1)
    return model


@pytest.fixture
def saved(model, backbone, tmp_path):
    return save(tmp_path / 'trained.safetensors', model, backbone)


def save(path, model, backbone, **changes):
    options = {
        'backbone': backbone.name, 'backbone_hash': backbone.hash, 'provenance': PROVENANCE,
        'metrics': METRICS,
    }
    save_clip2depth(path, model, model.settings, **{**options, **changes})
    return path


def header_of(data):
    """Return the header of a safetensors file and where its tensors start."""
    (length,) = struct.unpack('<Q', data[:8])
    return json.loads(data[8:8 + length]), 8 + length


def with_metadata(path, **changes):
    """Rewrite single entries of a file's metadata, None: leave them out."""
    data = path.read_bytes()
    header, start = header_of(data)
    metadata = {**header['__metadata__'], **changes}
    header['__metadata__'] = {name: text for name, text in metadata.items() if text is not None}
    packed = json.dumps(header).encode()
    packed += b' ' * (-len(packed) % 8)
    path.write_bytes(struct.pack('<Q', len(packed)) + packed + data[start:])
    return path


class TestRoundTrip:
    def test_what_was_saved_is_read(self, saved, model, backbone):
        file = read_clip2depth(saved)

        assert file.path == saved
        assert file.settings == model.settings
        assert file.backbone == backbone.name
        assert file.backbone_hash == backbone.hash
        assert file.provenance == PROVENANCE
        assert file.metrics == METRICS
        assert re.fullmatch('[0-9a-f]{64}', file.sha256)
        assert str(file) == f'trained.safetensors (sha256 {file.sha256[:12]})'
        assert file.state.keys() == model.state_dict().keys()
        assert all(torch.equal(file.state[name], each) for name, each in
                   model.state_dict().items())

    def test_the_model_of_a_file_answers_as_the_one_that_was_saved(self, saved, model, backbone):
        loaded = load_clip2depth(read_clip2depth(saved), backbone)
        random = torch.Generator().manual_seed(0)
        taps = [torch.randn(1, 7, 64, generator=random) for _ in range(3)]
        grid = backbone.grid(32, 48)
        for each in (model.eval(), loaded):
            each.freeze_condition(backbone)
        with torch.no_grad():
            assert torch.equal(loaded(taps, grid), model(taps, grid))
        assert not loaded.training
        assert not loaded.trainable_parameters()

    def test_half_precision_halves_the_file(self, saved, model, backbone, tmp_path):
        half = save(tmp_path / 'half.safetensors', model, backbone, dtype=torch.float16)
        file = read_clip2depth(half)

        assert half.stat().st_size < 0.6 * saved.stat().st_size
        assert {tensor.dtype for tensor in file.state.values()} == {torch.float32}
        for name, tensor in model.state_dict().items():
            assert torch.equal(file.state[name], tensor.half().float())

    def test_loading_leaves_random_numbers_alone(self, saved, backbone):
        before = torch.get_rng_state()
        load_clip2depth(read_clip2depth(saved), backbone)

        assert torch.equal(torch.get_rng_state(), before)

    def test_the_same_content_has_the_same_hash(self, saved, model, backbone, tmp_path):
        again = save(tmp_path / 'again.safetensors', model, backbone)

        assert read_clip2depth(again).sha256 == read_clip2depth(saved).sha256

    @pytest.mark.parametrize('condition', ['fixed_mirror', 'sentence', 'none'])
    def test_every_condition_can_be_saved(self, backbone, tmp_path, condition):
        model = build_clip2depth(small_settings(condition=condition), backbone)
        path = save(tmp_path / 'x.safetensors', model, backbone)
        loaded = load_clip2depth(read_clip2depth(path), backbone)

        assert loaded.settings.condition == condition
        assert loaded.state_dict().keys() == model.state_dict().keys()

    def test_any_arithmetic_of_the_backbone_will_do(self, saved, backbone, tmp_path):
        torch.save(backbone._clip.state_dict(), tmp_path / 'clip.pt')
        settings = PredictorSettings(
            backbone=write_json(tmp_path, DEEP_VIT), clip_weights=str(tmp_path / 'clip.pt')
        )
        half = build_backbone(settings, 'cpu', 'bf16')

        assert load_clip2depth(read_clip2depth(saved), half).settings == small_settings()


class TestWriting:
    def test_nothing_is_left_behind_by_a_failure(self, saved, model, backbone, monkeypatch):
        before = saved.read_bytes()

        def full(*_):
            raise OSError(28, 'No space left on device')

        monkeypatch.setattr('pathlib.Path.write_bytes', full)
        with pytest.raises(OutputError, match='No space left on device'):
            save(saved, model, backbone, metrics={})

        assert saved.read_bytes() == before
        assert [path.name for path in saved.parent.iterdir()] == ['trained.safetensors']

    @pytest.mark.parametrize(('number', 'dtype'), [
        (float('nan'), torch.float32), (1e6, torch.float16),
    ])
    def test_numbers_that_are_none_are_not_written(self, model, backbone, tmp_path, number, dtype):
        path = tmp_path / 'x.safetensors'
        with torch.no_grad():
            model.mirror[0, 0] = number
        with pytest.raises(WeightsError) as caught:
            save(path, model, backbone, dtype=dtype)

        assert str(caught.value) == (
            f"CLIP2Depth weights '{path}' hold numbers that are not finite, or beyond 65504 where "
            'half precision ends: mirror; train again, or save in float32'
        )
        assert not path.exists()


class TestRefusals:
    def message(self, path):
        with pytest.raises(WeightsError) as caught:
            read_clip2depth(path)
        return str(caught.value)

    def test_a_missing_file(self, tmp_path):
        assert self.message(tmp_path / 'none.safetensors') == (
            f"cannot read CLIP2Depth weights '{tmp_path}/none.safetensors': No such file or "
            'directory; point clip2depth_weights to a file that is there and readable'
        )

    def test_a_folder(self, tmp_path):
        assert "': Is a directory; point clip2depth_weights to a file" in self.message(tmp_path)

    def test_a_pickle_is_not_opened(self, tmp_path):
        class Bomb:
            def __reduce__(self):
                return (pytest.fail, ('a pickle was run',))

        path = tmp_path / 'evil.safetensors'
        path.write_bytes(pickle.dumps(Bomb()))
        message = self.message(path)

        assert message.startswith(f"cannot read CLIP2Depth weights '{path}': ")
        assert message.endswith(
            '; it must be a .safetensors file as clip-depth train writes it (no pickled objects), '
            'and complete: copy it again'
        )

    @pytest.mark.parametrize('length', [0, 1, 7, 8, 100, -1000, -1])
    def test_a_truncated_file(self, saved, length):
        saved.write_bytes(saved.read_bytes()[:length])

        assert 'and complete: copy it again' in self.message(saved)

    def test_a_flipped_bit_in_the_tensors(self, saved):
        data = bytearray(saved.read_bytes())
        sha256 = header_of(data)[0]['__metadata__']['sha256']
        data[-100] ^= 1
        saved.write_bytes(data)
        message = self.message(saved)

        assert message.startswith(f"CLIP2Depth weights '{saved}' are damaged: their content has ")
        assert message.endswith(f'should have {sha256}; copy the file again')

    def test_a_flipped_bit_anywhere(self, saved):
        """In lengths, names, settings or tensors: nothing of it is believed."""
        data = saved.read_bytes()
        places = [*range(16), *range(16, header_of(data)[1], 13), len(data) - 1]
        believed = []
        for place in places:
            changed = bytearray(data)
            changed[place] ^= 1 << place % 7
            saved.write_bytes(changed)
            try:
                file = read_clip2depth(saved)
            except WeightsError:
                continue
            believed.append((place, file))

        assert believed == []

    def test_a_setting_that_was_changed_by_hand(self, saved):
        settings = json.dumps({**small_settings().model_dump(mode='json'), 'max_depth_m': 10.0})

        assert 'are damaged: their content has SHA-256' in self.message(
            with_metadata(saved, settings=settings)
        )

    @pytest.mark.parametrize('name', ['settings', 'backbone', 'backbone_hash', 'metrics'])
    def test_an_entry_that_is_missing(self, saved, name):
        assert 'are damaged: their content has SHA-256' in self.message(
            with_metadata(saved, **{name: None})
        )

    @pytest.mark.parametrize('name', ['settings', 'provenance', 'metrics'])
    @pytest.mark.parametrize('text', [None, 'no JSON', '[1, 2]'])
    def test_a_file_of_someone_elses_making(self, saved, name, text):
        """Whole by its hash, but not as it should be."""
        with_metadata(saved, **{name: text})
        metadata, state = clip2depth_weights._read(saved)
        with_metadata(saved, sha256=clip2depth_weights._digest(metadata, state))

        assert self.message(saved) == (
            f"CLIP2Depth weights '{saved}' have no {name} in their metadata (a JSON object is "
            'wanted): save them with save_clip2depth'
        )

    def test_weights_of_something_else(self, tmp_path):
        path = tmp_path / 'clip.safetensors'
        safetensors.torch.save_file({'visual.proj': torch.zeros(2)}, path)

        assert self.message(path) == (
            f"'{path}' holds no CLIP2Depth weights (no format='clip2depth' in its metadata): name "
            'a file that clip-depth train wrote; CLIP weights belong in clip_weights'
        )

    def test_a_newer_version(self, saved):
        assert self.message(with_metadata(saved, version='2')) == (
            f"CLIP2Depth weights '{saved}' have format version 2, this release reads 1: update "
            'clip_depth_ros'
        )

    def test_settings_of_a_later_release(self, saved, model, backbone, monkeypatch):
        later = {**model.settings.model_dump(mode='json'), 'wings': 2}
        monkeypatch.setattr(Clip2DepthSettings, 'model_dump', lambda *_, **__: later)
        save(saved, model, backbone)
        message = self.message(saved)

        assert message.startswith(f"CLIP2Depth weights '{saved}' have settings that this release ")
        assert 'wings' in message
        assert message.endswith('; update clip_depth_ros, or train again')

    def test_numbers_that_are_none(self, saved, model, backbone, monkeypatch):
        monkeypatch.setattr(clip2depth_weights, 'not_usable', lambda _: [])
        with torch.no_grad():
            model.mirror[0, 0] = float('inf')
        save(saved, model, backbone)
        monkeypatch.undo()

        assert self.message(saved) == (
            f"CLIP2Depth weights '{saved}' hold numbers that are not finite, or beyond 65504 "
            'where half precision ends: mirror; train again'
        )


class TestFit:
    def test_another_backbone(self, saved, backbone, tmp_path):
        other = build_backbone(
            PredictorSettings(backbone=write_json(tmp_path, DEEP_VIT), pretrained='random'),
            'cpu', 'fp32',
        )
        with pytest.raises(WeightsError) as caught:
            load_clip2depth(read_clip2depth(saved), other)

        assert str(caught.value) == (
            f"CLIP2Depth weights '{saved}' were trained on backbone '{backbone.name}' with hash "
            f"{backbone.hash[:12]}, got backbone '{other.name}' (random initialisation: does not "
            f'see depth) with hash {other.hash[:12]}: set `backbone`, `pretrained` and '
            'clip_weights to those of the training, or train for this one'
        )

    @pytest.mark.parametrize(('change', 'reason'), [
        (lambda state: state.pop('mirror'), 'mirror is missing'),
        (lambda state: state.update(wings=torch.zeros(2)), 'wings is unknown'),
        (
            lambda state: state.update(mirror=torch.zeros(3, 4)),
            r'mirror is \[3, 4\], not \[8, 64\]',
        ),
    ])
    def test_tensors_that_do_not_fit(self, saved, model, backbone, monkeypatch, change, reason):
        state = dict(model.state_dict())
        change(state)
        monkeypatch.setattr(model, 'state_dict', lambda: state)
        save(saved, model, backbone)
        with pytest.raises(
            WeightsError, match=f"^CLIP2Depth weights '{saved}' do not fit: {reason}$"
        ):
            load_clip2depth(read_clip2depth(saved), backbone)

    def test_a_backbone_without_such_blocks_is_told_by_its_hash(self, saved, tmp_path):
        shallow, _ = small_backbone(tmp_path, SMALL_VIT)
        with pytest.raises(WeightsError, match='were trained on backbone'):
            load_clip2depth(read_clip2depth(saved), shallow)
