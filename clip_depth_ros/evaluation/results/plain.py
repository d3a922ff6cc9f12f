# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Values as JSON can have them: NaN and infinity are null, all other numbers read back as such."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
import math
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """Give mappings, sequences and numbers, also numpy's, as JSON can have them."""
    if isinstance(value, (float, np.floating)):
        number = float(value)
        return number if math.isfinite(number) else None
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, (Sequence, array)) and not isinstance(value, str):
        return [plain(each) for each in value]
    return value


def float_or_nan(value: float | None) -> float:
    """Give back the number that :func:`plain` made null, as NaN."""
    return math.nan if value is None else float(value)
