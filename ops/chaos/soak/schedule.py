"""What is disturbed and when: drawn once from the seed, so that a run that went wrong can be repeated.

Pure. The first round kills every part once; after it parts, ways and pauses are drawn freely. A part is not disturbed
again before it had a moment to come back, and the broker not more often than every 25 s: a house that is down all the
time proves nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Any

BROKER = "broker"
BREATH_SECONDS = 5.0
"""Between a part's return and its next disturbance."""
BROKER_BREATH_SECONDS = 25.0
GAP_SECONDS = (3.0, 10.0)
VENDOR_GAP_SECONDS = (4.0, 15.0)
FROZEN_SECONDS = (8.0, 14.0)
"""Longer than a member's session and than the soak's leases."""


class Way(StrEnum):
    """How a part is disturbed."""

    KILL = "kill"
    """SIGKILL, and started again after a pause."""
    TERM = "term"
    """SIGTERM, waited for, and started again after a pause."""
    FREEZE = "freeze"
    """SIGSTOP, and SIGCONT after a pause."""


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One or two parts, disturbed together; `at` and `away` in seconds."""

    at: float
    way: Way
    parts: tuple[str, ...]
    away: float
    failpoint: str | None = None
    """Laid over the next start of a killed daemon: it dies again, by itself, at one of its worst moments."""


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """A vendor's fault as the sandbox takes it."""

    at: float
    fault: dict[str, Any] = field(default_factory=dict)


FAILPOINTS = {
    "delivery": (
        "after_publish_before_commit",
        "after_vendor_answer_before_done",
        "after_done_before_continuation",
    ),
}
COMMON_FAILPOINTS = ("after_publish_before_commit",)


def disturbances(chance: Random, seconds: float, parts: Sequence[str], daemons: Sequence[str]) -> list[Disturbance]:
    """For a run of `seconds`; `daemons` are those of the parts that know failpoints (`name` or `name-2`)."""
    first = chance.sample(list(parts), len(parts))
    free_at = dict.fromkeys(parts, 0.0)
    planned: list[Disturbance] = []
    at = chance.uniform(*GAP_SECONDS)
    while at < seconds:
        free = [part for part in parts if free_at[part] <= at]
        due = [part for part in first if part in free]
        if due:
            way, chosen = Way.KILL, [due[0]]
        elif free:
            way = chance.choices([Way.KILL, Way.TERM, Way.FREEZE], [6, 2, 2])[0]
            chosen = [chance.choice(free)]
        else:
            at += 1.0
            continue
        others = [part for part in free if part not in chosen]
        if others and chance.random() < 0.25:
            chosen.append(chance.choice(others))
        away = chance.uniform(*FROZEN_SECONDS) if way is Way.FREEZE else chance.choice((0.0, 1.0, chance.uniform(2, 8)))
        failpoint = None
        if way is Way.KILL and chosen[0] in daemons and chance.random() < 0.3:
            names = FAILPOINTS.get(chosen[0].split("-")[0], COMMON_FAILPOINTS)
            failpoint = f"{chance.choice(names)}:{chance.randint(1, 30)}"
        planned.append(Disturbance(round(at, 2), way, tuple(chosen), round(away, 2), failpoint))
        for part in chosen:
            if part in first:
                first.remove(part)
            free_at[part] = at + away + (BROKER_BREATH_SECONDS if part == BROKER else BREATH_SECONDS)
        at += chance.uniform(*GAP_SECONDS)
    return planned


def misbehaviours(chance: Random, seconds: float) -> list[Misbehaviour]:
    """Vendors' faults over a run: refusals, limits, delays, resets and half answers, each for a few calls."""
    planned: list[Misbehaviour] = []
    at = chance.uniform(*VENDOR_GAP_SECONDS)
    while at < seconds:
        planned.append(Misbehaviour(round(at, 2), _fault(chance)))
        at += chance.uniform(*VENDOR_GAP_SECONDS)
    return planned


def _fault(chance: Random) -> dict[str, Any]:
    vendor = chance.choice(
        ("hubspot", "hubspot", "salesforce", "salesforce", "pipedrive", "sendgrid", "callrail", "google")
    )
    times = chance.randint(1, 6)
    if vendor == "google":
        code = chance.choice(("UNAVAILABLE", "RESOURCE_EXHAUSTED", "INTERNAL", "DEADLINE_EXCEEDED"))
        return {"vendor": vendor, "kind": "status", "status": code, "times": times}
    kind = chance.choice(("status", "status", "reset", "half_answer", "reset_after_effect", "delay"))
    fault: dict[str, Any] = {"vendor": vendor, "kind": kind, "times": times}
    if kind == "status":
        fault["status"] = chance.choice((429, 500, 502, 503))
        if fault["status"] == 429:
            fault["headers"] = {"Retry-After": "2"}
    if kind == "delay":
        fault["seconds"] = round(chance.uniform(0.5, 4.0), 2)
    if kind in ("half_answer", "reset_after_effect"):
        # Each may leave a mail of which nobody can say whether it was sent: one at a time is enough.
        fault["times"] = 1 if vendor == "sendgrid" else min(times, 3)
    return fault
