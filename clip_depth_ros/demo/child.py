# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Runs a module as ``python -m`` does, and ends with the process that started it.

    python -m clip_depth_ros.demo.child MODULE ARGUMENTS

Its standard input is a pipe that the parent holds open and never writes to.
"""

from __future__ import annotations

import runpy
import sys

from clip_depth_ros.core.files import end_with_parent


def main() -> None:
    """Run the module that is named."""
    end_with_parent(sys.stdin.fileno())
    runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)


if __name__ == '__main__':
    main()
