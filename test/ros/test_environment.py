# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The Fast DDS profile, memory and threads: that they work; what is said without ROS."""

from __future__ import annotations

from importlib.util import find_spec
import os
from pathlib import Path
import platform
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

from clip_depth_ros.ros.environment import (
    let_threads_sleep,
    PROFILE_VARIABLES,
    use_shipped_dds_profile,
)
import pytest
from source_tree import ROOT

PROFILE = ROOT / 'config' / 'fastdds.xml'
OLD, NEW = PROFILE_VARIABLES
N_MESSAGES = 10

TALKER = """
import time
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image, PointCloud2

rclpy.init()
node = rclpy.create_node('talker')
best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
images = node.create_publisher(Image, 'image', best_effort)
clouds = node.create_publisher(PointCloud2, 'cloud', 1)
image, cloud = Image(), PointCloud2()
image.data.frombytes(bytes(1242 * 375 * 3))
cloud.data.frombytes(bytes(1242 * 375 * 16))
end_s = time.monotonic() + 20
while not (images.get_subscription_count() and clouds.get_subscription_count()):
    assert time.monotonic() < end_s, 'nobody listens'
    time.sleep(0.02)
time.sleep(0.2)  # the listener may need a moment longer to know of us
for number in range({n_messages}):
    image.width = cloud.width = number
    images.publish(image)
    clouds.publish(cloud)
    time.sleep(0.1)
time.sleep(0.5)  # the last ones are still on their way
rclpy.shutdown()
"""

COUNT_FAULTS = """
import resource
from clip_depth_ros.ros.environment import keep_freed_memory

{call}
for round in range(30):
    if round == 10:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    clouds = [b'x' * 7_452_000 for _ in range(4)]
    del clouds
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

HIDE_ROS = (
    'import sys, importlib.abc\n'
    'class Hidden(importlib.abc.MetaPathFinder):\n'
    '    def find_spec(self, name, path=None, target=None):\n'
    '        if name.partition(".")[0] in {"rclpy", "sensor_msgs", "diagnostic_msgs"}:\n'
    '            raise ModuleNotFoundError(f"No module named {name!r}", name=name)\n'
    'sys.meta_path.insert(0, Hidden())\n'
)


def test_both_names_are_set_for_fast_dds_2():
    environ = {'ROS_DISTRO': 'humble'}
    assert use_shipped_dds_profile(environ) == PROFILE
    assert environ == {'ROS_DISTRO': 'humble', OLD: str(PROFILE), NEW: str(PROFILE)}


@pytest.mark.parametrize('before', [{}, {'ROS_DISTRO': 'kilted'}])
def test_only_the_new_name_is_set_for_fast_dds_3(before: dict[str, str]):
    """Fast DDS 3 warns in each process that the old name is deprecated."""
    environ = dict(before)
    assert use_shipped_dds_profile(environ) == PROFILE
    assert environ == {**before, NEW: str(PROFILE)}


@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='it is for glibc')
def test_memory_that_is_kept_is_not_mapped_anew_for_each_message():
    """Pages that the kernel has to map: four copies of a cloud have 7276 of 4 kB."""
    def n_faults(call: str) -> int:
        program = COUNT_FAULTS.format(call=call)
        return int(subprocess.run(
            [sys.executable, '-c', program], check=True, capture_output=True, text=True
        ).stdout)

    assert n_faults('keep_freed_memory()') * 50 < n_faults('')


@pytest.mark.parametrize(('before', 'after'), [
    ({}, {'OMP_WAIT_POLICY': 'PASSIVE'}),
    ({'OMP_WAIT_POLICY': 'ACTIVE'}, {'OMP_WAIT_POLICY': 'ACTIVE'}),
    ({'GOMP_SPINCOUNT': '100'}, {'GOMP_SPINCOUNT': '100'}),
    ({'KMP_BLOCKTIME': '1'}, {'KMP_BLOCKTIME': '1'}),
])
def test_threads_sleep_while_they_wait_unless_the_user_says_otherwise(before, after):
    environ = dict(before)
    let_threads_sleep(environ)
    assert environ == after


def test_pytorchs_threads_read_that_when_it_is_loaded():
    folder = Path(find_spec('torch').submodule_search_locations[0])
    libraries = [*folder.glob('lib/libgomp*'), *folder.parent.glob('torch.libs/libgomp*')]
    if not libraries:
        pytest.skip('this PyTorch has no libgomp of its own')
    code = (
        'import ctypes\n'
        'from clip_depth_ros.ros.environment import let_threads_sleep\n'
        f'let_threads_sleep()\nctypes.CDLL({str(libraries[0])!r})'
    )
    environ = {name: value for name, value in os.environ.items() if 'OMP_' not in name}
    done = subprocess.run(
        [sys.executable, '-c', code], env={**environ, 'OMP_DISPLAY_ENV': 'true'},
        stderr=subprocess.PIPE, text=True, check=True,
    )
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in done.stderr


@pytest.mark.parametrize('name', PROFILE_VARIABLES)
def test_the_users_profile_is_left_alone(name: str):
    environ = {name: '/my/profile.xml'}
    assert use_shipped_dds_profile(environ) is None
    assert environ == {name: '/my/profile.xml'}


def test_calling_it_twice_changes_nothing():
    environ: dict[str, str] = {}
    use_shipped_dds_profile(environ)
    before = dict(environ)
    use_shipped_dds_profile(environ)
    assert environ == before


def test_profile_has_room_for_big_messages_and_reaches_other_machines():
    tree = ElementTree.parse(PROFILE).getroot()
    dds = {'d': 'http://www.eprosima.com'}
    transports = {
        transport.findtext('d:type', namespaces=dds): transport
        for transport in tree.iterfind('.//d:transport_descriptor', dds)
    }
    assert transports.keys() == {'SHM', 'UDPv4'}
    assert transports['SHM'].findtext('d:segment_size', namespaces=dds) == str(64 * 2**20)
    assert transports['SHM'].findtext('d:maxMessageSize', namespaces=dds) == str(16 * 2**20)
    participant = tree.find('.//d:participant', dds)
    assert participant is not None
    assert participant.get('is_default_profile') == 'true'
    assert participant.findtext('.//d:useBuiltinTransports', namespaces=dds) == 'false'
    used = [element.text for element in participant.iterfind('.//d:transport_id', dds)]
    defined = [t.findtext('d:transport_id', namespaces=dds) for t in transports.values()]
    assert used == defined


@pytest.mark.ros
def test_images_and_clouds_of_kitti_size_arrive_from_another_process(
    ros_domain: int, monkeypatch: pytest.MonkeyPatch
):
    """1.4 MB best effort and 7.5 MB reliable; without the profile most images are lost."""
    import rclpy
    from rclpy.context import Context
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.qos import QoSProfile, ReliabilityPolicy
    from sensor_msgs.msg import Image, PointCloud2

    for name in PROFILE_VARIABLES:
        monkeypatch.setenv(name, '')
    use_shipped_dds_profile()
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node('listener', context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    received: dict[str, list[int]] = {'image': [], 'cloud': []}
    qos = QoSProfile(depth=N_MESSAGES, reliability=ReliabilityPolicy.BEST_EFFORT)
    node.create_subscription(
        Image, 'image', lambda message: received['image'].append(message.width), qos
    )
    node.create_subscription(
        PointCloud2, 'cloud', lambda message: received['cloud'].append(message.width), N_MESSAGES
    )
    code = TALKER.format(n_messages=N_MESSAGES)
    try:
        with subprocess.Popen([sys.executable, '-c', code]) as talker:
            end_s = time.monotonic() + 40
            while talker.poll() is None:
                assert time.monotonic() < end_s, 'timed out'
                executor.spin_once(timeout_sec=0.1)
        assert talker.returncode == 0
        assert received == {'image': [*range(N_MESSAGES)], 'cloud': [*range(N_MESSAGES)]}
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown(context=context)


def run_without_ros(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, '-c', HIDE_ROS + code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize('code', [
    'from clip_depth_ros.ros.depth_node import main; sys.exit(main())',
    'from clip_depth_ros.cli.main import main; sys.exit(main(["demo", "--bag", "x.mcap"]))',
])
def test_what_to_install_is_said(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run_without_ros(code)
    assert done.returncode == 1
    assert 'this needs ROS 2' in done.stderr
    assert "pip install 'clip_depth_ros[ros]'" in done.stderr
    assert 'Traceback' not in done.stderr


def test_another_missing_module_keeps_its_traceback():
    """It is a broken installation, not a missing ROS."""
    code = (
        'import clip_depth_ros.cli.bag as bag\n'
        'def broken(args): import no_such_module\n'
        'bag.run = broken\n'
        'from clip_depth_ros.cli.main import main; sys.exit(main(["bag", "info", "x"]))'
    )
    done = run_without_ros(code)
    assert done.returncode == 1
    assert 'Traceback' in done.stderr
    assert 'no_such_module' in done.stderr
