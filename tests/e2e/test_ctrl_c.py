"""Ctrl-C in the middle of a demo ends everything that it started."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")]


def processes_of(run_dir: Path) -> list[str]:
    """Command lines of living processes that were given this run folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(run_dir).encode() in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue  # it ended while we looked, or belongs to somebody else
    return [line for line in found if "ops.cli consumer" in line or "ops.cli gateway" in line]


@pytest.mark.parametrize("moment", ["starting broker", "ready:"])
def test_ctrl_c_ends_the_demo_and_every_process_it_started(tmp_path: Path, moment: str) -> None:
    argv = [sys.executable, "-m", "ops.cli", "demo", "--leads", "300", "--keep", str(tmp_path)]
    with (tmp_path / "out.txt").open("wb") as out:
        demo = subprocess.Popen(
            argv,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=Path(__file__).resolve().parents[2],
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
    deadline = time.monotonic() + 60
    while moment not in (tmp_path / "out.txt").read_text() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1.0)
    demo.send_signal(signal.SIGINT)
    assert demo.wait(timeout=30) == 130
    said = (tmp_path / "out.txt").read_text()
    assert "Traceback" not in said
    assert said.rstrip().endswith("stopped")
    assert processes_of(tmp_path) == []
