# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Progress bars of training, one for each stage."""

from __future__ import annotations

import os
from typing import Any, TYPE_CHECKING

if TYPE_CHECKING:
    from clip_depth_ros.training.loop import Progress


def is_first_process() -> bool:
    """Say whether this process is the one that talks, of those that torchrun started."""
    return os.environ.get('RANK', '0') == '0'


class ProgressBars:
    """A progress bar for each stage: one at a time."""

    def __init__(self) -> None:
        self._stage = ''
        self._bar: Any = None

    def __enter__(self) -> ProgressBars:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def show(self, progress: Progress) -> None:
        """Move the bar of a stage; a validation is a line of its own."""
        from tqdm import tqdm

        if not is_first_process():
            return
        if progress.stage.endswith('validation') and 'abs_rel' in progress.facts:
            facts = progress.facts
            tqdm.write(
                f'step {progress.done}: abs_rel {facts["abs_rel"]:.3f}, rmse {facts["rmse"]:.2f} '
                f'm, delta1 {facts["delta1"]:.3f}'
            )
            return
        if progress.stage != self._stage or progress.done < self._bar.n:
            self._close()
            self._stage = progress.stage
            unit = 'step' if 'train' in progress.stage else 'frame'
            self._bar = tqdm(
                desc=progress.stage, total=progress.total, unit=unit, disable=None
            )
        self._bar.update(progress.done - self._bar.n)
        if progress.facts:
            self._bar.set_postfix({name: f'{value:.4g}' for name, value in progress.facts.items()})

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        self._stage, self._bar = '', None
