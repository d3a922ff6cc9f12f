# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The rooms, and which way imports point. A new room is one line in MAY_IMPORT."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
import subprocess
import sys

import pytest
from source_tree import (
    Import,
    imports_of,
    PACKAGE,
    PACKAGE_DIR,
    python_files,
    room_at,
    room_of,
    ROOT,
)

NOUNS = {'errors', 'types'}
BASE = NOUNS | {'settings', 'core'}

MAY_IMPORT: dict[str, set[str]] = {
    # The nouns know each other, and nothing else.
    **dict.fromkeys(NOUNS, NOUNS),
    'settings': NOUNS,
    'core': NOUNS,
    # A model that knows KITTI can only be tested on KITTI.
    'model': BASE,
    'predictor': BASE | {'model'},
    'scale': NOUNS | {'core'},
    'world': NOUNS | {'core'},
    'bags': BASE,
    'sources': BASE | {'bags', 'world'},
    # It scores any predictor: ours, a constant, a rival's topic in a bag.
    'evaluation/score': BASE | {'sources'},
    'evaluation/results': BASE | {'evaluation/score'},
    'evaluation/run': BASE | {'sources', 'bags', 'evaluation/score', 'evaluation/results'},
    # Of sources it knows, as the scorer does, the type of a sample.
    # It makes the pages of results and of comparisons.
    'evaluation/report': BASE | {
        'sources', 'evaluation/score', 'evaluation/results', 'evaluation/compare',
    },
    'evaluation/compare': BASE | {'evaluation/score', 'evaluation/results'},
    'training/frames': BASE | {'predictor', 'sources', 'evaluation/score'},
    'training': BASE | {
        'model', 'predictor', 'sources', 'evaluation/score', 'training/frames',
    },
    'training/place': BASE | {
        'model', 'predictor', 'sources', 'evaluation/score', 'training',
    },
    # A robot must not need a dataset reader to start.
    'ros/node': BASE | {'model', 'predictor', 'scale'},
    'ros': BASE | {'ros/node'},
    'demo': BASE | {
        'ros', 'bags', 'world', 'sources', 'predictor', 'evaluation/score', 'evaluation/results',
        'evaluation/run', 'evaluation/report',
    },
}
"""Which rooms a room may import from, besides itself."""
MAY_IMPORT['cli'] = {*MAY_IMPORT}

ROS = {
    'ament_index_python', 'builtin_interfaces', 'cv_bridge', 'diagnostic_msgs', 'geometry_msgs',
    'launch', 'launch_ros', 'lifecycle_msgs', 'message_filters', 'nav_msgs', 'rcl_interfaces',
    'rclpy', 'rosgraph_msgs', 'rosidl_runtime_py', 'sensor_msgs', 'sensor_msgs_py', 'std_msgs',
    'stereo_msgs', 'tf2_msgs', 'tf2_ros', 'visualization_msgs',
}
NOT_PURE = {'argparse', 'jinja2', 'matplotlib', 'open_clip', 'rosbags', 'torch', 'yaml'}
FOR_LEARNING = {'open_clip', 'torch'}
FOR_PEOPLE = {'argparse', 'jinja2', 'matplotlib', 'tqdm'}
HEAVY = {'cv2', 'matplotlib', 'open_clip', 'rclpy', 'rosbags', 'safetensors', 'torch'}

FORBIDDEN: dict[str, set[str]] = {
    # Their tests run anywhere in a second.
    **dict.fromkeys(NOUNS | {'core', 'scale'}, NOT_PURE),
    'settings': NOT_PURE - {'yaml'} | {'cv2'},
    # They run on robots and servers without a command line or a display.
    'predictor': FOR_PEOPLE,
    **dict.fromkeys(['ros', 'ros/node'], FOR_PEOPLE),
    'model': FOR_PEOPLE | {'rosbags'},
    **dict.fromkeys(['world', 'bags', 'sources'], FOR_PEOPLE | FOR_LEARNING),
    **dict.fromkeys(
        (room for room in MAY_IMPORT if room.startswith('evaluation/')),
        FOR_LEARNING | {'argparse', 'tqdm'},
    ),
}
"""Foreign modules that a layer must not import, not even inside a function."""

AT_MOST_IN_A_FOLDER = 17

LAUNCH_MAY_IMPORT = {
    'ament_index_python', 'difflib', 'launch', 'launch_ros', 'os', 'pathlib', 're',
}

FILES = python_files(PACKAGE_DIR)


def imports() -> list[Import]:
    """Give every import of the package."""
    return [imported for file in FILES for imported in imports_of(file)]


def test_imports_are_found_wherever_they_stand(tmp_path: Path):
    """The guard itself: what it does not see, it does not guard."""
    file = tmp_path / 'module.py'
    file.write_text('import torch.nn\ndef run():\n    from rosbags import image, rosbag2\n')
    found = [(imported.module, imported.is_on_load) for imported in imports_of(file)]
    assert found == [('torch.nn', True), ('rosbags.image', False), ('rosbags.rosbag2', False)]


def test_every_room_is_there():
    """A rule about a folder that was renamed would guard nothing."""
    missing = [
        room
        for room in MAY_IMPORT
        if not (PACKAGE_DIR / room).is_dir() and not (PACKAGE_DIR / f'{room}.py').is_file()
    ]
    assert missing == []


def test_every_file_belongs_to_a_room():
    rooms = {room_of(file) for file in FILES} - {'__init__', '__main__', 'evaluation'}
    assert rooms - MAY_IMPORT.keys() == set(), 'add a line to MAY_IMPORT and to the docs'


@pytest.mark.parametrize('room', sorted(MAY_IMPORT))
def test_imports_point_down(room: str):
    allowed = MAY_IMPORT[room] | {room, '__version__'}
    wrong = [
        str(imported)
        for imported in imports()
        if room_of(imported.file) == room and (own := _own_room(imported)) and own not in allowed
    ]
    assert wrong == []


def test_files_do_not_import_each_other_in_circles():
    """Also not through a third, nor inside functions: what needs each other is one file."""
    graph = {_module_of(file): set() for file in FILES}
    for imported in imports():
        if imported.file == PACKAGE_DIR / '__init__.py':
            continue  # the public face looks everywhere, when asked; nobody needs more of it
        if (target := _own_file(imported, graph)) and target != _module_of(imported.file):
            graph[_module_of(imported.file)].add(target)
    assert len(graph[f'{PACKAGE}.cli.main']) > 0, 'this test sees no imports'
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f'a circle of imports: {" -> ".join(error.args[1])}')


def test_folders_stay_small_enough_to_look_through():
    counts = Counter(file.parent.relative_to(PACKAGE_DIR) for file in FILES)
    assert {str(folder): n for folder, n in counts.items() if n > AT_MOST_IN_A_FOLDER} == {}


@pytest.mark.parametrize('room', sorted(set(MAY_IMPORT) - {'ros', 'ros/node'}))
def test_only_ros_knows_ros(room: str):
    """ROS is one of several front ends; rosbags has its own message types."""
    # Where the package is installed is asked of the index in one place, and it may be missing.
    allowed = {'ament_index_python'} if room == 'settings' else set()
    assert _foreign(room, ROS - allowed) == []


@pytest.mark.parametrize('room', sorted(FORBIDDEN))
def test_layers_stay_clear_of_what_they_must_not_need(room: str):
    assert _foreign(room, FORBIDDEN[room]) == []


def test_package_files_import_nothing():
    """``import clip_depth_ros.bags`` must cost nothing; the root imports names when asked."""
    root, packages = PACKAGE_DIR / '__init__.py', {'importlib.import_module', 'typing.Any'}
    wrong = [
        str(imported)
        for imported in imports()
        if imported.file.name == '__init__.py'
        and not (imported.file == root and _is_free(imported, packages))
    ]
    assert wrong == []


def test_command_modules_load_nothing_heavy():
    """``clip-depth --help`` answers at once; the rest is imported inside ``run``."""
    wrong = [
        str(imported)
        for imported in imports()
        if imported.file.parent == PACKAGE_DIR / 'cli'
        and imported.file.stem in _commands()
        and imported.is_on_load
        and _top(imported) in HEAVY
    ]
    assert wrong == []


@pytest.mark.parametrize('code', [
    f'import {PACKAGE}',
    f'import {PACKAGE}.types; from {PACKAGE}.settings import installation, node',
    f'from {PACKAGE}.cli.main import build_parser; build_parser()',
    f'import {PACKAGE}.predictor.build, {PACKAGE}.ros.environment',
])
def test_nothing_heavy_is_loaded(code: str):
    """What is imported directly may import something heavy in its turn: look at what is loaded."""
    report = f'{code}; import sys; print(*sys.modules)'
    process = subprocess.run(
        [sys.executable, '-c', report], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {name.partition('.')[0] for name in process.stdout.split()}
    assert PACKAGE in loaded
    assert loaded & HEAVY == set()


def test_launch_files_refer_to_the_package_by_name_only():
    """A launch file must parse without torch, and before the package is built."""
    files = python_files(ROOT / 'launch')
    assert files
    wrong = [
        str(imported)
        for file in files
        for imported in imports_of(file)
        if _top(imported) not in LAUNCH_MAY_IMPORT
    ]
    assert wrong == []


@pytest.mark.parametrize('folder', [PACKAGE, 'weights', 'launch', 'config', 'rviz', 'test', '.ci'])
def test_every_file_names_its_licence(folder: str):
    spdx = 'SPDX-License-Identifier: Apache-2.0'
    suffixes = {'.py', '.css', '.html', '.yaml', '.xml', '.rviz'}
    if folder == '.ci':
        suffixes.add('')
    files = [
        path
        for path in (ROOT / folder).rglob('*')
        if path.is_file() and path.suffix in suffixes and '__pycache__' not in path.parts
    ]
    assert files
    assert [path for path in files if spdx not in path.read_text(encoding='utf-8')[:600]] == []


def _commands() -> set[str]:
    from clip_depth_ros.cli.main import COMMANDS

    return {'main', 'flags', *COMMANDS}


def _is_free(imported: Import, allowed: set[str]) -> bool:
    """Return whether an import of the root is of the standard library, or for mypy alone."""
    return _top(imported) == PACKAGE or imported.module in {*allowed, 'typing.TYPE_CHECKING'}


def _module_of(file: Path) -> str:
    """Return the dotted name of a file of the package."""
    parts = file.relative_to(ROOT).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


def _own_file(imported: Import, modules: Collection[str]) -> str:
    """Return the module of this package that is imported, or imported from; or nothing."""
    name = imported.module
    return name if name in modules else next(
        (parent for parent in [name.rpartition('.')[0]] if parent in modules), ''
    )


def _top(imported: Import) -> str:
    return imported.module.partition('.')[0]


def _own_room(imported: Import) -> str:
    """Return the room of this package that is imported from, or nothing."""
    package, _, rest = imported.module.partition('.')
    return room_at(rest.split('.')) if package == PACKAGE else ''


def _foreign(room: str, modules: set[str]) -> list[str]:
    return [
        str(imported)
        for imported in imports()
        if room_of(imported.file) == room and _top(imported) in modules
    ]


def test_no_two_files_of_tests_have_one_name():
    """pytest, which imports them by name, could not collect the second one."""
    files = [file.name for file in Path(__file__).parent.rglob('test_*.py')]
    assert sorted({name for name in files if files.count(name) > 1}) == []
