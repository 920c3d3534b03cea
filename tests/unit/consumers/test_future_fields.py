"""A document as a newer version writes it passes every daemon: what nobody here knows arrives verbatim."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from connectors.bundles.live import LiveBundles
from connectors.store.seam import FullStore
from consumers import analysis, delivery, recorder, routing, transcription
from consumers.routing import Routing
from consumers.rulesets import RuleSets
from consumers.runtime.seam import DaemonSpec, Publication
from consumers.specs import offline_specs
from schemas import codec
from schemas.delivery import DeliveryOrder
from schemas.documents import (
    Analysis,
    AnalysisState,
    Analyzed,
    Document,
    Inbound,
    Transcribed,
    Transcript,
    TranscriptState,
    grow,
)
from tests.unit.consumers.house import (
    FUTURE,
    Brain,
    Ear,
    Shelf,
    StillClock,
    Tape,
    call,
    go_live,
    inbound,
    intake,
    record_of,
    tenants_of,
    with_future,
)
from tests.unit.consumers.orders import Client, Crm, delivery_of, lead_order, mail
from tests.unit.consumers.test_routing import CREATE, rule, rules

Built = Callable[[FullStore], Awaitable[DaemonSpec[Any]]]


async def the_transcription(store: FullStore) -> DaemonSpec[Any]:
    parts = (Tape(), Ear(), Shelf(), store, StillClock())
    return transcription.spec(transcription.Transcription(await tenants_of(store), *parts, model="chirp_3"))


async def the_analysis(store: FullStore) -> DaemonSpec[Any]:
    parts = (Brain(), Shelf(), store, StillClock())
    names = {"model": "m", "embedding_model": "e", "thinking_budget": 0}
    return analysis.spec(analysis.AnalysisDaemon(await tenants_of(store), *parts, **names))  # type: ignore[arg-type]


async def the_routing(store: FullStore) -> DaemonSpec[Any]:
    halves: Any = LiveBundles(store, "rules", lambda live, half: half)
    await halves.refresh()
    return routing.spec(Routing(RuleSets(await tenants_of(store), halves), store, StillClock()))


async def the_delivery(store: FullStore) -> DaemonSpec[Any]:
    return delivery.spec(delivery_of(store, await tenants_of(store), Client(Crm())))


async def the_recorder(store: FullStore) -> DaemonSpec[Any]:
    return recorder.spec(recorder.Recorder(store, Shelf(), StillClock()))


HEARD = grow(call(), transcript=Transcript(state=TranscriptState.DONE, text="My roof leaks."))
SCORED = grow(HEARD, analysis=Analysis(state=AnalysisState.DONE, lead_score=80))

PASSES: list[tuple[str, Built, type[Document], Mapping[str, Any], str]] = [
    ("transcription", the_transcription, Inbound, call(), "transcribed"),
    ("analysis of a message", the_analysis, Inbound, inbound(), "analyzed"),
    ("analysis of a call", the_analysis, Transcribed, HEARD, "analyzed"),
    ("routing on receipt", the_routing, Inbound, inbound(), "decided"),
    ("routing after analysis", the_routing, Analyzed, SCORED, "decided"),
    ("delivery", the_delivery, DeliveryOrder, lead_order(following=(mail("next"),)), "deliver.email"),
]


@pytest.fixture
async def house(bare_store: FullStore) -> FullStore:
    await go_live(bare_store, intake(), rules(rule(CREATE), rule(CREATE, phase="analyzed")))
    return bare_store


async def passed(
    built: Built, store: FullStore, kind: type[Document], document: Mapping[str, Any]
) -> list[Publication]:
    spec = await built(store)
    return list(await spec.handler(record_of(kind, document)))


@pytest.mark.parametrize(("built", "kind", "document", "topic"), [p[1:] for p in PASSES], ids=[p[0] for p in PASSES])
async def test_sections_and_fields_of_the_future_arrive_verbatim(
    house: FullStore, built: Built, kind: type[Document], document: Mapping[str, Any], topic: str
) -> None:
    sent = with_future(document)
    [found] = [codec.loads(p.value) for p in await passed(built, house, kind, sent) if p.topic == topic]
    assert found["weather"] == FUTURE["weather"]
    own = {"raw", "step", "following", "results"}
    for name, section in sent.items():
        if name not in own:
            assert found[name] == section, name
    if kind is DeliveryOrder:
        assert found["step"] == sent["following"][0]
    else:
        assert found["raw"] == {name: value for name, value in sent["raw"].items() if name not in ("body", "encoding")}


@pytest.mark.parametrize(
    ("built", "kind", "document"), [p[1:4] for p in PASSES if p[2] is not DeliveryOrder], ids=lambda value: None
)
async def test_the_raw_body_is_left_behind_and_its_digest_kept(
    house: FullStore, built: Built, kind: type[Document], document: Mapping[str, Any]
) -> None:
    published = [codec.loads(p.value) for p in await passed(built, house, kind, document)]
    for found in published:
        assert "body" not in found.get("raw", {})
    assert [found["raw"]["sha256"] for found in published if "raw" in found] == ["a" * 64]


@pytest.mark.parametrize(
    ("built", "kind", "document"),
    [
        (the_transcription, Inbound, call(interim=True)),
        (the_analysis, Inbound, inbound(interim=True)),
        (the_delivery, DeliveryOrder, lead_order()),
    ],
)
async def test_an_outcome_carries_the_envelope_verbatim(
    house: FullStore, built: Built, kind: type[Document], document: Mapping[str, Any]
) -> None:
    sent = with_future(document)
    [ended] = [codec.loads(p.value) for p in await passed(built, house, kind, sent) if p.topic == "outcomes"]
    assert ended["envelope"] == sent["envelope"]


async def test_a_duplicate_is_told_with_the_envelope_verbatim(house: FullStore) -> None:
    spec, sent = await the_recorder(house), with_future(inbound())
    await spec.handler(record_of(Inbound, sent, offset=1))
    [ended] = await spec.handler(record_of(Inbound, sent, offset=2))
    assert codec.loads(ended.value)["envelope"] == sent["envelope"]


@pytest.mark.parametrize(("kind", "document"), [(Inbound, call()), (Transcribed, HEARD), (Analyzed, SCORED)])
async def test_the_recorder_reads_documents_of_the_future(
    house: FullStore, kind: type[Document], document: Mapping[str, Any]
) -> None:
    spec = await the_recorder(house)
    assert await spec.handler(record_of(kind, with_future(document))) == ()


@pytest.mark.parametrize("mode", ["telepathy", "other"])
async def test_an_unknown_mode_is_an_other_one_and_stays_what_it_was(house: FullStore, mode: str) -> None:
    [published] = await passed(the_analysis, house, Inbound, inbound(mode=mode))
    assert codec.loads(published.value)["envelope"]["mode"] == mode


def test_every_document_daemon_is_covered_here() -> None:
    covered = {name.split()[0] for name, *_ in PASSES} | {"recorder"}
    assert {spec.name for spec in offline_specs()} == covered
