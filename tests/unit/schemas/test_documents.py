"""Documents survive the future, and grow without touching what they do not know."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.documents import AnalysisState, Inbound, Sentiment, Transcript, TranscriptState, grow
from schemas.envelope import Phase, revision_key
from schemas.lead import Mode

NOW = datetime(2026, 3, 2, 15, 14, 23, tzinfo=UTC)
EVENT = "00000000-0000-5000-8000-000000000001"


def inbound() -> dict[str, Any]:
    return {
        "envelope": {
            "tenant_id": "acme",
            "endpoint_id": "form",
            "source": "form",
            "event_kind": "form_submission",
            "mode": "form",
            "event_id": EVENT,
            "request_id": EVENT,
            "contact_id": EVENT,
            "revision": {"received_at": NOW.isoformat(), "event_id": EVENT},
            "received_at": NOW.isoformat(),
        },
        "lead": {"name": "Zoë"},
        "raw": {"content_type": "text/plain", "sha256": "0" * 64, "size": 3, "encoding": "utf-8", "body": "abc"},
    }


def test_a_grown_document_keeps_fields_and_sections_of_the_future_and_leaves_the_raw_body_behind() -> None:
    document = inbound() | {"geo": {"planet": "Earth"}}
    document["lead"]["mood"] = {"of": "the day"}
    grown = grow(document, transcript=Transcript(state=TranscriptState.NONE, reason="no_recording"))
    assert grown["geo"] == {"planet": "Earth"}
    assert grown["lead"] == document["lead"]
    assert grown["raw"] == {"content_type": "text/plain", "sha256": "0" * 64, "size": 3}
    assert grown["transcript"]["reason"] == "no_recording"
    assert "transcript" not in document


def test_an_unknown_enumeration_value_reads_as_other_and_is_not_refused() -> None:
    document = inbound()
    document["envelope"]["mode"] = "telepathy"
    assert Inbound.model_validate(document).envelope.mode is Mode.OTHER
    assert Sentiment("elated") is Sentiment.OTHER
    assert AnalysisState("postponed") is AnalysisState.OTHER
    assert Phase("afterwards") is Phase.OTHER


def test_a_value_that_is_not_text_is_refused_by_an_open_enumeration() -> None:
    with pytest.raises(ValueError):
        Mode(7)  # type: ignore[arg-type]


def test_a_naive_time_is_refused() -> None:
    document = inbound()
    document["envelope"]["received_at"] = "2026-03-02T15:14:23"
    with pytest.raises(ValidationError, match="received_at"):
        Inbound.model_validate(document)


revisions = st.tuples(
    st.one_of(st.none(), st.integers(0, 10**15)),
    st.integers(0, 99),
    st.integers(0, 10**9).map(lambda seconds: NOW + timedelta(seconds=seconds)),
)


@given(revisions, revisions)
def test_revision_keys_sort_as_sequence_then_rank_then_time(
    left: tuple[int | None, int, datetime], right: tuple[int | None, int, datetime]
) -> None:
    def order(value: tuple[int | None, int, datetime]) -> tuple[int, int, datetime]:
        return (value[0] or 0, value[1], value[2])

    if order(left) != order(right):
        assert (revision_key(*left, EVENT) < revision_key(*right, EVENT)) == (order(left) < order(right))
