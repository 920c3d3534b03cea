"""What costs money is asked for once: the vendor's calls are counted while workers die at every moment, and race."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from connectors.store.seam import FullStore, Scope
from consumers import analysis, transcription
from consumers.analysis import AnalysisDaemon
from consumers.paid import paid_once
from consumers.runtime.seam import DaemonSpec, RetryAfter
from consumers.transcription import Transcription
from schemas.documents import Inbound, Transcript, TranscriptState
from tests.unit.consumers.house import (
    TENANT,
    Brain,
    Ear,
    Shelf,
    StillClock,
    Tape,
    call,
    inbound,
    only,
    record_of,
    tenants_of,
)

SCOPE = Scope(TENANT)


class Killed(BaseException):
    """The process is gone: nothing catches it."""


@dataclass
class Mortal:
    """A store on which the process dies just before, or just after, its calls about paid results; the rest is real."""

    store: FullStore
    moments: tuple[str, ...] = ()
    calls: list[str] = field(default_factory=list)

    async def get_result(self, scope: Scope, kind: str, input_hash: str) -> Any:
        self._die("before the look-up")
        found = await self.store.get_result(scope, kind, input_hash)
        self.calls.append("read")
        self._die("after the look-up")
        return found

    async def put_result_if_absent(self, scope: Scope, kind: str, input_hash: str, result: Any) -> Any:
        self._die("between the vendor's answer and the store")
        stored = await self.store.put_result_if_absent(scope, kind, input_hash, result)
        self.calls.append("write")
        self._die("after the store has it")
        return stored

    def _die(self, moment: str) -> None:
        if moment in self.moments:
            raise Killed(moment)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


@dataclass
class Vendor:
    """Gives another answer every time, and counts."""

    calls: int = 0
    meeting: asyncio.Barrier | None = None

    async def __call__(self) -> Transcript:
        self.calls += 1
        mine = self.calls
        if self.meeting is not None:
            await self.meeting.wait()
        return Transcript(state=TranscriptState.DONE, text=f"answer {mine}", cost_usd=0.01)


async def ask(store: Any, vendor: Vendor, *, payer: str = "event") -> Transcript:
    return await paid_once(store, SCOPE, "transcript", "h", Transcript, vendor, payer=payer, sleep=StillClock().sleep)


@pytest.mark.parametrize(
    ("moment", "paid"),
    [
        ("before the look-up", 1),
        ("after the look-up", 1),
        ("between the vendor's answer and the store", 2),  # nobody but the vendor knows of the first answer
        ("after the store has it", 1),
    ],
)
async def test_after_a_kill_only_an_answer_that_no_store_knows_is_paid_for_again(
    store: FullStore, moment: str, paid: int
) -> None:
    vendor = Vendor()
    with pytest.raises(Killed):
        await ask(Mortal(store, (moment,)), vendor)
    told = await ask(store, vendor)
    assert vendor.calls == paid
    assert (told.text, told.cost_usd, told.reused) == (f"answer {paid}", 0.01, False)
    assert (await store.count(SCOPE))["paid_results"] == 1


async def test_a_second_run_costs_one_read_and_nothing_else(store: FullStore) -> None:
    vendor, again = Vendor(), Mortal(store)
    first = await ask(store, vendor)
    assert await ask(again, vendor) == first
    assert (vendor.calls, again.calls) == (1, ["read"])


async def test_workers_that_race_tell_the_same_and_whoever_comes_later_pays_nothing(store: FullStore) -> None:
    vendor = Vendor(meeting=asyncio.Barrier(2))
    told = await asyncio.gather(ask(store, vendor, payer="a"), ask(store, vendor, payer="b"))
    assert vendor.calls == 2
    assert {each.text for each in told} == {(await ask(store, vendor, payer="a")).text}
    assert sorted(each.reused for each in told) == [False, True]
    assert vendor.calls == 2


# the daemons ---------------------------------------------------------------------------------------------------------
@dataclass
class Workshop:
    """Both paid daemons over one store, shelf and pair of vendors; each `spec` is a process of its own."""

    store: FullStore
    ear: Ear = field(default_factory=Ear)
    brain: Brain = field(default_factory=Brain)
    shelf: Shelf = field(default_factory=Shelf)

    async def spec(self, daemon: str, *moments: str) -> DaemonSpec[Any]:
        clock, tenants, store = StillClock(), await tenants_of(self.store), Mortal(self.store, moments)
        if daemon == "transcription":
            parts = (tenants, Tape(), self.ear, self.shelf, store, clock)
            return transcription.spec(Transcription(*parts, model="chirp_3"))
        parts = (tenants, self.brain, self.shelf, store, clock)  # type: ignore[assignment]
        models = {"model": "gemini", "embedding_model": "gemini-embedding-001", "thinking_budget": 512}
        return analysis.spec(AnalysisDaemon(*parts, **models))  # type: ignore[arg-type]

    @property
    def paid(self) -> tuple[int, int, int]:
        """Calls of the recognizer, of the model, and for embeddings."""
        return len(self.ear.heard), len(self.brain.prompts), len(self.brain.embedded)


DAEMONS: list[tuple[str, dict[str, Any]]] = [("transcription", call()), ("analysis", inbound())]


def section(published: Any, daemon: str) -> dict[str, Any]:
    found: dict[str, Any] = only(published)["transcript" if daemon == "transcription" else "analysis"]
    return {name: value for name, value in found.items() if name != "seconds"}


@pytest.mark.parametrize(("daemon", "document"), DAEMONS)
async def test_a_daemon_that_is_killed_before_it_publishes_pays_nothing_when_it_runs_again(
    store: FullStore, daemon: str, document: dict[str, Any]
) -> None:
    shop = Workshop(store)
    first = await (await shop.spec(daemon)).handler(record_of(Inbound, document))  # killed here: nobody publishes it
    paid = shop.paid
    again = await (await shop.spec(daemon)).handler(record_of(Inbound, document))
    assert shop.paid == paid
    assert section(again, daemon) == section(first, daemon)


@pytest.mark.parametrize(("daemon", "document"), DAEMONS)
async def test_a_daemon_that_is_killed_between_answer_and_store_pays_once_more_and_never_again(
    store: FullStore, daemon: str, document: dict[str, Any]
) -> None:
    shop, record = Workshop(store), record_of(Inbound, document)
    with pytest.raises(Killed):
        await (await shop.spec(daemon, "between the vendor's answer and the store")).handler(record)
    once = shop.paid
    await (await shop.spec(daemon)).handler(record)
    twice = shop.paid
    assert (once, twice) in [((1, 0, 0), (2, 0, 0)), ((0, 1, 0), (0, 2, 1))]
    await (await shop.spec(daemon)).handler(record)
    assert shop.paid == twice


async def test_an_embedding_is_paid_for_once_though_object_storage_is_away_for_a_moment(store: FullStore) -> None:
    shop = Workshop(store)
    shop.shelf.away = 2
    await (await shop.spec("analysis")).handler(record_of(Inbound, inbound()))
    assert shop.paid == (0, 1, 1)


async def test_a_change_of_the_words_is_new_work_and_the_same_words_of_another_lead_are_not(store: FullStore) -> None:
    shop = Workshop(store)
    spec = await shop.spec("analysis")
    for thing, message in (("1", "My roof leaks."), ("2", "My roof leaks."), ("3", "My gutter fell off.")):
        await spec.handler(record_of(Inbound, inbound(thing=thing, event=thing, lead={"message": message})))
    assert shop.paid == (0, 2, 2)


async def test_object_storage_that_stays_away_leaves_the_embedding_open_and_the_score_paid(store: FullStore) -> None:
    shop = Workshop(store)
    shop.shelf.away = 100
    spec = await shop.spec("analysis")
    with pytest.raises(RetryAfter, match="objects_unavailable"):
        await spec.handler(record_of(Inbound, inbound()))
    assert shop.paid == (0, 1, 1)
    assert (await store.count(SCOPE))["paid_results"] == 1
