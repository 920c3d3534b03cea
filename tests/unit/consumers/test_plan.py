"""A plan is a chain: every step ends once, and the last word is said once."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.plan import finished, first_order
from consumers.runtime.seam import Publication
from schemas import codec
from schemas.decision import Decision, OnError
from schemas.delivery import FinalState
from tests.unit.consumers.house import NOW, RECEIVED_AT, envelope, told
from tests.unit.consumers.orders import mail, model, order, record, step

PERSON = record("contact", "3" * 8 + "-3333-3333-3333-" + "3" * 12, {"phone": "1"})


def end(
    document: dict[str, Any], state: FinalState = FinalState.DELIVERED, **more: Any
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The outcomes and the next orders after a step has ended."""
    published = list(finished(model(document), document, state, "because", NOW, **more))
    orders = [codec.loads(p.value) for p in published if p.topic.startswith("deliver.")]
    return told(published, "outcomes"), orders


def test_the_next_order_carries_the_results_so_far() -> None:
    document = order(step(PERSON), mail("mail"), mail("second"))
    [ended], [following] = end(document, remote_ids={"contact": "17"}, url="https://crm.example.test/17")
    assert (ended["state"], ended["step_id"], ended["last"], ended["remote_ids"]) == (
        "delivered",
        "step-1",
        False,
        {"contact": "17"},
    )
    assert following["step"]["step_id"] == "mail"
    assert [s["step_id"] for s in following["following"]] == ["second"]
    result = following["results"]["step-1"]
    assert (result["state"], result["remote_ids"], result["url"]) == (
        "delivered",
        {"contact": "17"},
        "https://crm.example.test/17",
    )
    [_], [last] = end(following)
    assert set(last["results"]) == {"step-1", "mail"}
    assert last["ordered_at"] == document["ordered_at"]


def test_an_order_goes_to_the_topic_of_its_connectors_kind() -> None:
    document = order(step(PERSON), mail("mail"))
    published = finished(model(document), document, FinalState.DELIVERED, "", NOW)
    assert [p.topic for p in published] == ["outcomes", "deliver.email"]


@pytest.mark.parametrize("state", [FinalState.DEAD, FinalState.EXPIRED])
def test_a_failed_step_with_continue_goes_on(state: FinalState) -> None:
    document = order(step(PERSON, on_error=OnError.CONTINUE.value), mail("mail"))
    [ended], [following] = end(document, state)
    assert (ended["state"], ended["last"]) == (state.value, False)
    assert following["results"]["step-1"]["state"] == state.value


@pytest.mark.parametrize("state", [FinalState.DEAD, FinalState.EXPIRED])
def test_a_failed_step_with_stop_ends_every_step_behind_it(state: FinalState) -> None:
    document = order(step(PERSON, on_error="stop"), mail("mail"), mail("second"))
    ended, orders = end(document, state)
    assert orders == []
    assert [(o["step_id"], o["state"], o["last"]) for o in ended] == [
        ("step-1", state.value, False),
        ("mail", state.value, False),
        ("second", state.value, True),
    ]
    assert ended[1]["reason"] == f"not tried: step step-1 ended {state.value}"
    assert [o["connector_id"] for o in ended] == ["pipedrive", "mailbox", "mailbox"]


@pytest.mark.parametrize("state", [FinalState.DELIVERED, FinalState.RECORDED, FinalState.SUPERSEDED])
def test_stop_is_for_failures_only(state: FinalState) -> None:
    document = order(step(PERSON, on_error="stop"), mail("mail"))
    _, orders = end(document, state)
    assert len(orders) == 1


steps = st.lists(st.sampled_from(["continue", "stop"]), min_size=1, max_size=5)
states = st.sampled_from([FinalState.DELIVERED, FinalState.DEAD, FinalState.EXPIRED, FinalState.SUPERSEDED])


@given(steps, st.data())
def test_however_a_chain_goes_every_step_ends_once_and_only_the_last_says_so(
    on_error: list[str], data: st.DataObject
) -> None:
    names = [f"step-{number}" for number in range(len(on_error))]
    planned = [mail(name, on_error=each) for name, each in zip(names, on_error, strict=True)]
    waiting, ended = [order(planned[0], *planned[1:])], []
    while waiting:
        outcomes, waiting = end(waiting[0], data.draw(states))
        ended += outcomes
    assert [o["step_id"] for o in ended] == names
    assert [o["last"] for o in ended] == [False] * (len(names) - 1) + [True]
    assert len({o["outcome_id"] for o in ended}) == len(names)


def test_a_step_of_a_kind_from_the_future_goes_to_its_own_topic() -> None:
    pigeon = mail("pigeon") | {"connector_kind": "pigeon"}
    document = order(step(PERSON), pigeon)
    published: list[Publication] = list(finished(model(document), document, FinalState.DELIVERED, "", NOW))
    assert published[-1].topic == "deliver.pigeon"
    assert codec.loads(published[-1].value)["step"] == pigeon


def test_a_decision_without_steps_starts_nothing() -> None:
    about = envelope()
    decision = Decision.model_validate(
        {
            "decision_id": about["event_id"],
            "tenant_id": "acme",
            "event_id": about["event_id"],
            "request_id": about["request_id"],
            "phase": "received",
            "action": "deliver",
            "rule_id": "a",
            "rule_title": "A",
            "why": "Because.",
            "rules_version": "0" * 64,
            "intake_version": "0" * 64,
            "facts_sha256": "0" * 64,
            "engine": "e",
            "decided_at": RECEIVED_AT.isoformat(),
        }
    )
    assert first_order(about, decision) == ()
