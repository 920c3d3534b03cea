"""Killed at any moment, nothing is lost and little is run twice; asked to stop, it finishes what it has begun."""

import asyncio
import signal
import time
from collections import Counter

from schemas.topics import ANALYZED
from tests.conformance.runtime.cluster import Cluster, leads, until
from tests.conformance.runtime.example import Journal

RESTART_SECONDS = 12.0
"""A session of 6 s, and the start of a Python process on a busy machine."""


async def test_kill_9_behind_a_slow_record_loses_nothing_and_reruns_only_the_last_second(
    networked: Cluster, journal: Journal
) -> None:
    slow = 4  # one at the head of each partition
    networked.produce([*leads(slow, "sleep 60"), *leads(200, start=slow)])
    with networked.process(journal) as first:
        await until(lambda: len(journal.numbers("end")) >= 200)
        await asyncio.sleep(1.5)
        networked.produce(leads(20, start=slow + 200))
        await until(lambda: len(journal.numbers("end")) >= 220)
        first.kill()
    before = len(journal.lines())
    began = time.monotonic()
    with networked.process(journal) as second:
        assert time.monotonic() - began < RESTART_SECONDS
        networked.produce(leads(1, start=slow + 220))
        await until(lambda: slow + 220 in journal.numbers("end"))
        await until(lambda: len([n for n in journal.numbers("start") if n < slow]) == 2 * slow)
        second.kill()
    again = [line["number"] for line in journal.lines()[before:] if line["event"] == "start"]
    assert set(journal.numbers("start")) == set(range(slow + 221))
    assert set(range(slow)) <= set(again), "what was in flight is run again"
    finished_again = set(again) - set(range(slow)) - {slow + 220}
    assert finished_again <= set(range(slow + 200, slow + 220)), "what finished before the last commit is not"


async def test_a_crash_between_publication_and_commit_publishes_again_and_loses_nothing(
    embedded: Cluster, journal: Journal
) -> None:
    embedded.produce(leads(10), partition=lambda _: 0)
    with embedded.process(journal, LEADBUS_FAILPOINT="after_publish_before_commit:5") as process:
        assert process.wait() == -signal.SIGKILL
    with embedded.process(journal):
        await until(lambda: len(set(journal.numbers("end"))) == 10 and len(embedded.read(ANALYZED)) >= 14)
        await asyncio.sleep(1.2)
    published = Counter(record.key() for record in embedded.read(ANALYZED))
    assert len(published) == 10
    assert {partition: commit.offset for partition, commit in (await embedded.commits()).items()}[0] == 10


async def test_sigterm_finishes_what_runs_commits_it_and_leaves_the_group(networked: Cluster, journal: Journal) -> None:
    networked.produce([*leads(8, "sleep 1.5"), *leads(4, "sleep 60", start=8)])
    with networked.process(journal, LEADBUS_GRACE_SECONDS="4") as first:
        await until(lambda: len(journal.numbers("start")) == 12)
        networked.produce(leads(1, start=12))
        await until(lambda: 12 in journal.numbers("end"))
        assert first.terminate() == 0, first.errors
    assert sorted(journal.numbers("end")) == [*range(8), 12]
    before = len(journal.lines())
    began = time.monotonic()
    with networked.process(journal) as second:
        assert time.monotonic() - began < RESTART_SECONDS
        await until(lambda: len(journal.lines()) >= before + 4)
        second.kill()
    again = sorted(line["number"] for line in journal.lines()[before:])
    assert again == [8, 9, 10, 11], "only what was cancelled is run again"
