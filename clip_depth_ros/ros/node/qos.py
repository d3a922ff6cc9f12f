# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What users may override of the quality of service of a topic, and how it is called."""

from __future__ import annotations

from typing import Any

from rclpy.qos import qos_policy_name_from_kind, QoSPolicyKind
from rclpy.qos_overriding_options import QoSOverridingOptions


def qos_overrides() -> QoSOverridingOptions:
    """Give the usual policies (history, depth, reliability) and durability."""
    return QoSOverridingOptions(
        policy_kinds=[
            QoSPolicyKind.HISTORY,
            QoSPolicyKind.DEPTH,
            QoSPolicyKind.RELIABILITY,
            QoSPolicyKind.DURABILITY,
        ]
    )


def policy_name(event: Any) -> str:
    """Give the name, as parameters spell it, of the policy that an event complains about."""
    return str(qos_policy_name_from_kind(event.last_policy_kind)).lower()
