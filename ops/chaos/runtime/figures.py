"""What a fault did, told from the records on the topic and the journal of the handlers. Pure.

    lost             on the topic, and neither handled to the end nor dead-lettered, parked or on its way back
    duplicates       handled to the end more than once: how many times too often
    finished_rerun   begun again though it had been handled to the end
    finished_old     those of them that had ended more than OLD_SECONDS before the fault: a commit should have told
    committed_rerun  those of them that the group's commit at the fault tells to be finished
    in_flight_rerun  begun again while, or after, it was under way and had not ended
    order_breaks     begun before an earlier record of its key had ended, or while the process was working on that key
    stall_seconds    the longest time in which no handler began or ended though a record waited for one

A record that comes back through a retry is another run of it, not a re-run, and its key is not held to its order.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ops.chaos.runtime.journal import Line

OLD_SECONDS = 2.0
"""The commit interval, and a second more for a commit to be taken on a busy machine."""

Run = tuple[int, int]
"""A record's number and how often it came back."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A record that the broker has acknowledged."""

    number: int
    key: bytes | None
    partition: int
    offset: int
    event_id: str
    at: float
    """When it was acknowledged, monotonic seconds."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one run."""

    lost: tuple[int, ...]
    duplicates: int
    finished_rerun: int
    finished_old: int
    committed_rerun: int
    oldest_rerun_seconds: float
    in_flight_rerun: int
    order_breaks: int
    stall_seconds: float


def judge(
    sent: Sequence[Sent],
    lines: Sequence[Line],
    *,
    elsewhere: Collection[int] = (),
    faults: Sequence[float] = (),
    committed: Collection[int] = (),
    ordered: bool = False,
    since: float | None = None,
    until: float | None = None,
) -> Figures:
    """The figures of what was `sent`. `elsewhere`: numbers dead-lettered, parked or on their way back.

    `faults` are the moments at which something was done to the daemon, `committed` the numbers that the group's commit
    told to be finished after the first of them. Stalls are looked for from `since` (the first start) to `until`.
    """
    lines = sorted(lines, key=lambda line: line.at)
    if since is None:
        since = min((line.at for line in lines if line.event == "start"), default=-math.inf)
    ended = {line.number for line in lines if line.event == "end"}
    begun = {line.number for line in lines if line.event == "start"}
    waiting = [one for one in sent if one.number in begun or one.number not in elsewhere]
    again = list(reruns(lines))
    ages = [_before_fault(end, faults) for _, end in again if end is not None]
    return Figures(
        lost=tuple(sorted(one.number for one in sent if one.number not in ended and one.number not in elsewhere)),
        duplicates=_ended_again(lines),
        finished_rerun=len(ages),
        finished_old=sum(age > OLD_SECONDS for age in ages),
        committed_rerun=sum(line.number in committed and line.at > min(faults) for line, _ in again) if faults else 0,
        oldest_rerun_seconds=round(max(ages, default=0.0), 3),
        in_flight_rerun=len(again) - len(ages),
        order_breaks=order_breaks(sent, lines, apart=elsewhere) if ordered else 0,
        stall_seconds=round(longest_stall(waiting, lines, since=since, until=until), 3),
    )


def reruns(lines: Iterable[Line]) -> Iterable[tuple[Line, float | None]]:
    """Every start of a run that had been started before, and when that run had first ended (None: it had not)."""
    begun: set[Run] = set()
    ended: dict[Run, float] = {}
    for line in lines:
        run = (line.number, line.attempt)
        if line.event == "start":
            if run in begun:
                yield line, ended.get(run)
            begun.add(run)
        elif line.event == "end":
            ended.setdefault(run, line.at)


def order_breaks(sent: Sequence[Sent], lines: Sequence[Line], *, apart: Collection[int] = ()) -> int:
    """How many starts came too early for their key; `lines` in the order of time."""
    first_end: dict[int, float] = {}
    for line in lines:
        if line.event == "end":
            first_end.setdefault(line.number, line.at)
    not_before: dict[int, float] = {}
    """Number to the moment at which the last of the earlier records of its key had ended."""
    latest: dict[bytes, float] = {}
    keys = {one.number: one.key for one in sent}
    for one in sorted(sent, key=lambda one: (one.partition, one.offset)):
        if one.key is None or one.number in apart:
            continue
        not_before[one.number] = latest.get(one.key, -math.inf)
        latest[one.key] = max(not_before[one.number], first_end.get(one.number, math.inf))
    breaks = 0
    busy: dict[tuple[int, bytes], int] = defaultdict(int)
    for line in lines:
        key = keys.get(line.number)
        if key is None or line.number in apart or line.attempt:
            continue
        if line.event == "start":
            breaks += line.at < not_before[line.number] or busy[line.pid, key] > 0
            busy[line.pid, key] += 1
        elif line.event in ("end", "cancelled", "failed"):
            busy[line.pid, key] -= 1
    return breaks


def longest_stall(
    sent: Sequence[Sent], lines: Sequence[Line], *, since: float = -math.inf, until: float | None = None
) -> float:
    """Seconds; records that never began wait until the end, so leave those out that nobody should begin."""
    first_start: dict[int, float] = {}
    for line in lines:
        if line.event == "start":
            first_start.setdefault(line.number, line.at)
    due = [one for one in sent if first_start.get(one.number, math.inf) >= since]
    moments = [(max(one.at, since), 0, 1) for one in due]
    moments += [(first_start[one.number], 1, -1) for one in due if one.number in first_start]
    moments += [(line.at, 1, 0) for line in lines if line.event in ("start", "end")]
    if until is not None:
        moments.append((until, 1, 0))
    waiting, idle_from, longest = 0, -math.inf, 0.0
    for at, progress, change in sorted(moment for moment in moments if moment[0] >= since):
        if not progress:
            if waiting == 0:
                idle_from = at
        else:
            if waiting > 0:
                longest = max(longest, at - idle_from)
            idle_from = at
        waiting += change
    return longest


def _before_fault(end: float, faults: Sequence[float]) -> float:
    """How long before the next fault it had ended; without one after it, it should never have run again."""
    return min((fault - end for fault in faults if fault >= end), default=math.inf)


def _ended_again(lines: Iterable[Line]) -> int:
    ends: dict[Run, int] = defaultdict(int)
    for line in lines:
        if line.event == "end":
            ends[line.number, line.attempt] += 1
    return sum(times - 1 for times in ends.values())
