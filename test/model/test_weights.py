# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Weights files: what is read, what is refused and why; published weights and their caches."""

import copy
import hashlib
import socket
import warnings

from clip_depth_ros.errors import WeightsError
from clip_depth_ros.model import open_clip_parts, tensor_files
from clip_depth_ros.model.architecture import (
    Architecture,
    CLIP_MEAN,
    CLIP_STD,
    find_architecture,
    fitting_backbones,
)
from clip_depth_ros.model.backbone import build_backbone
from clip_depth_ros.model.pretrained import (
    check_activation,
    check_quick_gelu,
    download,
    find_published,
    find_weights,
)
from clip_depth_ros.model.tensor_files import OPENAI_ARCHIVES
from clip_depth_ros.model.weights import load_weights, read_weights, Weights
from clip_depth_ros.settings.predictor import PredictorSettings
import huggingface_hub
import open_clip
from open_clip.pretrained import get_pretrained_url, list_pretrained_models_by_tag
import pytest
from safetensors.torch import save_file
from small_clips import lively, SMALL_RESNET, SMALL_VIT, write_json
import torch
from torch import nn


def new_model(config):
    return Architecture('small', config).new_model()


@pytest.fixture(scope='module')
def state():
    return lively(new_model(SMALL_RESNET).state_dict())


def save_torch(path, state):
    torch.save(state, path)


def save_checkpoint(path, state):
    """As open_clip's trainer writes it, from a distributed run."""
    renamed = {f'module.{name}': tensor for name, tensor in state.items()}
    torch.save({'epoch': 3, 'name': 'run', 'state_dict': renamed}, path)


def save_safetensors(path, state):
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, path)


def save_archive(path, state):
    """As OpenAI's archives are: TorchScript, half precision, three sizes beside the weights."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # PyTorch deprecates what OpenAI used
        torch.jit.save(torch.jit.script(archive_of(state)), path)


class Holder(nn.Module):
    """A module that only holds things."""

    def forward(self) -> int:
        return 0


def archive_of(state):
    root = Holder()
    sizes = {'input_resolution': 96, 'context_length': 77, 'vocab_size': 49408}
    halves = {n: t.half() if t.ndim > 1 and t.is_floating_point() else t for n, t in state.items()}
    for name, tensor in {**halves, **{n: torch.tensor(s) for n, s in sizes.items()}}.items():
        *folders, leaf = name.split('.')
        module = root
        for folder in folders:
            if not hasattr(module, folder):
                module.add_module(folder, Holder())
            module = getattr(module, folder)
        module.register_buffer(leaf, tensor)
    return root


SAVERS = {
    'clip.pt': save_torch,
    'open_clip_pytorch_model.bin': save_torch,
    'epoch_3.pt': save_checkpoint,
    'model.safetensors': save_safetensors,
    'archive.pt': save_archive,
}


@pytest.fixture(scope='module', params=SAVERS)
def weights_file(request, tmp_path_factory, state):
    path = tmp_path_factory.mktemp('weights') / request.param
    SAVERS[request.param](path, state)
    with pytest.MonkeyPatch.context() as patch:
        if path.name == 'archive.pt':
            know_as_openais(patch, path)
        yield path


def know_as_openais(patch, path):
    """Let the hash of a file be among those of OpenAI's archives."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    patch.setattr(tensor_files, 'OPENAI_ARCHIVES', {**OPENAI_ARCHIVES, path.name: digest})


class TestFormats:
    def test_each_format_gives_the_weights(self, weights_file, state):
        model = new_model(SMALL_RESNET)
        load_weights(model, read_weights(weights_file), 'small')

        tolerance = 1e-3 if weights_file.name == 'archive.pt' else 0
        for name, tensor in model.state_dict().items():
            torch.testing.assert_close(tensor, state[name], atol=tolerance, rtol=tolerance)

    def test_a_truncated_file_is_refused(self, weights_file, tmp_path):
        path = tmp_path / weights_file.name
        path.write_bytes(weights_file.read_bytes()[:100_000])

        with pytest.raises(WeightsError, match=r'cannot read weights .*complete: fetch it again'):
            read_weights(path)

    def test_the_hash_is_that_of_the_file(self, weights_file):
        weights = read_weights(weights_file)

        assert weights.sha256 == hashlib.sha256(weights_file.read_bytes()).hexdigest()
        assert str(weights) == f'{weights_file.name} (sha256 {weights.sha256[:12]})'

    def test_only_openais_own_archives_are_taken_for_openais(self, weights_file):
        assert read_weights(weights_file).is_openai == (weights_file.name == 'archive.pt')

    def test_the_backbone_says_where_its_weights_are_from(self, weights_file, tmp_path):
        settings = PredictorSettings(
            backbone=write_json(tmp_path, SMALL_RESNET), clip_weights=str(weights_file)
        )
        note = build_backbone(settings, 'cpu', 'fp32').weights

        assert note.startswith(f'{weights_file.name} (sha256 ')


def test_versions_that_shape_the_scale_and_name_the_text_tower_differently_load(state, tmp_path):
    """logit_scale has been a scalar and (1,), the text tower has been at the top and in text."""
    config = {**SMALL_RESNET, 'custom_text': True}
    path = tmp_path / 'clip.pt'
    torch.save({**state, 'logit_scale': state['logit_scale'].reshape(1)}, path)
    model = new_model(config)
    load_weights(model, read_weights(path), 'small')

    assert torch.equal(model.text.text_projection, state['text_projection'])


class TestATokenTableThatWasCut:
    """Words that nobody trained need no rows in the file."""

    @staticmethod
    def read(tmp_path, state, rows, table=None):
        table = state['token_embedding.weight'][:3] if table is None else table
        save_safetensors(
            tmp_path / 'cut.safetensors',
            {**state, 'token_embedding.weight': table, 'token_embedding.rows': rows},
        )
        return read_weights(tmp_path / 'cut.safetensors')

    def test_its_rows_are_put_where_they_belong_and_the_others_are_zero(self, tmp_path, state):
        model = new_model(SMALL_RESNET)
        load_weights(model, self.read(tmp_path, state, torch.tensor([7, 2, 40])), 'small')
        table = model.token_embedding.weight
        torch.testing.assert_close(table[[7, 2, 40]], state['token_embedding.weight'][:3])
        assert table.any(dim=1).sum() == 3

    @pytest.mark.parametrize('rows', [
        torch.tensor([0, 1, -1]),
        torch.tensor([0, 1, 2**40]),
        torch.tensor([0, 1]),
        torch.tensor([0.0, 1.0, 2.0]),
        torch.tensor([[0], [1], [2]]),
    ])
    def test_rows_that_cannot_be_are_refused(self, tmp_path, state, rows):
        with pytest.raises(WeightsError, match=r'token_embedding\.rows is unknown.*\[3, '):
            load_weights(new_model(SMALL_RESNET), self.read(tmp_path, state, rows), 'small')

    def test_rows_of_another_width_are_refused(self, tmp_path, state):
        weights = self.read(tmp_path, state, torch.arange(3), torch.zeros(3, 5))
        with pytest.raises(WeightsError, match=r'token_embedding\.weight is \[3, 5\], not'):
            load_weights(new_model(SMALL_RESNET), weights, 'small')


class TestRefused:
    @pytest.mark.parametrize('content', [b'', b'version https://git-lfs.github.com/spec/v1\n'])
    @pytest.mark.parametrize('name', ['clip.pt', 'clip.safetensors'])
    def test_what_is_no_weights_file(self, tmp_path, content, name):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(WeightsError, match='cannot read weights'):
            read_weights(tmp_path / name)

    @pytest.mark.parametrize('content', [{}, {'a': 1}, [torch.ones(1)], {'model': {'a': 1}}])
    def test_what_holds_no_state_dict(self, tmp_path, content):
        torch.save(content, tmp_path / 'clip.pt')
        with pytest.raises(WeightsError, match='hold no state dict of tensors'):
            read_weights(tmp_path / 'clip.pt')

    def test_what_is_not_there_or_a_folder(self, tmp_path):
        with pytest.raises(WeightsError, match=r"'.*absent.pt': No such file.*point clip_weights"):
            read_weights(tmp_path / 'absent.pt')
        with pytest.raises(WeightsError, match='Is a directory'):
            read_weights(tmp_path)

    def test_weights_of_another_model_name_what_differs(self, tmp_path):
        vit = new_model(SMALL_VIT).state_dict()
        torch.save(vit, tmp_path / 'vit.pt')
        weights = read_weights(tmp_path / 'vit.pt')

        with pytest.raises(WeightsError, match=r"vit.pt' do not fit backbone 'RN50': .* is missing"
                                               r'.* and \d+ more. They fit none of'):
            load_weights(new_model(SMALL_RESNET), weights, 'RN50')

    def test_weights_of_another_size_name_both_shapes(self, tmp_path, state):
        torch.save({**state, 'text_projection': torch.zeros(64, 32)}, tmp_path / 'clip.pt')

        with pytest.raises(WeightsError, match=r'text_projection is \[64, 32\], not \[64, 128\]'):
            load_weights(new_model(SMALL_RESNET), read_weights(tmp_path / 'clip.pt'), 'small')

    @pytest.mark.parametrize('bad', [float('nan'), float('inf')])
    def test_weights_that_are_not_finite(self, tmp_path, state, bad):
        broken = copy.deepcopy(state)
        broken['ln_final.weight'][3] = bad
        torch.save(broken, tmp_path / 'clip.pt')

        with pytest.raises(WeightsError, match=r'not finite.*: ln_final.weight; fetch them again'):
            load_weights(new_model(SMALL_RESNET), read_weights(tmp_path / 'clip.pt'), 'small')

    def test_openais_weights_need_quickgelu(self, tmp_path, state, monkeypatch):
        save_archive(tmp_path / 'archive.pt', state)
        know_as_openais(monkeypatch, tmp_path / 'archive.pt')
        backbone = write_json(tmp_path, {**SMALL_RESNET, 'quick_gelu': False})
        settings = PredictorSettings(
            backbone=backbone, clip_weights=str(tmp_path / 'archive.pt')
        )
        with pytest.raises(WeightsError, match=r'were trained with QuickGELU, .*computes without'):
            build_backbone(settings, 'cpu', 'fp32')


class TestActivation:
    """GELU or QuickGELU: the shapes are the same, and depth is wrong everywhere with the other."""

    def note(self, path, backbone='ViT-B-16', is_openai=False):
        weights = Weights(path, '0' * 64, {}, '', is_openai)
        return check_activation(find_architecture(backbone), weights, str(path))

    @pytest.mark.parametrize('path', [
        'ViT-B-16.pt', 'vit_base_patch16_clip_224.openai/open_clip_model.safetensors',
        'models--timm--vit_base_patch16_clip_224.openai/snapshots/abc/open_clip_model.safetensors',
        'clip-vit-base-patch16/pytorch_model.bin', 'b16_fullcc2.5b.pt',
        'models--apple--DFN2B-CLIP-ViT-B-16/snapshots/abc/open_clip_pytorch_model.bin',
    ])
    def test_names_of_published_weights_decide(self, tmp_path, path):
        with pytest.raises(WeightsError, match=r"with QuickGELU, .*backbone='ViT-B-16-quickgelu'"):
            self.note(tmp_path / path)
        assert self.note(tmp_path / path, 'ViT-B-16-quickgelu') == ''

    @pytest.mark.parametrize('path', [
        'vit_b_16-laion400m_e32-55e67d44.pt',
        'models--laion--CLIP-ViT-B-16-laion2B-s34B-b88K/snapshots/a/open_clip_model.safetensors',
    ])
    def test_either_way(self, tmp_path, path):
        assert self.note(tmp_path / path) == ''
        with pytest.raises(WeightsError, match=r"without QuickGELU, .*backbone='ViT-B-16'"):
            self.note(tmp_path / path, 'ViT-B-16-quickgelu')

    def test_what_only_openai_s_archives_hold_decides(self, tmp_path):
        with pytest.raises(WeightsError, match='with QuickGELU'):
            self.note(tmp_path / 'mine.pt', is_openai=True)

    def test_where_nothing_tells_that_is_said(self, tmp_path):
        assert self.note(tmp_path / 'mine.pt') == (
            "backbone 'ViT-B-16' computes GELU, and nothing tells whether mine.pt was trained "
            'with it: if it was with QuickGELU (all of OpenAI: QuickGELU), depth is wrong '
            "everywhere, and you should set backbone='ViT-B-16-quickgelu'"
        )
        assert "set backbone='ViT-B-16'" in self.note(tmp_path / 'a.pt', 'ViT-B-16-quickgelu')

    def test_where_there_is_no_other_nothing_is_said(self, tmp_path):
        assert self.note(tmp_path / 'mine.pt', 'ViT-g-14') == ''

    def test_a_description_that_says_it_is_believed(self, tmp_path):
        path = tmp_path / 'mine.pt'
        assert self.note(path, write_json(tmp_path, {**SMALL_VIT, 'quick_gelu': False})) == ''
        assert self.note(path, 'tiny') == ''
        assert 'set "quick_gelu" in' in self.note(path, write_json(tmp_path, SMALL_VIT))


@pytest.mark.parametrize('name', ['RN50x4', 'ViT-B-32', 'ViT-L-14-336'])
def test_the_shapes_of_weights_tell_their_backbone(name):
    with torch.device('meta'):
        state = open_clip.CLIP(**open_clip.get_model_config(name)).state_dict()

    assert fitting_backbones(state) == [name, f'{name}-quickgelu']


def test_openais_hashes_are_those_that_open_clip_knows():
    urls = [get_pretrained_url(name, 'openai') for name in list_pretrained_models_by_tag('openai')]

    assert {url.rsplit('/', 1)[1]: url.rsplit('/', 2)[1] for url in urls if url} == OPENAI_ARCHIVES


RN50 = 'RN50-quickgelu'


class TestPublished:
    @pytest.fixture(autouse=True)
    def no_network(self, monkeypatch, tmp_path):
        """Refuse connections, and keep the caches of this machine out of it."""
        def refuse(*_):
            raise OSError('no network in tests')

        monkeypatch.setattr(socket.socket, 'connect', refuse)
        monkeypatch.setattr(huggingface_hub.constants, 'HF_HUB_CACHE', str(tmp_path / 'hub'))

    def find(self, tmp_path, name=RN50, tag='openai', *, allow_download=False):
        return find_published(
            find_architecture(name), tag, allow_download=allow_download, url_cache=tmp_path / 'url'
        )

    def test_the_hub_cache_is_used(self, tmp_path):
        """The layout is that of huggingface_hub."""
        repository = tmp_path / 'hub' / 'models--timm--resnet50_clip.openai'
        snapshot = repository / 'snapshots' / 'abc123'
        snapshot.mkdir(parents=True)
        (repository / 'refs').mkdir()
        (repository / 'refs' / 'main').write_text('abc123')
        (snapshot / 'open_clip_pytorch_model.bin').write_bytes(b'')
        assert self.find(tmp_path) == snapshot / 'open_clip_pytorch_model.bin'

        (snapshot / 'open_clip_model.safetensors').write_bytes(b'')
        assert self.find(tmp_path) == snapshot / 'open_clip_model.safetensors'

    def test_the_cache_of_files_fetched_by_url_is_used(self, tmp_path):
        cached = tmp_path / 'url' / 'RN50.pt'
        cached.parent.mkdir()
        cached.write_bytes(b'')

        assert self.find(tmp_path) == cached

    def test_without_them_the_error_says_what_to_fetch_and_where_to_put_it(self, tmp_path):
        with pytest.raises(WeightsError) as caught:
            self.find(tmp_path)

        message = str(caught.value)
        assert "weights 'openai' of backbone 'RN50-quickgelu'" in message
        assert 'allow_download is off' in message
        assert 'https://openaipublic.azureedge.net/clip/models/afeb0e10' in message
        assert 'https://huggingface.co/timm/resnet50_clip.openai' in message
        assert 'open_clip_model.safetensors' in message

    def test_every_error_names_the_three_ways(self, tmp_path):
        settings = PredictorSettings(clip_weights=str(tmp_path / 'absent.pt'))
        with pytest.raises(WeightsError) as caught:
            find_weights(find_architecture(RN50), settings)

        for way in ('preset:=synthetic', 'clip_weights:=FILE', 'allow_download:=true'):
            assert way in str(caught.value)

    def test_the_offline_flag_wins_over_the_setting(self, tmp_path, monkeypatch):
        monkeypatch.setattr(huggingface_hub.constants, 'HF_HUB_OFFLINE', True)
        with pytest.raises(WeightsError, match='HF_HUB_OFFLINE is set'):
            self.find(tmp_path, allow_download=True)

    def test_no_network_is_an_error_after_one_attempt(self, tmp_path, monkeypatch):
        """Every attempt of the hub's client takes half a minute of retries, so one must do."""
        asked = []

        def client(repository, name):
            asked.append(name)
            raise huggingface_hub.errors.LocalEntryNotFoundError('check your connection')

        monkeypatch.setattr(huggingface_hub, 'hf_hub_download', client)
        with pytest.raises(WeightsError, match=r'fetching failed .*check your conn.*at http'):
            self.find(tmp_path, allow_download=True)
        assert asked == ['open_clip_model.safetensors']

    def test_a_fetch_that_fails_says_why_and_what_else_to_do(self, tmp_path):
        name, tag = 'ViT-B-32-quickgelu', 'metaclip_400m'
        source = {
            'url': (tmp_path / 'absent.pt').as_uri(), 'quick_gelu': True,
            'mean': CLIP_MEAN, 'std': CLIP_STD,
        }
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                open_clip_parts.pretrained, 'get_pretrained_cfg', lambda *_: source
            )
            with pytest.raises(WeightsError, match=r'fetching failed \(URLError: .*absent.pt'):
                self.find(tmp_path, name, tag, allow_download=True)

    def test_an_unknown_tag_names_the_known(self, tmp_path):
        with pytest.raises(WeightsError, match=r"got 'opanai'; they are openai, yfcc15m, cc12m"):
            self.find(tmp_path, tag='opanai')
        with pytest.raises(WeightsError, match=r"'tiny', got 'openai'; there are none"):
            self.find(tmp_path, 'tiny')

    @pytest.mark.parametrize(('name', 'tag', 'right'), [
        ('RN50', 'openai', 'RN50-quickgelu'),
        ('ViT-B-32-quickgelu', 'laion2b_s34b_b79k', 'ViT-B-32'),
    ])
    def test_the_other_activation_is_refused_with_the_right_name(self, tmp_path, name, tag, right):
        with pytest.raises(WeightsError, match=f"QuickGELU.*set backbone='{right}'"):
            self.find(tmp_path, name, tag)

    def test_the_right_activation_passes(self):
        check_quick_gelu(find_architecture('RN50-quickgelu'), True, 'openai')
        check_quick_gelu(find_architecture('ViT-B-32'), False, 'laion2b_s34b_b79k')


class TestDownload:
    """Over file:// addresses, which the same code fetches."""

    def test_a_file_is_fetched(self, tmp_path):
        (tmp_path / 'there').write_bytes(b'weights')
        target = tmp_path / 'cache' / 'clip.pt'

        assert download((tmp_path / 'there').as_uri(), target).read_bytes() == b'weights'

    def test_a_wrong_hash_leaves_nothing(self, tmp_path):
        source = tmp_path / 'mlfoundations' / 'vit-0123abcd.pt'
        source.parent.mkdir()
        source.write_bytes(b'not these')
        target = tmp_path / 'cache' / 'clip.pt'

        with pytest.raises(RuntimeError, match='invalid hash value'):
            download(source.as_uri(), target)
        assert list(target.parent.iterdir()) == []

    def test_the_right_hash_passes(self, tmp_path):
        digest = hashlib.sha256(b'these').hexdigest()
        source = tmp_path / 'openaipublic' / digest / 'clip.pt'
        source.parent.mkdir(parents=True)
        source.write_bytes(b'these')

        assert download(source.as_uri(), tmp_path / 'clip.pt').read_bytes() == b'these'
