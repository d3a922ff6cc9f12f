# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the message types of a bag look like, and how its messages become ROS 2's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
import functools
from typing import Final

from clip_depth_ros.bags.bounds import unpacked_zstd
from clip_depth_ros.errors import RecordingError
from rosbags.convert.converter import (
    is_same_wireformat,
    migrate_bytes,
    STATIC_MSGTYPE_RENAMES,
)
from rosbags.interfaces import (
    Connection,
    MessageDefinition,
    MessageDefinitionFormat,
    Nodetype,
)
from rosbags.interfaces.typing import Typesdict
from rosbags.typesys import get_types_from_idl, get_types_from_msg, get_typestore, Stores
from rosbags.typesys.store import Typestore

ToCdr = Callable[[bytes], bytes]

IMAGE_TYPE: Final = 'sensor_msgs/msg/Image'
COMPRESSED_IMAGE_TYPE: Final = 'sensor_msgs/msg/CompressedImage'
CAMERA_INFO_TYPE: Final = 'sensor_msgs/msg/CameraInfo'
CLOUD_TYPE: Final = 'sensor_msgs/msg/PointCloud2'
TRANSFORMS_TYPE: Final = 'tf2_msgs/msg/TFMessage'
DISPARITY_TYPE: Final = 'stereo_msgs/msg/DisparityImage'

_HEADER = 'std_msgs/msg/Header'
_IDL_SEPARATOR = '=' * 80 + '\nIDL: '
_NEVER_CHANGED = frozenset({
    IMAGE_TYPE, COMPRESSED_IMAGE_TYPE, CAMERA_INFO_TYPE, CLOUD_TYPE, TRANSFORMS_TYPE,
})
"""The same in all distributions of ROS 2, so a definition that differs can only be damaged."""

_MOST_ELEMENTS: Final = 1000

_ZSTD_MAGIC = b'\x28\xb5\x2f\xfd'


@functools.cache
def ros2_types() -> Typestore:
    """Return the standard ROS 2 types; those used here are the same from Humble to Kilted."""
    return get_typestore(Stores.ROS2_JAZZY)


def normalized_msgtype(name: str) -> str:
    """
    Return a type's full ROS 2 name: ``sensor_msgs/Image`` becomes ``sensor_msgs/msg/Image``.

    ROS 1 names types so, and so do some MCAP writers. ``tf/tfMessage`` becomes its successor.
    """
    parts = name.split('/')
    full = f'{parts[0]}/msg/{parts[1]}' if len(parts) == 2 else name
    return STATIC_MSGTYPE_RENAMES.get(full, full)


class BagTypes:
    """
    The types of one bag: from its own definitions, else ROS 2's standard ones.

    Each type is looked up when a message of it is first needed, so a definition that cannot be
    understood does no harm to other types. Messages are in ROS 1's wire format if ``is_ros1``.
    """

    def __init__(self, connections: Iterable[Connection], *, is_ros1: bool) -> None:
        self._is_ros1 = is_ros1
        self._definitions: dict[str, tuple[str, MessageDefinition]] = {}
        for connection in connections:
            if connection.msgdef.format != MessageDefinitionFormat.NONE:
                name = normalized_msgtype(connection.msgtype)
                self._definitions[name] = (connection.msgtype, connection.msgdef)
        self._stores: dict[str, Typestore] = {}
        self._converters: dict[str, ToCdr] = {}

    def to_cdr(self, raw: bytes, msgtype: str) -> bytes:
        """Return a message in ROS 2's wire format; ``raw`` is ROS 1's, CDR, or CDR within zstd."""
        if not self._is_ros1:
            # CDR starts with 0x00, so the magic number cannot be mistaken. Bare files do not say
            # in a readable place that each message is compressed.
            return unpacked_zstd(raw) if raw[:4] == _ZSTD_MAGIC else raw
        if msgtype not in self._converters:
            self._converters[msgtype] = self._converter(msgtype)
        return self._converters[msgtype](raw)

    def decode(self, cdr: bytes, msgtype: str) -> object:
        """Return a message in ROS 2's wire format as an object with ROS 2's field names."""
        if msgtype not in self._stores:
            self._stores[msgtype] = self._ros2_store(msgtype)
        return self._stores[msgtype].deserialize_cdr(cdr, msgtype)

    def _ros2_store(self, msgtype: str) -> Typestore:
        is_standard = msgtype in ros2_types().fielddefs
        is_defined = msgtype in self._definitions
        if not (is_defined or is_standard):
            raise RecordingError(
                f'the bag does not say what {msgtype!r} looks like and it is no standard type: '
                'record it with a tool that embeds message definitions (MCAP does)'
            )
        if not is_defined or (self._is_ros1 and is_standard) or msgtype in _NEVER_CHANGED:
            return ros2_types()
        store = self._embedded_store(msgtype)
        if self._is_ros1:
            return _with_ros2_header(store)
        return ros2_types() if _is_standard(store) else store

    def _embedded_store(self, msgtype: str) -> Typestore:
        """Return the types of one embedded definition, which includes all that it refers to."""
        recorded_name, definition = self._definitions[msgtype]
        store = get_typestore(Stores.EMPTY)
        if definition.format == MessageDefinitionFormat.MSG:
            store.register(_checked(get_types_from_msg(definition.data, recorded_name)))
            return store
        for text in definition.data.removeprefix(_IDL_SEPARATOR).split(_IDL_SEPARATOR):
            # Behind the separator stands the type's name, alone on its line.
            idl = text.split('\n', 1)[1] if definition.data.startswith(_IDL_SEPARATOR) else text
            store.register(_checked(get_types_from_idl(idl)))
        return store

    def _converter(self, msgtype: str) -> ToCdr:
        """Return the conversion of a type's ROS 1 bytes into ROS 2's, whose fields may differ."""
        source, target = self._embedded_store(msgtype), self._ros2_store(msgtype)
        source_type, _ = self._definitions[msgtype]
        if is_same_wireformat(source, target, source_type, msgtype):
            return lambda raw: bytes(target.ros1_to_cdr(raw, msgtype))
        defaults: dict[str, object] = {}
        return lambda raw: bytes(
            migrate_bytes(
                source, target, source_type, msgtype, defaults, raw, src_is2=False, dst_is2=True
            )
        )


def _checked(types: Typesdict) -> Typesdict:
    """Refuse long arrays of what is no number: rosbags writes lines of code for each element."""
    for name, (_, fields) in types.items():
        for field, description in fields:
            if description[0] != Nodetype.ARRAY:
                continue
            element, length = description[1]
            is_number = element[0] == Nodetype.BASE and 'string' not in element[1][0]
            if length > _MOST_ELEMENTS and not is_number:
                raise RecordingError(
                    f'{name!r} has an array {field!r} of {length} elements that are no numbers, '
                    f'up to {_MOST_ELEMENTS} can be read: leave its topics out'
                )
    return types


def _is_standard(store: Typestore) -> bool:
    """Return whether all types are as in ROS 2, so that its classes can be used."""
    standard = ros2_types().fielddefs
    return all(
        name in standard and list(fields) == list(standard[name][1])
        for name, (_, fields) in store.fielddefs.items()
    )


def _with_ros2_header(store: Typestore) -> Typestore:
    """Return the same types with ROS 2's header, which has no sequence number."""
    changed = get_typestore(Stores.EMPTY)
    changed.register({**store.fielddefs, _HEADER: ros2_types().fielddefs[_HEADER]})
    return changed
