"""Three minutes of traffic while gateway, broker and daemons are killed, stopped and frozen at random: all adds up."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.kafka, pytest.mark.long]

ROOT = Path(__file__).resolve().parents[2]
MINUTES = 3
SEED = 7
PARTS = {
    "gateway",
    "broker",
    "transcription",
    "analysis",
    "routing",
    "routing-2",
    "delivery",
    "delivery-2",
    "recorder",
    "retry",
}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `leadbus chaos soak` says; its processes are not measured for coverage, which would slow them."""
    folder = tmp_path_factory.mktemp("soak")
    report = folder / "report.json"
    env = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    options = ["--minutes", str(MINUTES), "--seed", str(SEED), "--keep", str(folder / "run"), "--json", str(report)]
    argv = [sys.executable, "-m", "ops.cli", "chaos", "soak", *options]
    ended = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=780, check=False)
    assert report.is_file(), ended.stderr
    said: dict[str, Any] = json.loads(report.read_text())
    assert ended.returncode == (1 if said["findings"] else 0)
    return said


@pytest.mark.timeout(800)
def test_every_part_was_killed_and_others_were_stopped_and_frozen(result: dict[str, Any]) -> None:
    assert result["kills"].keys() == PARTS
    assert {"kill", "term", "freeze"} <= result["ways"].keys()
    assert result["vendor_faults"]


def test_every_webhook_that_was_answered_202_is_in_a_topic_and_nothing_happened_twice(result: dict[str, Any]) -> None:
    assert result["accepted"] == result["found"] > 300
    assert (result["lost"], result["duplicates"]) == (0, 0)


def test_every_step_ended_once_or_is_open_with_a_reason(result: dict[str, Any]) -> None:
    assert result["stuck"] == []
    assert result["final_states"]["delivered"] > 300
    assert all(reason.startswith(("parked: ", "retrying: ", "behind ")) for reason in result["open"])


def test_there_is_nothing_else_to_find(result: dict[str, Any]) -> None:
    """No dead letter, no gap in the tickets, no record that nobody asked for, no daemon that ended by itself."""
    assert result["findings"] == []
    assert result["tickets"] > 0
