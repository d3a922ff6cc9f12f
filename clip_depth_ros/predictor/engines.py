# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What runs an ONNX model: ONNX Runtime or OpenVINO, whichever is installed and wanted."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
import functools
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Protocol

from clip_depth_ros.errors import DeviceError, MissingDependencyError, WeightsError
from clip_depth_ros.settings.predictor import PredictorSettings
import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]

_KEPT_SHAPES: Final = 4
"""Sizes of input that OpenVINO keeps a compiled model of."""


class Engine(Protocol):
    """
    A model that is ready to run; all inputs by name, one output.

    ``name`` is that of the engine with its version, ``why`` says why this one.
    """

    name: str
    why: str
    device: str
    precision: str

    def run(self, inputs: Arrays) -> NDArray[np.float32]:
        """Return its only output."""


class OnnxRuntime:
    """ONNX Runtime, on the cpu or, in its CUDA build, on a GPU."""

    def __init__(self, path: Path, device: str, precision: str, why: str) -> None:
        import onnxruntime

        self.name, self.why = f'onnxruntime {onnxruntime.__version__}', why
        self.device, self.precision = device, precision
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # its warnings are about itself
        # Threads that spin while they wait for each other take the cores from all other processes,
        # and are no faster where there are none (docs/performance.md).
        options.add_session_config_entry('session.intra_op.allow_spinning', '0')
        providers: list[Any] = ['CPUExecutionProvider']
        if device != 'cpu':
            number = int(device.partition(':')[2] or 0)
            providers.insert(0, ('CUDAExecutionProvider', {'device_id': number}))
        self._session = onnxruntime.InferenceSession(path, options, providers=providers)
        if device != 'cpu' and self._session.get_providers()[0] != 'CUDAExecutionProvider':
            raise DeviceError(
                f'device={device!r} needs the CUDA build of ONNX Runtime and its libraries: pip '
                "install onnxruntime-gpu in place of onnxruntime, or set device='cpu'"
            )

    def run(self, inputs: Arrays) -> NDArray[np.float32]:
        """Return its only output."""
        answer: NDArray[np.float32] = self._session.run(None, dict(inputs))[0]
        return answer


class OpenVino:
    """
    OpenVINO on the cpu, with a model compiled for each size of input.

    Compiled for any size at once it is slower, and a camera has one.
    """

    def __init__(self, path: Path, device: str, precision: str, why: str) -> None:
        import openvino

        if device != 'cpu':
            raise DeviceError(
                f"engine='openvino' computes on the cpu here, got device={device!r}: set "
                "device='cpu', or engine='onnxruntime'"
            )
        self.name, self.why = f'openvino {openvino.__version__.partition("-")[0]}', why
        self._core = _openvino_core()
        self.device, self.precision = device, precision
        self._hints = {
            'INFERENCE_PRECISION_HINT': {'fp32': 'f32', 'fp16': 'f16', 'bf16': 'bf16'}[precision],
            'PERFORMANCE_HINT': 'LATENCY',
        }
        self._model = self._core.read_model(path)
        self._compiled: OrderedDict[tuple[Any, ...], Any] = OrderedDict()

    def run(self, inputs: Arrays) -> NDArray[np.float32]:
        """Return its only output; DeviceError if this cpu lacks what the precision needs."""
        key = tuple((name, array.shape) for name, array in inputs.items())
        if key not in self._compiled:
            self._compiled[key] = self._compile(key)
            if len(self._compiled) > _KEPT_SHAPES:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(key)
        # A copy: the engine writes the next answer into the same memory.
        return np.array(self._compiled[key](dict(inputs))[0], np.float32)

    def _compile(self, shapes: tuple[tuple[str, tuple[int, ...]], ...]) -> Any:
        model = self._model.clone()
        model.reshape({name: list(shape) for name, shape in shapes})
        try:
            return self._core.compile_model(model, 'CPU', self._hints)
        except RuntimeError as error:
            # It goes by what the cpu has; oneDNN inside it may have been told to use less.
            raise DeviceError(
                f'{self.name} cannot compute this model in {self.precision} on this cpu '
                f'({_lines_of(error)[-1]}): '
                "set another precision, or engine='onnxruntime'"
            ) from error


_ENGINES: Final[Mapping[str, Callable[[Path, str, str, str], Engine]]] = {
    'onnxruntime': OnnxRuntime, 'openvino': OpenVino,
}
"""
In the order in which they are preferred without bfloat16: with AVX2, ONNX Runtime was the faster
one for three networks of four. Where the cpu computes in bfloat16, OpenVINO was for all of them
(docs/performance.md), and in fp32, too.
"""


def precisions_to_try(settings: PredictorSettings) -> tuple[str, ...]:
    """Return arithmetics, fastest first: bf16 where auto may have it and this cpu computes so."""
    if settings.precision != 'auto':
        return (settings.precision,)
    if _choose(settings)[0] != 'openvino':
        return ('fp32',)
    return ('bf16', 'fp32') if _has_bf16() else ('fp32',)


@functools.cache
def _openvino_core() -> Any:
    """
    Return the one OpenVINO of this process, which lives as long as the process.

    Its cpu plugin gives the thread that loads it a stack for signals, and frees that stack when
    it is unloaded, by whichever thread. Unloaded by another one, it leaves the first with a stack
    that is gone: the next Ctrl-C there would be a segmentation fault.
    """
    import openvino

    return openvino.Core()


@functools.cache
def _has_bf16() -> bool:
    """Return whether OpenVINO is installed and this cpu computes in bfloat16."""
    if not find_spec('openvino'):
        return False
    return 'BF16' in _openvino_core().get_property('CPU', 'OPTIMIZATION_CAPABILITIES')


def open_engine(path: Path, settings: PredictorSettings, precision: str) -> Engine:
    """
    Load an ONNX model into the engine of the settings.

    ``auto`` is OpenVINO on cpus that compute in bfloat16, else ONNX Runtime first.

    Raises
    ------
    MissingDependencyError
        If no such engine is installed.
    DeviceError
        If it does not compute on the device that is asked for.
    WeightsError
        If it cannot read the model.

    """
    name, why = _choose(settings)
    device = 'cpu' if settings.device == 'auto' else settings.device
    if name == 'onnxruntime' and precision != 'fp32':
        raise DeviceError(
            f"engine='onnxruntime' computes exported models in fp32, got precision={precision!r}: "
            "set precision='auto', or engine='openvino'"
        )
    try:
        return _ENGINES[name](path, device, precision, why)
    except (DeviceError, MissingDependencyError):
        raise
    except Exception as error:  # each engine has errors of its own
        raise WeightsError(
            f'{name} cannot read {str(path)!r}: export it again with this version '
            f'({_lines_of(error)[0]})'
        ) from error


def _lines_of(error: Exception) -> list[str]:
    """Return what an error says, at least one line."""
    return str(error).strip().splitlines() or [type(error).__name__]


def _choose(settings: PredictorSettings) -> tuple[str, str]:
    """Return the name of an engine that is installed, and why that one."""
    there = [name for name in _ENGINES if find_spec(name)]
    wanted = settings.engine
    if wanted == 'auto':
        if settings.device not in ('auto', 'cpu'):
            there = [name for name in there if name != 'openvino']
        if 'openvino' in there and settings.precision in ('auto', 'bf16') and _has_bf16():
            return 'openvino', 'auto: this cpu computes in bfloat16'
        if there:
            return there[0], 'auto: the first that is installed of those for the device'
        raise MissingDependencyError(
            'an exported model needs an engine, and none is installed: pip install onnxruntime, '
            'or openvino'
        )
    if wanted not in there:
        raise MissingDependencyError(
            f'engine={wanted!r} is not installed: pip install {wanted}'
            + (f', or set engine={there[0]!r}, which is' if there else '')
        )
    return wanted, 'as set'
