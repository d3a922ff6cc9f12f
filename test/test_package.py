# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The packaging files agree with each other and with what the code imports."""

from __future__ import annotations

import ast
import configparser
import importlib.metadata
import json
from pathlib import Path
import re
import subprocess
import sys
from typing import NamedTuple
import xml.etree.ElementTree as ElementTree

from clip_depth_ros import __version__
from clip_depth_ros.errors import MissingDependencyError
from clip_depth_ros.settings import installation
import pytest
from source_tree import imports_of, PACKAGE, PACKAGE_DIR, python_files, ROOT

MANIFEST_TEXT = (ROOT / 'package.xml').read_text(encoding='utf-8')
MANIFEST = ElementTree.fromstring(MANIFEST_TEXT)
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / 'setup.cfg', encoding='utf-8')


class Requirement(NamedTuple):
    """One foreign module: how pip and rosdep call what brings it."""

    pip: str
    rosdep: str = ''


PIP = {
    'apsw': Requirement('apsw'),
    'backports.zstd': Requirement('backports.zstd'),
    'cv2': Requirement('opencv-python-headless', 'python3-opencv'),
    'h5py': Requirement('h5py', 'python3-h5py'),
    'huggingface_hub': Requirement('huggingface_hub'),
    'jinja2': Requirement('Jinja2', 'python3-jinja2'),
    'lz4': Requirement('lz4'),
    'matplotlib': Requirement('matplotlib', 'python3-matplotlib'),
    'numpy': Requirement('numpy', 'python3-numpy'),
    'open_clip': Requirement('open_clip_torch'),
    'PIL': Requirement('pillow', 'python3-pil'),
    'pydantic': Requirement('pydantic'),
    'rosbags': Requirement('rosbags'),
    'safetensors': Requirement('safetensors'),
    'scipy': Requirement('scipy', 'python3-scipy'),
    'torch': Requirement('torch'),
    'tqdm': Requirement('tqdm', 'python3-tqdm'),
    'yaml': Requirement('PyYAML', 'python3-yaml'),
}
ROS = {
    'builtin_interfaces': Requirement('ros-builtin-interfaces', 'builtin_interfaces'),
    'diagnostic_msgs': Requirement('ros-diagnostic-msgs', 'diagnostic_msgs'),
    'geometry_msgs': Requirement('ros-geometry-msgs', 'geometry_msgs'),
    'lifecycle_msgs': Requirement('ros-lifecycle-msgs', 'lifecycle_msgs'),
    'rcl_interfaces': Requirement('ros-rcl-interfaces', 'rcl_interfaces'),
    'rclpy': Requirement('ros-rclpy', 'rclpy'),
    'rosgraph_msgs': Requirement('ros-rosgraph-msgs', 'rosgraph_msgs'),
    'sensor_msgs': Requirement('ros-sensor-msgs', 'sensor_msgs'),
    'std_msgs': Requirement('ros-std-msgs', 'std_msgs'),
}
EXTRAS = {'onnxruntime', 'onnxscript', 'openvino', 'tokenizers'}
"""For exported models: imported where they are needed, and an error says how to get them."""

READERS = {'OpenEXR'}
"""For depth maps of this kind alone; likewise."""

DISTRO_ONLY = {'ament_index_python', 'launch', 'launch_ros', 'sensor_msgs_py', 'tf2_ros'}
"""Not on PyPI, or used only if it is there."""

DISTRO_KEYS = DISTRO_ONLY - {'tf2_ros'} | {'tf2_ros_py'}
"""What rosdep calls these."""


NOT_FOREIGN = {*sys.stdlib_module_names, 'compression', PACKAGE}
"""``compression`` is in the standard library from Python 3.14."""


def foreign_modules() -> set[str]:
    """Return what the package imports from elsewhere, as the keys of the tables above."""
    imports = [imported for file in python_files(PACKAGE_DIR) for imported in imports_of(file)]
    named = {'.'.join(imported.module.split('.')[:2]) for imported in imports}
    foreign = {name if name in PIP else name.partition('.')[0] for name in named}
    return foreign - NOT_FOREIGN - EXTRAS - READERS


def requirements(section: str, option: str) -> set[str]:
    """Return the names of the distributions that an option of setup.cfg lists."""
    lines = SETUP[section][option].splitlines()
    return {re.split(r'[\[<>=!~ ;]', line)[0] for line in lines if line and line[0] != '#'}


def dependencies(tag: str) -> set[str]:
    """Return the rosdep keys of one kind of dependency."""
    return {element.text or '' for element in MANIFEST.iter(tag)}


def test_one_version():
    assert MANIFEST.findtext('version') == __version__
    assert SETUP['metadata']['version'] == f'attr: {PACKAGE}.__version__'
    assert importlib.metadata.version(PACKAGE) == __version__


def test_changelog_is_about_this_version():
    """REP 132: the newest section is Forthcoming until its release gives it a version."""
    text = (ROOT / 'CHANGELOG.rst').read_text(encoding='utf-8')
    titles = re.findall(r'^(Forthcoming|\d+\.\d+\.\d+ \(\d{4}-\d\d-\d\d\))\n-+$', text, re.M)
    assert len(titles) == len(re.findall(r'^-{3,}$', text, re.M)) > 0
    assert titles[0] == 'Forthcoming' or titles[0].split()[0] == __version__


def test_one_description_licence_and_maintainer():
    metadata = SETUP['metadata']
    maintainer = MANIFEST.find('maintainer')
    assert maintainer is not None
    assert metadata['name'] == MANIFEST.findtext('name') == PACKAGE
    assert metadata['description'] == MANIFEST.findtext('description')
    assert metadata['license'] == MANIFEST.findtext('license') == 'Apache-2.0'
    assert metadata['maintainer'] == maintainer.text
    assert metadata['maintainer_email'] == maintainer.get('email')
    assert 'Apache License' in (ROOT / 'LICENSE').read_text(encoding='utf-8')[:200]


def test_manifest_is_what_colcon_builds():
    assert MANIFEST.get('format') == '3'
    assert MANIFEST.findtext('export/build_type') == 'ament_python'
    assert (ROOT / 'resource' / PACKAGE).is_file()


def test_every_import_is_declared():
    """What pip installs and what rosdep installs are both what the code imports."""
    assert foreign_modules() <= PIP.keys() | ROS.keys() | DISTRO_ONLY


def test_what_exported_models_need_is_in_extras():
    extras = {name: requirements('options.extras_require', name) for name in (
        'export', 'onnxruntime', 'openvino', 'test',
    )}

    assert extras['onnxruntime'] | extras['openvino'] | extras['export'] == EXTRAS | {'onnx'}
    assert extras['test'] > EXTRAS


def test_what_rare_depth_maps_need_is_in_an_extra():
    assert requirements('options.extras_require', 'exr') == READERS
    assert requirements('options.extras_require', 'test') > READERS


def test_pip_installs_what_is_imported_and_nothing_else():
    imported = foreign_modules()
    wanted = {PIP[module].pip for module in imported & PIP.keys()}
    assert requirements('options', 'install_requires') == wanted


def test_the_ros_extra_installs_what_is_imported():
    """And the types that recordings often hold, so that a player can publish them."""
    wanted = {ROS[module].pip for module in foreign_modules() & ROS.keys()}
    played = {'ros-geometry-msgs', 'ros-rosgraph-msgs'}
    assert requirements('options.extras_require', 'ros') == wanted | played


def test_rosdep_installs_what_is_imported():
    declared = dependencies('exec_depend')
    imported = foreign_modules()
    requirement = {module: {**PIP, **ROS}[module] for module in imported - DISTRO_ONLY}
    assert {r.rosdep for r in requirement.values() if r.rosdep} | DISTRO_KEYS <= declared
    pip_only = [r.pip for r in requirement.values() if not r.rosdep]
    assert pip_only
    assert [name for name in pip_only if not re.search(rf'\b{name}\b', MANIFEST_TEXT)] == []


def test_rosdep_keys_in_the_manifest_are_used():
    imported = foreign_modules()
    known = {r.rosdep for module, r in {**PIP, **ROS}.items() if module in imported}
    by_name = {'geometry_msgs', 'rosgraph_msgs', 'rviz2', 'tf2_msgs'}
    assert dependencies('exec_depend') <= known | DISTRO_KEYS | by_name


def test_the_container_installs_what_rosdep_has_not():
    """By the same ranges as pip; what these bring along themselves is left to them."""
    text = (ROOT / 'docker' / 'Dockerfile').read_text(encoding='utf-8')
    stage = text.partition('AS dependencies\n')[2]
    found = re.search(r'pip install --no-cache-dir((?: *\\\n +\S+)+)', stage)
    assert found
    installed = {each.strip("'") for each in found[1].replace('\\', '').split()}
    ranges = {
        re.split(r'[<>=]', line)[0]: line
        for line in SETUP['options']['install_requires'].splitlines()
    }
    brought = {'apsw', 'backports.zstd', 'huggingface_hub', 'lz4'}
    pip_only = {
        PIP[module].pip for module in foreign_modules() & PIP.keys() if not PIP[module].rosdep
    }
    assert installed == {ranges[name] for name in pip_only - brought}


def test_launch_config_and_displays_are_installed():
    pytest.importorskip('setuptools')
    code = (
        'import json; from setuptools import Distribution; from distutils.core import run_setup; '
        'print(json.dumps(run_setup("setup.py", stop_after="init").data_files))'
    )
    process = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )
    installed = {place: set(files) for place, files in json.loads(process.stdout)}
    share = f'share/{PACKAGE}'
    assert installed.pop('share/ament_index/resource_index/packages') == {f'resource/{PACKAGE}'}
    assert installed.pop(share) == {'package.xml'}
    assert installed == {
        f'{share}/{folder}': {
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / folder).iterdir()
            if path.is_file()
        }
        for folder in ('launch', 'config', 'config/protocols', 'config/train', 'rviz')
    }


def test_every_script_is_a_function_of_the_package():
    scripts = dict(
        line.split(' = ')
        for line in SETUP['options.entry_points']['console_scripts'].split('\n')
        if line
    )
    assert scripts.keys() == {'clip-depth', 'depth_node'}
    for target in scripts.values():
        module, _, function = target.partition(':')
        file = ROOT / f'{module.replace(".", "/")}.py'
        functions = [
            node.name
            for node in ast.parse(file.read_text(encoding='utf-8')).body
            if isinstance(node, ast.FunctionDef)
        ]
        assert function in functions


def test_share_is_the_checkout_when_run_from_it():
    assert installation.share_dir() == ROOT
    assert installation.shared_file('config', 'fastdds.xml') == ROOT / 'config' / 'fastdds.xml'


def test_a_missing_shared_file_is_named():
    with pytest.raises(MissingDependencyError, match=r'config/nothing\.yaml is missing: install'):
        installation.shared_file('config', 'nothing.yaml')


def test_assets_travel_inside_the_package():
    assert installation.assets_dir() == PACKAGE_DIR / 'assets'


def test_every_data_file_of_the_package_is_installed():
    """A template that is only in the checkout would be missed by those who installed."""
    patterns = SETUP['options.package_data'][PACKAGE].split(',')
    installed = {path for pattern in patterns for path in PACKAGE_DIR.glob(pattern.strip())}
    there = {
        path for path in PACKAGE_DIR.rglob('*')
        if path.is_file() and path.suffix not in ('.py', '.pyc')
    }
    assert {path.suffix for path in there} >= {'.css', '.html', '.safetensors'}
    assert there == installed


def copied_package(folder: Path) -> Path:
    """Copy what installation.py needs to a place that is no checkout, as an installer does."""
    package = folder / PACKAGE
    (package / 'settings').mkdir(parents=True)
    for name in ('__init__.py', 'errors.py', 'settings/__init__.py', 'settings/installation.py'):
        (package / name).write_bytes((PACKAGE_DIR / name).read_bytes())
    return folder


def share_of(prefix: Path) -> Path:
    """Make a share folder as an installer does."""
    share = prefix / 'share' / PACKAGE
    (share / 'launch').mkdir(parents=True)
    (share / 'package.xml').write_text('<package/>')
    return share


def ask_share_dir(site: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Ask a copied package for its share folder, in a process that knows no other copy."""
    code = (
        f'import sys; sys.path.insert(0, {str(site)!r}); '
        'import clip_depth_ros.settings.installation as p; '
    )
    return subprocess.run(
        [sys.executable, '-c', f'{code} print(p.share_dir())'],
        cwd='/', capture_output=True, text=True, check=False,
        env={'HOME': '/', 'PATH': '/usr/bin', **environment},
    )


def test_share_is_found_where_pip_put_it(tmp_path: Path):
    site = copied_package(tmp_path / 'lib' / 'site-packages')
    share = share_of(tmp_path)
    metadata = site / f'{PACKAGE}-0.0.0.dist-info'
    metadata.mkdir()
    (metadata / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 0.0.0\n')
    (metadata / 'RECORD').write_text(f'../../share/{PACKAGE}/package.xml,,\n')
    assert ask_share_dir(site).stdout == f'{share}\n'


@pytest.mark.ros
def test_share_is_found_in_the_ament_index(tmp_path: Path):
    site = copied_package(tmp_path / 'site')
    prefix = tmp_path / 'install'
    share = share_of(prefix)
    index = prefix / 'share' / 'ament_index' / 'resource_index' / 'packages'
    index.mkdir(parents=True)
    (index / PACKAGE).touch()
    assert ask_share_dir(site, AMENT_PREFIX_PATH=str(prefix)).stdout == f'{share}\n'


def test_no_share_at_all_says_what_to_do(tmp_path: Path):
    site = copied_package(tmp_path)
    (site / f'{PACKAGE}-0.0.0.dist-info').mkdir()
    process = ask_share_dir(site)
    assert process.returncode == 1
    assert 'MissingDependencyError: no launch and config files' in process.stderr
    assert 'source your workspace' in process.stderr
