# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Start depth_node, and RViz if asked for.

``ros2 launch clip_depth_ros depth.launch.py --show-args`` lists the arguments. An argument that
is not given overrides nothing. Later wins: config/depth_node.yaml, preset, params_file, arguments.
"""

import difflib
import os
from pathlib import Path
import re

from ament_index_python.packages import get_package_prefix, get_package_share_directory
from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    OpaqueFunction,
    SetEnvironmentVariable,
    Shutdown,
)
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node

PACKAGE = 'clip_depth_ros'
DDS_VARIABLES = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE')
"""Fast DDS 2 reads the first, Fast DDS 3 the second."""

FAST_DDS_2_DISTROS = ('humble', 'iron', 'jazzy')

TEXT_PARAMETERS = (
    'method', 'backbone', 'pretrained', 'clip_weights', 'clip2depth_weights', 'device',
    'image_transport', 'align',
)
BOOL_PARAMETERS = ('allow_download', 'autostart', 'use_sim_time')
YES_NO = {'true': True, '1': True, 'false': False, '0': False}
"""Flags are understood in any case: Python and YAML write True."""

TOPIC_NAME = re.compile(r'(~?/)?[A-Za-z_{][\w{}]*(/[A-Za-z_{][\w{}]*)*', re.ASCII)
"""What ROS takes for a topic's name; in braces it puts the node's own name or namespace."""

ALIGN_TOPICS = {
    'align_points': 'align/points', 'align_scan': 'align/scan', 'align_depth': 'align/depth',
}
"""What the scale of depth is measured by, by the arguments that name it."""

OUTPUTS = (
    'depth/image_rect', 'depth/image_color', 'depth/points', 'depth/scan', 'depth/camera_info',
    'depth/confidence', 'depth/scale',
)

CAMERA_NAME = re.compile(r'[A-Za-z][A-Za-z0-9_]*')
CAMERA_GAP = '{camera}'
"""Stands for the name of each camera in a topic."""


def generate_launch_description():
    """Return the arguments and the actions that follow from them."""
    return LaunchDescription([
        DeclareLaunchArgument(
            'image', default_value='image',
            description='Camera image topic; with image_transport:=compressed, too, the name '
            'without /compressed. With cameras, the topic of each: below its name, or where '
            '{camera} stands for it.',
        ),
        DeclareLaunchArgument(
            'camera_info', default_value='',
            description='Camera info topic, with cameras as image. Empty: camera_info in the '
            'namespace of the image.',
        ),
        DeclareLaunchArgument(
            'cameras', default_value='',
            description='Names of several cameras, such as front,left, for one node and one '
            'model; image:=image_raw is then /front/image_raw and so on, image:=/cam_{camera}/rgb '
            'is /cam_front/rgb. Empty: one camera, unless the parameter files name several.',
        ),
        DeclareLaunchArgument(
            'align', default_value='', choices=['', 'none', 'height', 'lidar', 'depth'],
            description='What holds the scale of depth. Empty: as the parameter files say.',
        ),
        DeclareLaunchArgument(
            'align_points', default_value='',
            description='Cloud of a LiDAR for align:=lidar, such as /velodyne_points; with '
            'cameras, one that begins with / is for all. Empty: align/points.',
        ),
        DeclareLaunchArgument(
            'align_scan', default_value='',
            description='Scan of a planar LiDAR for align:=lidar. Empty: align/scan.',
        ),
        DeclareLaunchArgument(
            'align_depth', default_value='',
            description='Image of a depth camera for align:=depth. Empty: align/depth.',
        ),
        DeclareLaunchArgument(
            'image_transport', default_value='', choices=['', 'raw', 'compressed'],
            description='Listen to raw or compressed images. Empty: as the parameter files say.',
        ),
        DeclareLaunchArgument(
            'namespace', default_value='', description='Namespace of the node and its topics.'
        ),
        DeclareLaunchArgument(
            'params_file', default_value='',
            description='Your own parameter file; parameters it does not set keep their defaults.',
        ),
        DeclareLaunchArgument(
            'preset', default_value='',
            description='Settings that come with the package: indoor, kitti, or synthetic for '
            'the bundled weights; or the path of your own.',
        ),
        DeclareLaunchArgument(
            'method', default_value='', choices=['', 'auto', 'clip2depth', 'depthclip'],
            description='Depth method. Empty: as the parameter files say.',
        ),
        DeclareLaunchArgument(
            'backbone', default_value='',
            description='CLIP model, such as RN50-quickgelu. Empty: as the parameter files say.',
        ),
        DeclareLaunchArgument(
            'pretrained', default_value='',
            description='Published weights by tag, such as openai, or bundled. Empty: as the '
            'parameter files say.',
        ),
        DeclareLaunchArgument(
            'clip_weights', default_value='',
            description='Local CLIP weights file. Empty: as the parameter files say.',
        ),
        DeclareLaunchArgument(
            'clip2depth_weights', default_value='',
            description='Trained CLIP2Depth weights file. Empty: as the parameter files say.',
        ),
        DeclareLaunchArgument(
            'allow_download', default_value='',
            description='Allow fetching published weights: true or false. Empty: as the parameter '
            'files say.',
        ),
        DeclareLaunchArgument(
            'device', default_value='',
            description='auto, cpu, cuda or cuda:N. Empty: as the parameter files say.',
        ),
        DeclareLaunchArgument(
            'autostart', default_value='',
            description='Configure and activate on start: true or false. Empty: as the parameter '
            'files say.',
        ),
        DeclareLaunchArgument(
            'use_sim_time', default_value='',
            description='Take time from /clock: true or false. Empty: as the parameter files say.',
        ),
        DeclareLaunchArgument(
            'log_level', default_value='info',
            choices=['debug', 'info', 'warn', 'error', 'fatal'],
            description='Least severity that is logged.',
        ),
        DeclareLaunchArgument(
            'rviz', default_value='false',
            description='Show image, depth and cloud in RViz: true or false.',
        ),
        DeclareLaunchArgument(
            'fixed_frame', default_value='',
            description='Fixed frame of RViz; without TF, the frame_id of your images. Empty: '
            'that of the recordings made by clip-depth bag.',
        ),
        OpaqueFunction(function=start),
    ])


def start(context):
    """Return the actions for the arguments as they were given; refuse wrong ones before that."""
    given = {name: value for name, value in context.launch_configurations.items() if value != ''}
    check_topic_names(given)
    check_cameras(given)
    share = Path(get_package_share_directory(PACKAGE))
    with_rviz = flag(given, 'rviz')
    node = LifecycleNode(
        package=PACKAGE,
        executable='depth_node',
        name='depth_node',
        namespace=LaunchConfiguration('namespace'),
        parameters=[*parameter_files(share, given), given_parameters(given)],
        remappings=input_remappings(given),
        ros_arguments=['--log-level', given['log_level']],
        output='screen',
        # A window without its node shows nothing; without a window, launch ends by itself.
        on_exit=Shutdown(reason='depth_node has ended') if with_rviz else None,
    )
    # RViz first: should it not start, there is no node yet that would be left behind.
    windows = [rviz(share, given)] if with_rviz else []
    return [*dds_profile(share, context.environment), *windows, node]


def check_topic_names(given):
    """Refuse what ROS would refuse in the node, where it is harder to see."""
    namespace = given.get('namespace', '').strip('/')
    texts = {**given, 'namespace': namespace or 'none'}
    for name in ('image', 'camera_info', 'namespace', *ALIGN_TOPICS):
        text = texts.get(name, 'none')
        if not TOPIC_NAME.fullmatch(text):
            raise RuntimeError(
                f'{name}:={text} is no name: letters, digits and _, parts separated by /, and '
                'none begins with a digit'
            )


def check_cameras(given):
    """Refuse cameras that the node would refuse, and a topic that would be that of all of them."""
    names = camera_names(given)
    for name in names:
        if not CAMERA_NAME.fullmatch(name):
            raise RuntimeError(
                f'cameras:={given["cameras"]} should be names with commas between them, letters, '
                f'digits and _, and none begins with a digit; {name!r} is none'
            )
        if names.count(name) > 1:
            raise RuntimeError(f'cameras:={given["cameras"]} names {name} twice')
    for name in ('image', 'camera_info'):
        topic = given.get(name, '')
        if len(names) > 1 and topic.startswith(('/', '~')) and CAMERA_GAP not in topic:
            raise RuntimeError(
                f'{name}:={topic} would be the topic of all cameras: put {CAMERA_GAP} into it, '
                'which stands for the name of each, or leave out the / at the start'
            )
    if CAMERA_GAP in given['image'] + given.get('camera_info', '') and not names:
        raise RuntimeError(f'{CAMERA_GAP} in a topic stands for one of cameras: name them, too')


def camera_names(given):
    """Return the names of the cameras; none of a node with one camera."""
    names = given['cameras'].split(',') if 'cameras' in given else []
    return [name.strip() for name in names]


def flag(given, name):
    """Return a flag that was given, whether it was written as Python, YAML or C++ do."""
    text = given[name].lower()
    if text not in YES_NO:
        raise RuntimeError(f'{name} should be true or false, got {given[name]!r}')
    return YES_NO[text]


def dds_profile(share, environment):
    """Give every process of this launch the Fast DDS profile, unless the user has chosen one."""
    if any(map(environment.get, DDS_VARIABLES)):
        return []
    is_fast_dds_2 = environment.get('ROS_DISTRO') in FAST_DDS_2_DISTROS
    # Later releases warn in every process about the old name.
    names = DDS_VARIABLES if is_fast_dds_2 else DDS_VARIABLES[1:]
    return [SetEnvironmentVariable(name, str(share / 'config' / 'fastdds.xml')) for name in names]


def parameter_files(share, given):
    """Return the parameter files, the strongest last; refuse one that is not there."""
    files = [share / 'config' / 'depth_node.yaml']
    if 'preset' in given:
        files.append(preset_file(share, given['preset']))
    if 'params_file' in given:
        files.append(Path(os.path.expanduser(given['params_file'])))
    for file in files:
        if not file.is_file():
            # launch_ros would only warn and start the node with other parameters than asked for.
            raise RuntimeError(f'parameter file not found: {file}')
    return [str(file) for file in files]


def preset_file(share, preset):
    """Return the file of a preset: one of this package by its name, or the user's by its path."""
    if '/' in preset or preset.endswith(('.yaml', '.yml')):
        return Path(os.path.expanduser(preset))
    names = sorted(path.stem for path in (share / 'config').glob('*.yaml'))
    if preset not in names:
        near = difflib.get_close_matches(preset, names, n=1)
        hint = f'; did you mean {near[0]!r}?' if near else ''
        raise RuntimeError(
            f'there is no preset {preset!r} in this package, there are {", ".join(names)}; your '
            f'own is named by its path, such as ./{preset}.yaml{hint}'
        )
    return share / 'config' / f'{preset}.yaml'


def given_parameters(given):
    """Return the parameters that were given as launch arguments."""
    texts = {name: given[name] for name in TEXT_PARAMETERS if name in given}
    flags = {name: flag(given, name) for name in BOOL_PARAMETERS if name in given}
    cameras = {'cameras': camera_names(given)} if 'cameras' in given else {}
    return {**texts, **flags, **cameras}


def input_remappings(given):
    """Return the remappings of the node's inputs to the topics of its cameras."""
    image = given['image']
    beside_image = os.path.join(os.path.dirname(image), 'camera_info')
    topics = [
        ('image', image),
        ('image/compressed', f'{image}/compressed'),
        ('camera_info', given.get('camera_info', beside_image)),
        *((topic, given[name]) for name, topic in ALIGN_TOPICS.items() if name in given),
    ]
    names = camera_names(given)
    if not names:
        return topics
    return [
        (f'{camera}/{name}', topic_of(camera, topic)) for camera in names for name, topic in topics
    ]


def topic_of(camera, topic):
    """Return the topic of one of several cameras: where the gap is filled, or below its name."""
    if CAMERA_GAP in topic:
        return topic.replace(CAMERA_GAP, camera)
    return topic if topic.startswith(('/', '~')) else f'{camera}/{topic}'


def rviz(share, given):
    """Return RViz with the shipped displays, listening to this node's topics."""
    check_rviz()
    namespace = given.get('namespace', '').strip('/')
    prefix = f'/{namespace}' if namespace else ''
    topics = shown_topics(given)
    fixed_frame = ['--fixed-frame', given['fixed_frame']] if 'fixed_frame' in given else []
    return Node(
        package='rviz2',
        executable='rviz2',
        name='clip_depth_rviz',
        arguments=['--display-config', str(share / 'rviz' / 'clip_depth.rviz'), *fixed_frame],
        # An absolute topic stays as it is, a relative one is the depth node's.
        remappings=[(f'/{name}', os.path.join(f'{prefix}/', topic)) for name, topic in topics],
        parameters=[{'use_sim_time': 'use_sim_time' in given and flag(given, 'use_sim_time')}],
        output='log',
    )


def shown_topics(given):
    """Return what RViz shows, by its own names for topics: of several cameras, the first."""
    first = ''.join(f'{name}/' for name in camera_names(given)[:1])
    topics = [*input_remappings(given), *((first + name, first + name) for name in OUTPUTS)]
    return [
        (name.removeprefix(first), topic) for name, topic in topics if name.startswith(first)
    ]


def check_rviz():
    """Refuse to start anything where RViz is asked for and not installed."""
    try:
        executable = Path(get_package_prefix('rviz2'), 'lib', 'rviz2', 'rviz2')
    except LookupError:
        executable = None
    if executable is None or not executable.exists():
        distro = os.environ.get('ROS_DISTRO', '<distro>')
        raise RuntimeError(
            f'rviz:=true needs rviz2, which is not installed: apt install ros-{distro}-rviz2, or '
            'leave rviz out'
        )
