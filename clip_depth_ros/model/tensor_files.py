# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Files of tensors, from anybody: read without running anything in them, within bounds.

A PyTorch file is a pickle, which can run code when it is opened, and a TorchScript archive is a
program. Pickles are read as plain tensors (``weights_only``), safetensors hold nothing else, and
only the nine archives that OpenAI published, told by their hash, are opened as TorchScript.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import functools
from pathlib import Path
import re
from types import MappingProxyType
from typing import Any, Final
import warnings
import zipfile

from clip_depth_ros.core.files import check_regular, sha256_of
from clip_depth_ros.core.plain_text import printable
from clip_depth_ros.errors import WeightsError
from clip_depth_ros.model.hub import check_unchanged
import safetensors.torch
import torch
from torch import Tensor

OPENAI_ARCHIVES: Final[Mapping[str, str]] = MappingProxyType({
    'RN50.pt': 'afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762',
    'RN101.pt': '8fa8567bab74a42d41c5915025a8e4538c3bdbe8804a470a72f30b0d94fab599',
    'RN50x4.pt': '7e526bd135e493cef0776de27d5f42653e6b4c8bf9e0f653bb11773263205fdd',
    'RN50x16.pt': '52378b407f34354e150460fe41077663dd5b39c54cd0bfd2b27167a4a06ec9aa',
    'RN50x64.pt': 'be1cfb55d75a9666199fb2206c106743da0f6468c9d327f3e0d0a543a9919d9c',
    'ViT-B-32.pt': '40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af',
    'ViT-B-16.pt': '5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f',
    'ViT-L-14.pt': 'b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836',
    'ViT-L-14-336px.pt':
        '3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02',
})
"""SHA-256 of OpenAI's archives, from the addresses in the released code of CLIP (clip.py)."""

OPENAI_NUMBERS: Final = ('input_resolution', 'context_length', 'vocab_size')
"""Sizes that OpenAI's archives hold beside the weights."""

MOST_BYTES: Final = 32 * 2**30
"""The largest published CLIP has 20 GB; what claims to be larger is no weights file."""

_ZIP_MAGIC: Final = b'PK\x03\x04'
_REPACKED: Final = 4
"""PyTorch stores tensors as they are; packed again by another program they lose less than this."""

_BLOCK: Final = 1 << 20

_NUMBERS: Final = frozenset({
    torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.bool, torch.uint8,
    torch.int8, torch.int16, torch.int32, torch.int64,
})
"""What plain tensors are made of."""

_BOMBS: Final = re.compile(
    r'builtins\.bytearray|_codecs\.encode'  # of zeros; hex of hex of hex
    r'|torch\.([a-z]+\.)*\w*Tensor|torch\.storage\.TypedStorage'  # of lists of lists of lists
    r'|torch\._utils\._rebuild_device_tensor_from_\w+'  # which copy one number as a billion
)
"""What a pickle of a kilobyte can call in PyTorch's own reader to take gigabytes, or hours."""


@dataclass(frozen=True, slots=True)
class TensorFile:
    """
    The tensors of a file.

    Attributes
    ----------
    sha256 : str
        Of the whole file, 64 hexadecimal digits.
    state : dict of tensors
        By name, on the cpu.
    openai_name : str
        Which of OpenAI's archives it is, such as ``RN50.pt``; empty if none.

    """

    sha256: str
    state: dict[str, Tensor]
    openai_name: str


def read_tensor_file(path: Path, what: str, setting: str) -> TensorFile:
    """
    Read a state dict, or a checkpoint around one (open_clip's trainer).

    Parameters
    ----------
    path : Path
        PyTorch file (``.pt``, ``.bin``), ``.safetensors``, or one of OpenAI's archives. The
        content decides, not the suffix, but for safetensors.
    what, setting : str
        What is read ('CLIP weights') and which setting names it, for errors.

    Raises
    ------
    WeightsError
        If it is missing, no regular file, damaged, or holds more than tensors and plain values.

    """
    named = f'cannot read {what} {str(path)!r}'
    try:
        check_regular(path)
        digest = _sha256(path)
    except OSError as error:
        raise WeightsError(
            f'{named}: {error.strerror}; point {setting} to a file that is there and readable'
        ) from error
    names = {known: name for name, known in OPENAI_ARCHIVES.items()}
    openai_name = names.get(digest, '')
    try:
        check_unchanged(path, digest)
        content = _openai(path) if openai_name else _plain(path)
    # The decoders raise nearly anything on damaged bytes.
    except Exception as error:
        raise WeightsError(f'{named}: {_explained(path, error, digest, setting)}') from error
    return TensorFile(digest, _state_dict(path, content, what, setting), openai_name)


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, which may quote what is in a file."""
    return printable(str(error).strip().partition('\n')[0], in_one_line=True)


def _sha256(path: Path) -> str:
    if (n_bytes := path.stat().st_size) > MOST_BYTES:
        raise OSError(0, f'It claims {n_bytes / 2**30:.0f} GiB, more than any CLIP has')
    return sha256_of(path)


def _openai(path: Path) -> Mapping[str, Tensor]:
    """Read one of OpenAI's archives; only called for those whose hash is known."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # PyTorch deprecates TorchScript (FutureWarning)
        archive = torch.jit.load(path, map_location='cpu')  # type: ignore[no-untyped-call]
    state: Mapping[str, Tensor] = archive.state_dict()
    return state


def _plain(path: Path) -> Any:
    if path.suffix == '.safetensors':
        return safetensors.torch.load_file(path)
    with path.open('rb') as file:
        is_archive = file.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC  # as torch.load decides it
    if is_archive:
        _check_proportion(path, _unpacked_bytes(path))
        _check_parts(path)
    _forget_bombs()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # on pickle protocols of files it reads or refuses
        return torch.load(path, map_location='cpu', weights_only=True)


@functools.cache
def _forget_bombs() -> None:
    """
    Take from PyTorch's reader what no state dict needs.

    It has but one list, so these leave it for the process as a whole; who wants one back has
    ``torch.serialization.add_safe_globals``.
    """
    try:
        callable_names = torch._weights_only_unpickler._get_allowed_globals()
    except AttributeError as error:  # the list is PyTorch's own affair, and may move
        raise WeightsError(
            f'PyTorch {torch.__version__} does not say what its reader of plain tensors calls, so '
            'a small file could take all memory; save the weights as .safetensors, or install an '
            'earlier PyTorch'
        ) from error
    for name in filter(_BOMBS.fullmatch, [*callable_names]):
        del callable_names[name]


def _unpacked_bytes(path: Path) -> int:
    """Return what the parts of an archive claim to be together."""
    # PyTorch's own reader where it tells: another may be shown another directory of the same file.
    reader = torch._C.PyTorchFileReader(str(path))
    if hasattr(reader, 'get_record_size'):
        return sum(reader.get_record_size(name) for name in reader.get_all_records())
    with zipfile.ZipFile(path) as archive:
        return sum(part.file_size for part in archive.infolist())


def _check_proportion(path: Path, n_bytes: int) -> None:
    """Refuse an archive whose parts claim to be much more than the file is."""
    if n_bytes > _REPACKED * path.stat().st_size:
        raise WeightsError(
            f'it would unpack to {n_bytes / 1e6:.0f} MB, {n_bytes / path.stat().st_size:.0f} '
            'times its size, which no file that PyTorch wrote does: fetch it again'
        )


def _check_parts(path: Path) -> None:
    """Refuse an archive of which a part does not fit its checksum, which PyTorch ignores."""
    with zipfile.ZipFile(path) as archive:
        parts = [part for part in archive.infolist() if part.CRC]  # PyTorch can leave it out
        _check_proportion(path, sum(part.file_size for part in parts))
        for part in parts:
            try:
                with archive.open(part) as file:
                    while file.read(_BLOCK):
                        pass
            except zipfile.BadZipFile as error:
                reason = f'{first_line(error)}: it is damaged, fetch it again'
                raise WeightsError(reason) from error


def _explained(path: Path, error: Exception, digest: str, setting: str) -> str:
    """Return why a file could not be read, and what to do."""
    text = str(error)
    if isinstance(error, WeightsError):
        return text
    if 'TorchScript' in text:
        return _explained_archive(path, digest, setting)
    if found := re.search(r'GLOBAL ([\w.]+)', text):
        script = "c = torch.load(OLD, map_location='cpu', weights_only=False)"
        return (
            f'it holds pickled objects beside its tensors ({found[1]}), and opening those can run '
            'code. If you trust where it is from, save its tensors alone (import torch; '
            f"{script}; torch.save(c.get('state_dict', c), NEW)) and point {setting} to NEW"
        )
    first = first_line(error).partition('. ')[0]
    reason = f'{type(error).__name__}: {first}' if first else type(error).__name__
    return (
        f'{reason}; it must be a PyTorch state dict of plain tensors (no pickled objects), '
        ".safetensors or one of OpenAI's archives, and complete: fetch it again and compare its "
        'size'
    )


def _explained_archive(path: Path, digest: str, setting: str) -> str:
    if expected := OPENAI_ARCHIVES.get(path.name):
        return (
            f"it should be OpenAI's with SHA-256 {expected}, got {digest}: damaged, fetch it "
            'again (or, if it holds other weights, save them as a state dict)'
        )
    return (
        "it is a TorchScript archive and none of OpenAI's by its SHA-256; opening one runs the "
        'code in it. If you trust where it is from, save its tensors alone (import torch; '
        "torch.save(torch.jit.load(OLD, map_location='cpu').state_dict(), NEW)) and point "
        f'{setting} to NEW'
    )


def _state_dict(path: Path, content: Any, what: str, setting: str) -> dict[str, Tensor]:
    """Return the tensors of a state dict or of a checkpoint around one (open_clip, DDP)."""
    inner = content.get('state_dict', content) if isinstance(content, Mapping) else {}
    is_state = isinstance(inner, Mapping) and all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in inner.items()
    )
    if not inner or not is_state:
        raise WeightsError(
            f'{what} {str(path)!r} hold no state dict of tensors: save model.state_dict() and '
            f'point {setting} to that'
        )
    for name, tensor in inner.items():
        if not _is_plain(tensor):
            raise WeightsError(
                f'{what} {str(path)!r} hold no plain numbers in {name}: it should be a dense '
                f'tensor of its own on the cpu, got {tensor.dtype}, {list(tensor.shape)}, '
                f'{tensor.layout}, {tensor.device}; save model.state_dict() again'
            )
    return {name.removeprefix('module.'): tensor for name, tensor in inner.items()}


def _is_plain(tensor: Tensor) -> bool:
    """Return whether a tensor is what it seems: no view of one number as a million."""
    return (
        tensor.layout == torch.strided
        and tensor.device.type == 'cpu'
        and tensor.dtype in _NUMBERS
        and tensor.nelement() * tensor.element_size() <= tensor.untyped_storage().nbytes()
    )
