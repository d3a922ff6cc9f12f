# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What ``setup.cfg`` cannot say well; everything else is there."""

from glob import glob

from setuptools import setup

PACKAGE = 'clip_depth_ros'

setup(
    # Not in setup.cfg: from there it becomes an object that colcon cannot read.
    python_requires='>=3.10',
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (f'share/{PACKAGE}', ['package.xml']),
        (f'share/{PACKAGE}/launch', sorted(glob('launch/*.launch.py'))),
        (f'share/{PACKAGE}/config', sorted(glob('config/*.*'))),
        (f'share/{PACKAGE}/config/protocols', sorted(glob('config/protocols/*.yaml'))),
        (f'share/{PACKAGE}/config/train', sorted(glob('config/train/*.yaml'))),
        (f'share/{PACKAGE}/rviz', sorted(glob('rviz/*.rviz'))),
    ],
)
