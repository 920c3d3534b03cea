"""What the peers' workers have in common: their arguments, and a record's command. Standard library only."""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from ops.chaos.runtime.journal import Journal

SLOTS = 500
SESSION_MS = 6_000


@dataclass(frozen=True, slots=True)
class Task:
    """One record's command."""

    number: int
    seconds: float


def task_of(value: bytes) -> Task:
    """How long the handler of this record is to take."""
    lead = json.loads(value)["lead"]
    _, _, seconds = lead["message"].partition(" ")
    return Task(lead["extra"]["number"], float(seconds or 0))


def arguments() -> tuple[Journal, str, str, str]:
    """Journal, bootstrap, topic and group."""
    parser = argparse.ArgumentParser()
    for name in ("journal", "bootstrap", "topic", "group"):
        parser.add_argument(f"--{name}", required=True)
    given = parser.parse_args()
    return Journal(Path(given.journal)), given.bootstrap, given.topic, given.group
