# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Several processes that train one model (torchrun), each on its part of every batch.

Losses are functions of sums over the whole batch, so the processes add up their sums before and
their gradients after: the result is that of one process with the whole batch, however many valid
pixels each of them has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
import os
from typing import Any, TypeVar

from clip_depth_ros.errors import ConfigError
import numpy as np
from numpy.typing import NDArray
import torch
from torch import distributed, nn, Tensor

Result = TypeVar('Result')

_PATIENCE = timedelta(hours=12)  # the first process may cache tokens of a whole dataset


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among those that train together; by itself unless told otherwise."""

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def part_of(self, positions: Sequence[int]) -> list[int]:
        """Return this process's part of a batch, all parts of the same length."""
        n_each, rest = divmod(len(positions), self.world_size)
        if rest:
            raise ConfigError(
                f'each of {self.world_size} processes must get as many images, got '
                f'{len(positions)} at a time: choose batch_size as a multiple of '
                f'accumulate x {self.world_size}'
            )
        return list(positions[self.rank * n_each:(self.rank + 1) * n_each])

    def sum_over_ranks(self, sums: Tensor) -> Tensor:
        """
        Return sums over all processes.

        For gradients only this process's part varies: once :meth:`sum_gradients` has added up the
        processes, each part has been counted once.
        """
        if self.world_size == 1:
            return sums
        total = sums.detach().clone()
        distributed.all_reduce(total)
        return sums + (total - sums.detach())

    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replace each gradient by its sum over all processes."""
        if self.world_size == 1:
            return
        gradients = [
            torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            for parameter in parameters
        ]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(flat)
        parts = torch.split(flat, [gradient.numel() for gradient in gradients])
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.grad = part.view_as(parameter).clone()

    def sum_array(self, array: NDArray[np.float64], device: str) -> NDArray[np.float64]:
        """Return the sum of an array over all processes."""
        if self.world_size == 1:
            return array
        tensor = torch.from_numpy(array).to(device)
        distributed.all_reduce(tensor)
        return np.asarray(tensor.cpu().numpy(), np.float64)

    def in_turn(self, do: Callable[[], Result]) -> Result:
        """Do something in the first process, then in the others, which find it done."""
        if not self.is_first:
            self.wait()
        result = do()
        if self.is_first:
            self.wait()
        return result

    def wait(self) -> None:
        """Go on when all processes have come here."""
        if self.world_size > 1:
            distributed.barrier()


@contextmanager
def process_group(device: str) -> Iterator[Ranks]:
    """
    Join the processes that torchrun started, if it did: the environment says who is who.

    By the device that is asked for, nccl connects GPUs, gloo everything else.
    """
    if int(os.environ.get('WORLD_SIZE', '1')) == 1:
        yield Ranks()
        return
    uses_cuda = device != 'cpu' and torch.cuda.is_available()
    options: dict[str, Any] = {'backend': 'nccl' if uses_cuda else 'gloo', 'timeout': _PATIENCE}
    distributed.init_process_group(**options)
    try:
        yield Ranks(
            distributed.get_rank(),
            distributed.get_world_size(),
            int(os.environ.get('LOCAL_RANK', '0')),
        )
    finally:
        distributed.destroy_process_group()


def device_of_rank(requested: str, ranks: Ranks) -> str:
    """Return the device to ask for: one GPU for each process of a machine."""
    if ranks.world_size > 1 and requested in ('auto', 'cuda') and torch.cuda.is_available():
        return f'cuda:{ranks.local_rank}'
    return requested
