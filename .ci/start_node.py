# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Starts depth_node from an install space, interrupts it, and looks that all was well."""

from __future__ import annotations

import os
from pathlib import Path
import signal
import subprocess
import sys
import threading
import time

PACKAGE = 'clip_depth_ros'
READY_S = 60.0
END_S = 20.0


def main(prefix: Path) -> None:
    """Check an install space, such as ``install/clip_depth_ros``; raises if something is wrong."""
    from ament_index_python.packages import get_package_share_directory

    check(Path(get_package_share_directory(PACKAGE)), prefix, 'ament index')
    imported = (
        'import clip_depth_ros, clip_depth_ros.settings.installation as p; '
        'print(p.__file__, p.share_dir())'
    )
    command = [sys.executable, '-c', imported]
    files = subprocess.run(command, cwd='/', capture_output=True, text=True, check=True).stdout
    for file in files.split():
        check(Path(file), prefix, 'import')
    start_and_interrupt(prefix / 'lib' / PACKAGE / 'depth_node')


def check(path: Path, prefix: Path, what: str) -> None:
    """Refuse a path that is not in the install space."""
    if not path.resolve().is_relative_to(prefix.resolve()):
        raise SystemExit(f'{what} leads to {path}, not into {prefix}')
    print(f'{what}: {path}')


def start_and_interrupt(executable: Path) -> None:
    """Start the node, wait until it can be seen on the ROS graph, and end it with Ctrl-C."""
    command = [str(executable), '--ros-args', '-p', 'autostart:=false']
    with subprocess.Popen(command, cwd='/') as node:
        guard = threading.Timer(READY_S + END_S, node.kill)
        guard.start()
        try:
            wait_for_node(node, '/depth_node')
            node.send_signal(signal.SIGINT)
            node.wait(END_S)
        finally:
            guard.cancel()
            node.kill()
    if node.returncode != 0:
        raise SystemExit(f'{executable} ended with {node.returncode} after Ctrl-C')
    print(f'{executable} started, was seen on the ROS graph, and ended with 0 after Ctrl-C')


def wait_for_node(process: subprocess.Popen[bytes], name: str) -> None:
    """Wait until a node is on the ROS graph."""
    import rclpy

    rclpy.init()
    try:
        observer = rclpy.create_node('observer')
        end_s = time.monotonic() + READY_S
        while name not in (f'{ns.rstrip("/")}/{node}' for node, ns in names(observer)):
            if process.poll() is not None:
                raise SystemExit(f'{name} ended with {process.returncode} before it was ready')
            if time.monotonic() > end_s:
                raise SystemExit(f'{name} was not seen within {READY_S:.0f} s')
            time.sleep(0.1)
    finally:
        rclpy.shutdown()


def names(observer: object) -> list[tuple[str, str]]:
    """Return name and namespace of all nodes that can be seen."""
    return observer.get_node_names_and_namespaces()


if __name__ == '__main__':
    # A domain of its own: other nodes on this machine do not matter.
    os.environ.setdefault('ROS_DOMAIN_ID', str(1 + os.getpid() % 100))
    main(Path(sys.argv[1]))
