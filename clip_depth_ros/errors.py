# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The exceptions of this package, one tree.

::

    ClipDepthError
    ├── ConfigError (ValueError)        a setting is unknown, of the wrong type or out of its range
    │   └── SettingsFileError           the same in a file of settings or a protocol by itself
    ├── DataError (ValueError)          what came in does not fit its own description
    │   ├── ImageError                  pixels: truncated, wrong step, unknown encoding, zero size
    │   ├── CalibrationError            intrinsics or extrinsics: NaN, zero, of another size
    │   └── RecordingError              a bag or data folder that cannot be read
    │       └── TopicError (LookupError)  a topic, or a frame of a folder, that is not there
    ├── WeightsError                    weights that are missing, damaged or of another model
    ├── DeviceError                     a device or precision this machine does not have
    ├── TrainingError                   training cannot go on: its loss is no number any more
    ├── OutputError (OSError)           a result that cannot be written, or must not be overwritten
    └── MissingDependencyError (ImportError)  an optional package is needed and not installed

Each message says what was wanted, what came and what to do, and which name is near one that is not
known (:func:`did_you_mean`). Settings are called what parameters and files call them, one of a
single word with its value, at the beginning or between backquotes, so that the command line can
name its flags instead. Only ``main`` functions and ROS callbacks catch
:class:`ClipDepthError` broadly.
"""

from __future__ import annotations

from collections.abc import Iterable
import difflib


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return what to add to the message about a name that is not known; empty if none is near."""
    by_lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return f'; did you mean {by_lower[near[0]]!r}?' if near else ''


class ClipDepthError(Exception):
    """Base of every error that this package raises on purpose."""


class ConfigError(ClipDepthError, ValueError):
    """A setting is unknown, of the wrong type or out of its range."""


class SettingsFileError(ConfigError):
    """
    A file of settings, or a protocol, is wrong by itself, whatever flags are beside it.

    It names settings as they are written there, on the command line, too.
    """


class DataError(ClipDepthError, ValueError):
    """What came in does not fit its own description."""


class ImageError(DataError):
    """Pixels cannot be read: truncated, wrong step, unknown encoding, zero size."""


class CalibrationError(DataError):
    """Intrinsics or extrinsics that cannot be right."""


class RecordingError(DataError):
    """A bag or data folder that cannot be read."""


class TopicError(RecordingError, LookupError):
    """A topic of a bag, or a frame of a folder, that is not there."""


class WeightsError(ClipDepthError):
    """Weights that are missing, damaged or belong to another model."""


class DeviceError(ClipDepthError):
    """A device or precision that this machine does not have."""


class TrainingError(ClipDepthError):
    """Training cannot go on: its loss or its gradients are no numbers any more."""


class OutputError(ClipDepthError, OSError):
    """A result that cannot be written, or would overwrite something."""


class MissingDependencyError(ClipDepthError, ImportError):
    """An optional package is needed for this and is not installed."""
