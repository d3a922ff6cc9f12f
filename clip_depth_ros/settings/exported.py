# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an exported model says of itself, and the settings that it decides."""

from __future__ import annotations

from collections.abc import Mapping
import json
from pathlib import Path
from typing import Any, Final

from clip_depth_ros.errors import WeightsError
from clip_depth_ros.settings.paths import user_path

CARD: Final = 'model.json'
FORMAT: Final = 'clip_depth_ros exported model'
VERSION: Final = 1

_MOST_BYTES: Final = 16 << 20
_DECIDES: Final = ('method', 'backbone', 'pretrained')


def read_card(folder: Path) -> dict[str, Any]:
    """Return the card of an exported model; WeightsError if the folder has none that is usable."""
    path = folder / CARD
    try:
        with path.open('rb') as file:
            said = json.loads(file.read(_MOST_BYTES))
    except OSError as error:
        raise WeightsError(
            f'{str(folder)!r} is not an exported model, cannot read {CARD}: {error.strerror}; '
            'name a folder that clip-depth export has written'
        ) from error
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict) or said.get('format') != FORMAT:
        raise WeightsError(f'{str(path)!r} does not describe an exported model: export it again')
    if said.get('version') != VERSION:
        raise WeightsError(
            f'{str(path)!r} is of another version of this package: export the model again'
        )
    return said


def decided_by_export(folder: str) -> Mapping[str, Any]:
    """Return the settings that an exported model decides, whatever else was asked for."""
    card = read_card(user_path(folder))
    own = card.get('settings')
    values = {name: str(own.get(name)) for name in _DECIDES} if isinstance(own, dict) else {}
    return {**values, 'clip_weights': '', 'clip2depth_weights': ''}
