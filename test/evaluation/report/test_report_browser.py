# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The report in a real browser: no error, and every picture is drawn."""

from __future__ import annotations

from pathlib import Path
import re
import shutil
import subprocess

from clip_depth_ros.core.image_plan import Size
from clip_depth_ros.evaluation.report.page import report_html
from made_up_results import drive_frames, drive_result
import pytest

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        shutil.which('chromium') is None, reason='needs chromium (apt install chromium)'
    ),
]

TIMEOUT_S = 60

WATCH = """<script>
window.problems = [];
window.addEventListener('error', event => problems.push(event.message || 'a picture'), true);
const say = console.error;
console.error = (...words) => { problems.push(words.join(' ')); say(...words); };
</script>"""

COUNT = """<script>
window.addEventListener('load', () => {
  const all = [...document.images];
  const drawn = all.filter(image => image.complete && image.naturalWidth > 0);
  const wide = document.documentElement.scrollWidth > window.innerWidth;
  document.body.dataset.seen =
    `${all.length} pictures, ${drawn.length} drawn, problems: [${problems}], too wide: ${wide}`;
});
</script>"""


def seen_by_chromium(page: str, folder: Path, width: int) -> str:
    """Return what a copy of the page with two scripts says about itself."""
    path = folder / 'report.html'
    watched = page.replace('<head>', f'<head>{WATCH}', 1).replace('</body>', f'{COUNT}</body>')
    path.write_text(watched)
    process = subprocess.run(
        [
            'chromium', '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic',
            '--no-first-run', '--disable-background-networking', '--disable-component-update',
            '--disable-sync', f'--user-data-dir={folder / "profile"}',
            '--virtual-time-budget=3000', f'--window-size={width},2000', '--dump-dom',
            path.as_uri(),
        ],
        capture_output=True, text=True, timeout=TIMEOUT_S, check=True,
    )
    found = re.search(r'data-seen="([^"]*)"', process.stdout)
    assert found, process.stderr
    return found.group(1)


@pytest.fixture(scope='module')
def page() -> str:
    result = drive_result(60)
    frames = drive_frames(result, Size(48, 160), is_sparse=True)
    return report_html(result, frames, near_m=1e-3, far_m=80.0)


@pytest.mark.parametrize('width', [1200, 700])
def test_all_pictures_are_drawn_without_an_error(page: str, tmp_path: Path, width: int):
    n = page.count('<img ')
    assert n > 20
    assert seen_by_chromium(page, tmp_path, width) == (
        f'{n} pictures, {n} drawn, problems: [], too wide: false'
    )


def test_the_test_sees_a_picture_that_is_not_drawn(page: str, tmp_path: Path):
    broken = page.replace('data:image/png;base64,', 'data:image/png;base64,AAAA', 1)
    n = page.count('<img ')
    assert f'{n - 1} drawn, problems: [a picture]' in seen_by_chromium(broken, tmp_path, 1200)
