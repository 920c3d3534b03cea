"""What the console shows in these tests: one lead with everything, one whose name is markup, one with nothing known."""

from datetime import UTC, datetime, timedelta

from connectors.store.seam import FullStore, OfficeRow, RequestRow, Scope, TenantRow
from schemas.decision import Decided
from schemas.delivery import Outcome
from tests.unit.schemas.recorded.reading import recorded_events

TENANT = "bright-dental"
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MARKUP = 'Zoë <b id="injected">Marchand</b><script>document.title = "taken over"</script>'


async def fill(store: FullStore) -> None:
    """Put the leads into the store; the first has a recorded decision and the outcomes of its steps."""
    scope = Scope(TENANT)
    events = {event.name: event for event in recorded_events()}
    decided = Decided.model_validate(events["decided-deliver-analyzed"].value)
    decision = decided.decision.model_copy(update={"tenant_id": TENANT, "tickets": ()})
    await store.put_tenant(TenantRow(TENANT, "Bright Dental"), [OfficeRow("downtown", "Downtown")])
    await store.merge_request(
        scope,
        RequestRow(
            request_id=decision.request_id,
            office_id="downtown",
            communication_mode="phone_call",
            caller_name="Marta Ibáñez",
            caller_phone="+13125550142",
            caller_email="marta@example.test",
            transcription_data={"state": "done", "text": "Agent: Bright Dental.\nCaller: I need an implant."},
            lead_score=82,
            spam_likelihood=0.03,
            received_at=NOON,
            revision="1",
        ),
    )
    await store.put_decision_if_absent(scope, decision)
    delivered = Outcome.model_validate(events["outcome-step"].value)
    for step in decision.steps:
        await store.put_outcome(
            scope,
            delivered.model_copy(
                update={
                    "envelope": delivered.envelope.model_copy(
                        update={
                            "tenant_id": TENANT,
                            "request_id": decision.request_id,
                            "event_id": decision.event_id,
                            "office_id": "downtown",
                        }
                    ),
                    "outcome_id": step.order_id,
                    "step_id": step.step_id,
                    "phase": decision.phase,
                }
            ),
        )
    for number, name in enumerate((MARKUP, None), start=1):
        await store.merge_request(
            scope,
            RequestRow(
                request_id=f"00000000-0000-5000-8000-00000000000{number}",
                communication_mode="form",
                caller_name=name,
                received_at=NOON + timedelta(minutes=number),
                revision="1",
            ),
        )
