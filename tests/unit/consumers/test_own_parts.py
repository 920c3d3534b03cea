"""A part of our own that is away is no fault of the record: it waits, and is a matter for a person only later."""

from collections.abc import Sequence
from typing import Any

import pytest

from connectors.bundles.live import LiveBundles
from connectors.recordings.seam import ObjectsUnavailable
from connectors.store.opening import open_store
from connectors.store.seam import Conflict, FullStore, Invalid, Unavailable
from consumers import analysis, recorder, routing, transcription
from consumers.own_parts import LOOKS, patient
from consumers.routing import Routing
from consumers.rulesets import RuleSets
from consumers.runtime.seam import HandlerError, Park, Publication, Record, RetryAfter
from consumers.specs import offline_specs
from schemas.documents import Inbound
from schemas.tenant import IntakeBundle
from tests.unit.consumers.house import Brain, Ear, Shelf, StillClock, Tape, call, inbound, record_of, tenants_of


def failing(error: Exception) -> Any:
    async def handle(record: Record[Inbound]) -> Sequence[Publication]:
        raise error

    return patient(handle)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Unavailable("secret words"), "store_unavailable"),
        (Conflict("secret words"), "store_conflict"),
        (ObjectsUnavailable("secret words"), "objects_unavailable"),
    ],
)
async def test_what_is_only_away_is_tried_again(error: Exception, reason: str) -> None:
    with pytest.raises(RetryAfter) as caught:
        await failing(error)(record_of(Inbound, inbound()))
    assert caught.value.reason == reason
    assert "secret" not in caught.value.detail


@pytest.mark.parametrize("error", [Invalid("audio_seconds"), ValueError("ours"), Park("held")])
async def test_every_other_error_goes_through_untouched(error: Exception) -> None:
    with pytest.raises(type(error)):
        await failing(error)(record_of(Inbound, inbound()))


async def handlers(store: FullStore, tenants: LiveBundles[IntakeBundle]) -> dict[str, Any]:
    clock, shelf = StillClock(), Shelf()
    rules: Any = LiveBundles(store, "rules", lambda live, half: half)
    rules.loaded = tenants.loaded
    return {
        "transcription": transcription.spec(
            transcription.Transcription(tenants, Tape(), Ear(), shelf, store, clock, model="chirp_3")
        ),
        "analysis": analysis.spec(
            analysis.AnalysisDaemon(
                tenants, Brain(), shelf, store, clock, model="m", embedding_model="e", thinking_budget=0
            )
        ),
        "routing": routing.spec(Routing(RuleSets(tenants, rules), store, clock)),
        "recorder": recorder.spec(recorder.Recorder(store, shelf, clock)),
    }


@pytest.mark.parametrize("name", ["transcription", "analysis", "recorder"])
async def test_a_store_that_went_away_makes_no_dead_letter(store: FullStore, name: str, tmp_path: Any) -> None:
    tenants = await tenants_of(store)
    gone = open_store(f"sqlite:///{tmp_path / 'missing' / 'store.db'}")
    spec = (await handlers(gone, tenants))[name]
    with pytest.raises(RetryAfter, match="store_unavailable"):
        await spec.handler(record_of(Inbound, inbound() if name == "analysis" else call()))
    await gone.close()


@pytest.mark.parametrize("name", ["transcription", "analysis", "routing"])
async def test_before_the_bundles_were_read_nothing_is_parked(bare_store: FullStore, name: str) -> None:
    unread: LiveBundles[IntakeBundle] = LiveBundles(bare_store, "intake", lambda live, half: half)
    spec = (await handlers(bare_store, unread))[name]
    with pytest.raises(RetryAfter, match="bundles_not_loaded"):
        await spec.handler(record_of(Inbound, call(), attempt=LOOKS + 5))


@pytest.mark.parametrize("name", ["transcription", "analysis", "routing"])
@pytest.mark.parametrize(("attempt", "error"), [(0, RetryAfter), (LOOKS - 1, RetryAfter), (LOOKS, Park)])
async def test_a_tenant_that_nobody_knows_is_looked_for_again_before_a_person_is_asked(
    bare_store: FullStore, name: str, attempt: int, error: type[HandlerError]
) -> None:
    tenants = await tenants_of(bare_store)
    spec = (await handlers(bare_store, tenants))[name]
    with pytest.raises(error, match="unknown_tenant"):
        await spec.handler(record_of(Inbound, call(), attempt=attempt))


def test_every_document_daemon_is_patient() -> None:
    assert all("patient" in (spec.batch_handler or spec.handler).__qualname__ for spec in offline_specs())
