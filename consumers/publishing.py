"""What daemons publish: documents with their headers, and final states.

Every key is the request's id, so that all records of one request keep their order wherever they go.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from consumers.runtime.clock import Clock
from consumers.runtime.seam import Failure, Publication, Record
from schemas import codec, identity
from schemas.delivery import FinalState, Outcome
from schemas.documents import Document
from schemas.envelope import Envelope, Phase
from schemas.headers import document_headers
from schemas.topics import OUTCOMES


def publication(topic: str, kind: type[Document], envelope: Envelope, document: Mapping[str, Any]) -> Publication:
    """A document for a topic; `document` is its JSON, with every section and field it came with."""
    return Publication(
        topic=topic,
        key=envelope.request_id.encode(),
        value=codec.dumps(document),
        headers=tuple(
            document_headers(
                tenant=envelope.tenant_id,
                request_id=envelope.request_id,
                event_id=envelope.event_id,
                schema=kind.schema_name,
                version=kind.schema_version,
                test=envelope.test,
            )
        ),
    )


def outcome(
    envelope: Mapping[str, Any],
    *,
    phase: Phase,
    state: FinalState,
    reason: str,
    at: datetime,
    step_id: str = "",
    generation: int = 0,
    **more: Any,
) -> Publication:
    """The final state of (event, phase, step); `envelope` is the JSON that was read, copied verbatim."""
    view = Envelope.model_validate(envelope)
    value = Outcome(
        envelope=view,
        outcome_id=identity.outcome_id(view.tenant_id, view.event_id, phase, step_id, generation),
        phase=phase,
        step_id=step_id,
        generation=generation,
        state=state,
        reason=reason,
        at=at,
        **more,
    )
    told = value.model_dump(mode="json", exclude={"envelope"})
    return publication(OUTCOMES, Outcome, view, {"envelope": envelope, **told})


def interim_ended(record: Record[Any], at: datetime) -> Publication:
    """The end of the phase `analyzed` for an event that more events of its request are sure to follow."""
    kind = record.document.envelope.event_kind
    return outcome(
        record.json["envelope"],
        phase=Phase.ANALYZED,
        state=FinalState.SUPERSEDED,
        reason=f"{kind}: more is sure to follow, and that will be analyzed",
        at=at,
    )


def ends_dead(
    stage: str, clock: Clock, phase: Callable[[Record[Any]], Phase] = lambda record: Phase.ANALYZED
) -> Callable[[Record[Any], Failure], Sequence[Publication]]:
    """What a stage says of a record that it sends to the dead letters: the phase ends there."""

    def on_dead(record: Record[Any], failure: Failure) -> Sequence[Publication]:
        reason = f"{stage}: {failure.reason}"
        envelope = record.json["envelope"]
        return (outcome(envelope, phase=phase(record), state=FinalState.DEAD, reason=reason, at=clock.now()),)

    return on_dead
