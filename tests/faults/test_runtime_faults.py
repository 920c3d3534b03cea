"""A daemon is killed, stopped, paused, poisoned and upgraded on a real Kafka: what the runtime promises holds."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ops.chaos.runtime.scenarios import SCENARIOS

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.long]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `leadbus chaos runtime --quick` says; its processes are not measured for coverage, which would slow them."""
    report = tmp_path_factory.mktemp("chaos") / "report.json"
    env = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    argv = [sys.executable, "-m", "ops.cli", "chaos", "runtime", "--quick", "--json", str(report)]
    ended = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=570, check=False)
    assert report.is_file(), ended.stderr
    said: dict[str, Any] = json.loads(report.read_text())
    assert ended.returncode == (1 if said["broken"] else 0)
    return said


@pytest.mark.timeout(600)
def test_every_fault_was_done(result: dict[str, Any]) -> None:
    assert [run["name"] for run in result["runs"]] == list(SCENARIOS)
    assert all(run["accepted"] == run["found"] > 0 for run in result["runs"])


def test_every_promise_was_kept(result: dict[str, Any]) -> None:
    assert result["broken"] == []
    assert all(run["promises"] and all(run["promises"].values()) for run in result["runs"])


def test_nothing_was_lost_and_no_key_was_worked_on_out_of_order(result: dict[str, Any]) -> None:
    assert {run["name"]: (run["lost"], run["order_breaks"]) for run in result["runs"]} == dict.fromkeys(
        SCENARIOS, (0, 0)
    )


def test_only_what_harms_a_process_has_anything_run_again(result: dict[str, Any]) -> None:
    members_change = {"join-old-leaves", "join-new-leaves", "rolling-upgrade", "asleep"}
    harmed = {"kill", "kill-by-key", "stop-in-a-hurry", "broker-restart"} | members_change
    again = {run["name"] for run in result["runs"] if run["finished_rerun"] or run["in_flight_rerun"]}
    assert {"kill", "stop-in-a-hurry"} <= again <= harmed
