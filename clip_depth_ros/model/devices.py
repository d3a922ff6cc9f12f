# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where to compute and in which arithmetic: decided here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

from clip_depth_ros.errors import DeviceError
import torch

Precision = Literal['fp32', 'fp16', 'bf16']

DTYPES: Final = {'fp32': torch.float32, 'fp16': torch.float16, 'bf16': torch.bfloat16}


def resolve_device(requested: str, *, cuda_available: bool, device_count: int) -> str:
    """
    Return the device to compute on, ``cpu`` or ``cuda:N``.

    ``auto``, ``cpu``, ``cuda`` or ``cuda:N`` may be requested; DeviceError if a CUDA device is
    that does not exist.
    """
    if requested == 'cpu' or (requested == 'auto' and not cuda_available):
        return 'cpu'
    if not cuda_available:
        raise DeviceError(
            f'device={requested!r} needs CUDA, which this machine (or this build of PyTorch) does '
            "not have: install the driver and a CUDA build, or set device='cpu' or 'auto'"
        )
    index = int(requested.partition(':')[2] or 0)
    if index >= device_count:
        raise DeviceError(
            f'device={requested!r} is not there, this machine has {device_count} CUDA device(s): '
            f'choose cuda:0 to cuda:{device_count - 1}'
        )
    return f'cuda:{index}'


def resolve_precision(requested: str, *, device: str, bf16_supported: bool) -> Precision:
    """
    Return the arithmetic of the network on a device.

    ``auto`` is fp16 on CUDA; on the cpu, bf16 if it has instructions for it (``bf16_supported``)
    and fp32 if not. DeviceError if bfloat16 is requested of a CUDA device that does not compute in
    it; the cpu always does, if slowly.
    """
    is_cpu = device == 'cpu'
    if requested == 'auto':
        if is_cpu:
            return 'bf16' if bf16_supported else 'fp32'
        return 'fp16'
    if requested == 'bf16':
        if not is_cpu and not bf16_supported:
            raise DeviceError(
                f"{device} does not compute in bfloat16: set precision='fp16' or 'fp32'"
            )
        return 'bf16'
    return 'fp16' if requested == 'fp16' else 'fp32'


def this_machine(requested_device: str, requested_precision: str) -> tuple[str, Precision]:
    """Return device and precision for the machine that this runs on."""
    cuda = torch.cuda.is_available()
    device = resolve_device(
        requested_device, cuda_available=cuda, device_count=torch.cuda.device_count()
    )
    bf16_supported = cpu_has_bf16() if device == 'cpu' else torch.cuda.is_bf16_supported()
    return device, resolve_precision(
        requested_precision, device=device, bf16_supported=bf16_supported
    )


def cpu_has_bf16() -> bool:
    """
    Return whether this cpu has instructions for bfloat16 and PyTorch's kernels may use them.

    These are oneDNN's, which the environment variable ``ONEDNN_MAX_CPU_ISA`` may hold back.
    """
    capabilities: dict[str, object] = getattr(torch.cpu, 'get_capabilities', dict)()
    has_instructions = any(has for name, has in capabilities.items() if 'bf16' in name)
    return has_instructions and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


PREDICTION_ADVICE: Final = (
    "lower input_width_px and input_height_px, switch flip off, set precision='fp16', or choose a "
    'smaller backbone'
)


@contextmanager
def explain_out_of_memory(
    device: str, what: str, advice: str = PREDICTION_ADVICE
) -> Iterator[None]:
    """
    Turn running out of device memory into an error that says what to lower.

    Raises
    ------
    DeviceError
        In place of PyTorch's out-of-memory error; anything else passes.

    """
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise DeviceError(f'{device} ran out of memory for {what}: {advice}') from error


@contextmanager
def full_float32(device: str, precision: Precision) -> Iterator[None]:
    """
    Keep fp32 convolutions on CUDA in full float32.

    PyTorch lets cuDNN round fp32 inputs to 10 bits (TF32) by default. The factor of 1000 before
    DepthCLIP's softmax would make that visible, so fp32 means fp32 here (our choice).
    """
    if device == 'cpu' or precision != 'fp32':
        yield
        return
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield
