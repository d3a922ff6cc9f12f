# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What a process needs before ROS starts; imports nothing of it.

The Fast DDS profile that lets big messages through between processes, memory that is kept from one
message to the next, threads that leave their cores to others while they wait, and what to say
where ROS 2 is not installed.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
import contextlib
import ctypes
import gc
import os
from pathlib import Path
import sys
from typing import Final, NoReturn

from clip_depth_ros.errors import MissingDependencyError
from clip_depth_ros.settings.installation import shared_file

PROFILE_VARIABLES: Final = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE')
"""Fast DDS 2 reads the first, Fast DDS 3 the second."""

FAST_DDS_2_DISTROS: Final = ('humble', 'iron', 'jazzy')
"""Values of ``ROS_DISTRO`` that come with Fast DDS 2."""

_MALLOC_LIMITS: Final = {-3: 32 << 20, -1: 64 << 20}
"""
Values of M_MMAP_THRESHOLD, the size from which blocks come from the kernel one by one (no more is
allowed), and M_TRIM_THRESHOLD, how much is kept at the end of the heap; bytes.
"""

_WAIT_VARIABLES: Final = ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT', 'KMP_BLOCKTIME')
"""What OpenMP's libraries, GNU's and Intel's, read of how threads wait for each other."""

_ROS_MODULES: Final = frozenset({
    'builtin_interfaces', 'diagnostic_msgs', 'rcl_interfaces', 'rclpy', 'rosgraph_msgs',
    'sensor_msgs', 'std_msgs',
})
"""Top-level modules that come with ROS 2 and with nothing else."""


def use_shipped_dds_profile(environ: MutableMapping[str, str] = os.environ) -> Path | None:
    """
    Make Fast DDS use ``config/fastdds.xml``, unless the user has chosen a profile.

    Call it before ``rclpy.init``, or with the environment of a process to be started, which is
    changed in place. Other middlewares do not look at it.

    Returns
    -------
    Path or None
        The profile now in force, or None if the user's choice was left alone.

    Raises
    ------
    MissingDependencyError
        If the file is not where the package is installed.

    """
    if any(environ.get(name) for name in PROFILE_VARIABLES):
        return None
    profile = shared_file('config', 'fastdds.xml')
    is_fast_dds_2 = environ.get('ROS_DISTRO') in FAST_DDS_2_DISTROS
    # Later releases warn in every process about the old name.
    for name in PROFILE_VARIABLES if is_fast_dds_2 else PROFILE_VARIABLES[1:]:
        environ[name] = str(profile)
    return profile


def keep_freed_memory() -> None:
    """
    Make glibc keep what is freed, up to 64 MB, for the next message; elsewhere do nothing.

    By default it gives the blocks of a cloud, 7.5 MB and several copies of it, back to the kernel
    after each message and takes new ones for the next, and to clear and map these anew, page by
    page, took more time than all else that a node does beside its model.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        for option, limit in _MALLOC_LIMITS.items():
            mallopt(option, limit)


def let_threads_sleep(environ: MutableMapping[str, str] = os.environ) -> None:
    """
    Make PyTorch's threads sleep while they wait for each other, unless the user has chosen.

    Call it before PyTorch is loaded. By default they spin: on two cores of which another process
    wants one, an image took 1.5 times as long and twice the processor time, and free cores gained
    nothing by it (docs/performance.md). A robot's cores are seldom free.
    """
    if not any(environ.get(name) for name in _WAIT_VARIABLES):
        environ['OMP_WAIT_POLICY'] = 'PASSIVE'


def end_process(code: int) -> NoReturn:
    """
    End this process with an exit code, at once.

    The interpreter's own end takes seconds with PyTorch in it, and pulls the ground from under an
    abandoned thread that is in native code, such as a network on its way: it may crash.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
            stream.flush()
    gc.collect()  # what rclpy still has: shared memory of DDS would outlive this process
    os._exit(code)


@contextlib.contextmanager
def needing_ros() -> Iterator[None]:
    """Say in a MissingDependencyError what to do when a module of ROS 2 is not there."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or '').partition('.')[0] not in _ROS_MODULES:
            raise
        raise MissingDependencyError(
            f'this needs ROS 2 and {error.name!r} is not installed: source your distro '
            "(source /opt/ros/<distro>/setup.bash), or pip install 'clip_depth_ros[ros]'"
        ) from error
