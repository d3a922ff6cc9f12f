# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Shared fixtures: ROS domains, sample frames; skips with their reasons."""

from __future__ import annotations

import importlib.util
import itertools
import os
from pathlib import Path
import tempfile

import hypothesis
import pytest

SAMPLES = Path(__file__).resolve().parents[1].parent / 'shared' / 'data'

# A busy machine is no failure; the same examples each time, so that a run says something of the
# change under test. `--hypothesis-profile=default` searches at random.
hypothesis.settings.register_profile(
    'steady',
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile('steady')

# Domains 1 to 101 have ports below Linux' ephemeral range. Each test takes the next one, starting
# from a place of this process's own, so that runs side by side seldom meet.
_domains = itertools.cycle(range(1, 102))
for _ in range(os.getpid() * 13 % 101):
    next(_domains)

# Tests talk to this machine only, and leave no logs in the home folder.
os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
os.environ.setdefault('ROS_LOG_DIR', tempfile.mkdtemp(prefix='clip_depth_test_logs_'))

# The same arithmetic on every machine: `precision: auto` would be bf16 where the cpu has it.
os.environ.setdefault('ONEDNN_MAX_CPU_ISA', 'AVX2')

# Of tests that run side by side none takes all cores: it would make the others late.
if 'PYTEST_XDIST_WORKER' in os.environ:
    os.environ.setdefault('OMP_NUM_THREADS', '1')

NO_ROS = 'rclpy is not installed (pip install .[ros])'

if importlib.util.find_spec('rclpy'):
    # Fast DDS reads its profile once in a process, with the first participant.
    from clip_depth_ros.ros.environment import use_shipped_dds_profile

    use_shipped_dds_profile()


class ModuleThatNeedsRos(pytest.Module):
    """A test module that is not even imported: its first lines need rclpy."""

    def collect(self) -> list[pytest.Item]:
        """Skip, with the reason."""
        pytest.skip(NO_ROS, allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> object:
    """Skip modules that are wholly about ROS where there is none."""
    is_all_ros = 'pytestmark = pytest.mark.ros\n' in module_path.read_text(encoding='utf-8')
    if is_all_ros and not _has('rclpy'):
        return ModuleThatNeedsRos.from_parent(parent, path=module_path)
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with the reason, what this machine cannot run."""
    missing = {
        'ros': None if _has('rclpy') else NO_ROS,
        'distro': None if _has('launch_ros') else 'launch_ros comes with a ROS 2 distro only',
        'samples': None if SAMPLES.is_dir() else f'no sample frames at {SAMPLES}',
        'gpu': None if _has_gpu() else 'no CUDA device',
    }
    for item in items:
        for marker, reason in missing.items():
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


def new_ros_domain() -> int:
    """Return a ROS domain that no other test of this run has."""
    return next(_domains)


@pytest.fixture
def ros_domain(monkeypatch: pytest.MonkeyPatch) -> int:
    """Give a ROS domain of the test's own, also to the processes that it starts."""
    domain = new_ros_domain()
    monkeypatch.setenv('ROS_DOMAIN_ID', str(domain))
    return domain


@pytest.fixture
def samples() -> Path:
    """Give the folder of real sample frames."""
    return SAMPLES


def _has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _has_gpu() -> bool:
    if not _has('torch'):
        return False
    import torch

    return torch.cuda.is_available()
