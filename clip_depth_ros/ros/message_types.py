# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Message classes by the names that recordings use."""

from __future__ import annotations

from collections.abc import Mapping
import importlib
import re
from typing import Any

_MSGTYPE = re.compile(r'([a-z][a-z0-9_]*)/msg/([A-Za-z][A-Za-z0-9_]*)')


def message_class(msgtype: str) -> Any | None:
    """
    Give the class of ``sensor_msgs/msg/Image``, None where its package is not installed.

    The name comes from a recording: only what looks like a message type is imported, and only
    what is one is given.
    """
    match = _MSGTYPE.fullmatch(msgtype)
    if match is None:
        return None
    try:
        module = importlib.import_module(f'{match[1]}.msg')
    except ImportError:
        return None
    found = getattr(module, match[2], None)
    return found if hasattr(found, 'get_fields_and_field_types') else None


def installed_types(topics: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """
    Sort topics into those with an installed message type and those without.

    Parameters
    ----------
    topics : mapping of str to str
        Type by topic.

    Returns
    -------
    classes : dict
        Message class by topic.
    left_out : dict
        Type by topic where it is not installed (``tf2_msgs`` is not on PyPI).

    """
    classes = {topic: message_class(msgtype) for topic, msgtype in topics.items()}
    return (
        {topic: found for topic, found in classes.items() if found is not None},
        {topic: topics[topic] for topic, found in classes.items() if found is None},
    )
