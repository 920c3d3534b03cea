"""The analysis daemon: every lead goes on, scored or with the reason why not, and nothing is paid for twice."""

from typing import Any

import numpy as np
import pytest

from connectors.llm.seam import LlmMisconfigured, LlmQuota, LlmUnavailable
from connectors.store.seam import FullStore
from consumers import analysis
from consumers.analysis import AnalysisDaemon
from consumers.runtime.seam import Failure, Park, Publication, RetryAfter
from schemas import codec
from schemas.documents import Document, Inbound, Transcribed, Transcript, TranscriptState, grow
from tests.unit.consumers.house import (
    GOOD,
    NOW,
    TENANT,
    Brain,
    Shelf,
    StillClock,
    answer,
    call,
    go_live,
    inbound,
    intake,
    only,
    record_of,
    tenants_of,
)


class Desk:
    """The daemon with its parts."""

    def __init__(self, handler: AnalysisDaemon, brain: Brain, shelf: Shelf) -> None:
        self.brain, self.shelf = brain, shelf
        self.spec = analysis.spec(handler)

    async def handle(
        self, document: dict[str, Any], kind: type[Document] = Inbound, **of: Any
    ) -> tuple[Publication, ...]:
        return tuple(await self.spec.handler(record_of(kind, document, **of)))

    async def analysis(self, document: dict[str, Any], kind: type[Document] = Inbound) -> dict[str, Any]:
        found: dict[str, Any] = only(await self.handle(document, kind))["analysis"]
        return found


async def desk_of(store: FullStore, clock: StillClock, brain: Brain | None = None) -> Desk:
    brain, shelf = brain or Brain(), Shelf()
    handler = AnalysisDaemon(
        await tenants_of(store),
        brain,
        shelf,
        store,
        clock,
        model="gemini-2.5-flash",
        embedding_model="gemini-embedding-001",
        thinking_budget=512,
    )
    return Desk(handler, brain, shelf)


@pytest.fixture
async def desk(store: FullStore, clock: StillClock) -> Desk:
    return await desk_of(store, clock)


def transcribed(text: str) -> dict[str, Any]:
    return grow(call(), transcript=Transcript(state=TranscriptState.DONE, text=text))


async def test_a_form_is_scored_with_usage_and_cost(desk: Desk) -> None:
    [published] = await desk.handle(inbound())
    found = codec.loads(published.value)["analysis"]
    assert published.topic == "analyzed"
    assert (found["state"], found["lead_score"], found["urgency"], found["tags"]) == ("done", 82, "high", ["roof"])
    assert found["usage"]["prompt_tokens"] == 100
    assert found["usage"]["embedding_tokens"] == 7
    assert found["usage"]["cost_usd"] == pytest.approx(0.001001)
    assert (found["prompt_version"], found["repaired"], found["reused"]) == ("1", False, False)


@pytest.mark.parametrize(
    ("document", "kind", "words"),
    [
        (transcribed("1: My gutter fell off."), Transcribed, "My gutter fell off."),
        (inbound(lead={"message": "Please call me", "custom": {"budget": "5000"}}), Inbound, "budget: 5000"),
        (
            inbound(lead={"chat": {"chat_id": "c", "messages": [{"by": "visitor", "text": "Are you open?"}]}}),
            Inbound,
            "visitor: Are you open?",
        ),
        (
            inbound(lead={"booking": {"booking_id": "b", "status": "scheduled", "title": "Roof check"}}),
            Inbound,
            "Booking (scheduled): Roof check",
        ),
    ],
)
async def test_the_model_reads_what_was_said_written_or_booked(
    desk: Desk, document: dict[str, Any], kind: type[Document], words: str
) -> None:
    await desk.handle(document, kind)
    [prompt] = desk.brain.prompts
    assert words in prompt.content
    assert words not in prompt.instructions


async def test_a_lead_without_words_is_skipped_and_costs_nothing(desk: Desk) -> None:
    found = await desk.analysis(inbound(lead={"phone": "+13125550142"}))
    assert (found["state"], found["reason"], found["lead_score"]) == ("skipped", "nothing_to_read", None)
    assert desk.brain.prompts == []
    assert desk.brain.embedded == []


async def test_an_answer_outside_the_schema_is_repaired_once(desk: Desk) -> None:
    desk.brain.answers = [answer({**GOOD, "lead_score": 820}), answer(dict(GOOD))]
    found = await desk.analysis(inbound())
    first, second = desk.brain.prompts
    assert (found["state"], found["repaired"], found["lead_score"]) == ("done", True, 82)
    assert found["usage"]["prompt_tokens"] == 200
    assert first.previous_answer is None
    assert second.previous_answer is not None
    assert "820" in second.previous_answer
    assert "lead_score" in (second.complaint or "")
    assert (second.content, second.instructions, second.labels) == (first.content, first.instructions, first.labels)


@pytest.mark.parametrize("finish", ["STOP", "MAX_TOKENS"])
async def test_after_one_failed_repair_the_lead_goes_on_unscored(desk: Desk, finish: str) -> None:
    desk.brain.answers = [answer(None, text="I cannot", finish=finish)]
    found = await desk.analysis(inbound())
    assert len(desk.brain.prompts) == 2
    assert (found["state"], found["reason"], found["lead_score"]) == ("unscored", "answer_outside_schema", None)
    assert found["usage"]["answer_tokens"] == 40


@pytest.mark.parametrize(
    ("finish", "reason"), [("SAFETY", "blocked_safety"), ("BLOCKED_PROHIBITED_CONTENT", "blocked_prohibited_content")]
)
async def test_a_blocked_answer_is_not_asked_for_again(desk: Desk, finish: str, reason: str) -> None:
    desk.brain.answers = [answer(None, text="", finish=finish)]
    found = await desk.analysis(inbound())
    assert len(desk.brain.prompts) == 1
    assert (found["state"], found["reason"]) == ("unscored", reason)


async def test_the_embedding_is_kept_as_float32_under_its_hash(desk: Desk) -> None:
    found = (await desk.analysis(inbound()))["embedding"]
    packed = desk.shelf.kept[TENANT, found["ref"]]
    assert codec.sha256(packed) == found["ref"]
    assert len(packed) == 768 * 4
    assert np.frombuffer(packed, dtype="<f4")[0] == 1.0
    assert (found["model"], found["dimensions"]) == ("gemini-embedding-001", 768)


async def test_a_tenant_without_embeddings_pays_for_none(bare_store: FullStore, clock: StillClock) -> None:
    await go_live(bare_store, intake(ai={"embedding_enabled": False}))
    desk = await desk_of(bare_store, clock)
    assert (await desk.analysis(inbound()))["embedding"] is None
    assert desk.brain.embedded == []


async def test_billing_labels_carry_the_tenant(desk: Desk) -> None:
    await desk.handle(inbound())
    assert desk.brain.prompts[0].labels == {"tenant": TENANT}
    assert desk.brain.embedded[0][1] == {"tenant": TENANT}


async def test_the_tenants_thinking_budget_goes_before_the_houses(bare_store: FullStore, clock: StillClock) -> None:
    await go_live(bare_store, intake(ai={"thinking_budget": 0}))
    desk = await desk_of(bare_store, clock)
    await desk.handle(inbound())
    assert desk.brain.prompts[0].thinking_budget == 0


async def test_the_same_words_are_paid_for_once(desk: Desk) -> None:
    first = await desk.analysis(inbound(event="1"))
    again = await desk.analysis(inbound(event="2", thing="2"))
    assert (len(desk.brain.prompts), len(desk.brain.embedded)) == (1, 1)
    assert (first["reused"], again["reused"]) == (False, True)
    assert (again["usage"]["cost_usd"], again["usage"]["embedding_tokens"]) == (0.0, 0)
    assert again["lead_score"] == first["lead_score"]
    assert again["embedding"] == first["embedding"]


async def test_one_tenant_does_not_reuse_what_another_paid_for(store: FullStore, clock: StillClock) -> None:
    await go_live(store, intake("lakeside"))
    desk = await desk_of(store, clock)
    await desk.handle(inbound())
    await desk.handle(inbound(tenant="lakeside"))
    assert len(desk.brain.prompts) == 2


async def test_a_failed_embedding_does_not_pay_the_answer_twice(desk: Desk) -> None:
    desk.brain.embedding = LlmUnavailable("503")
    with pytest.raises(RetryAfter, match="llm_unavailable"):
        await desk.handle(inbound())
    desk.brain.embedding = None
    found = await desk.analysis(inbound())
    assert len(desk.brain.prompts) == 1
    assert (found["state"], found["lead_score"]) == ("done", 82)
    assert found["embedding"] is not None


async def test_thinking_steps_travel_by_reference(desk: Desk) -> None:
    desk.brain.answers = [answer(dict(GOOD), thoughts=("It leaks.", "So it is urgent."))]
    found = await desk.analysis(inbound())
    assert codec.loads(desk.shelf.kept[TENANT, found["thinking_ref"]]) == ["It leaks.", "So it is urgent."]


async def test_object_storage_that_stays_away_is_waited_for_by_the_embedding(desk: Desk) -> None:
    desk.shelf.away = 100
    with pytest.raises(RetryAfter, match="objects_unavailable"):
        await desk.handle(inbound())
    desk.shelf.away = 0
    await desk.handle(inbound())
    assert len(desk.brain.prompts) == 1


async def test_a_full_vendor_is_tried_again_after_its_own_delay(desk: Desk) -> None:
    desk.brain.answers = [LlmQuota("full", delay=17.0)]
    with pytest.raises(RetryAfter) as caught:
        await desk.handle(inbound())
    assert (caught.value.reason, caught.value.delay) == ("llm_quota", 17.0)


async def test_a_wrong_model_waits_for_a_person(desk: Desk) -> None:
    desk.brain.answers = [LlmMisconfigured("no such model")]
    with pytest.raises(Park, match="llm_misconfigured"):
        await desk.handle(inbound())


async def test_a_chat_that_has_begun_ends_as_superseded(desk: Desk) -> None:
    [published] = await desk.handle(inbound(interim=True, kind="chat:start"))
    ended = codec.loads(published.value)
    assert (published.topic, ended["state"], ended["phase"]) == ("outcomes", "superseded", "analyzed")
    assert desk.brain.prompts == []


async def test_an_unparsed_event_is_left_to_routing(desk: Desk) -> None:
    assert await desk.handle(inbound(unparsed="not JSON")) == ()


async def test_a_dead_letter_ends_the_analyzed_phase(desk: Desk) -> None:
    ended = only(desk.spec.on_dead(record_of(Inbound, inbound()), Failure("gave_up", "", 3, NOW)))
    assert (ended["state"], ended["phase"], ended["reason"]) == ("dead", "analyzed", "analysis: gave_up")
