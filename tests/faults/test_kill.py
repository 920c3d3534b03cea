"""kill -9 of any daemon, also at its worst moments: the CRMs, mails, notes and tickets end the same."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ops.chaos.kill import FAILPOINTS, KILL_AT

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `leadbus chaos kill --worst` says; its processes are not measured for coverage, which would slow them."""
    report = tmp_path_factory.mktemp("chaos") / "report.json"
    env = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    argv = [sys.executable, "-m", "ops.cli", "chaos", "kill", "--worst", "--json", str(report)]
    ended = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=570, check=False)
    assert report.is_file(), ended.stderr
    said: dict[str, Any] = json.loads(report.read_text())
    assert ended.returncode == (1 if said["lost"] or said["duplicates"] or said["different"] else 0)
    return said


@pytest.mark.timeout(600)
def test_every_daemon_was_killed_in_the_middle_of_its_work_and_at_its_worst_moments(result: dict[str, Any]) -> None:
    assert [(run["name"], run["failpoint"]) for run in result["runs"]] == [
        ("undisturbed", None),
        *((name, None) for name in KILL_AT),
        *FAILPOINTS,
    ]


def test_nothing_was_lost_and_nothing_happened_twice(result: dict[str, Any]) -> None:
    assert (result["lost"], result["duplicates"]) == (0, 0)
    assert all(run["accepted"] == run["found"] == 57 and run["open"] == [] for run in result["runs"])


def test_crm_records_notes_mails_and_tickets_are_the_same_as_on_an_undisturbed_day(result: dict[str, Any]) -> None:
    assert {f"{run['name']} {run['failpoint'] or ''}": run["different"] for run in result["runs"]} == {
        f"{run['name']} {run['failpoint'] or ''}": [] for run in result["runs"]
    }
