"""From the store's values to the API's answers, masked for who may not see personal data."""

from connectors.store.seam import RequestRow
from ops.api.masking import masked_email, masked_name, masked_phone
from schemas.api import LeadDetail, LeadSummary, OutcomeSummary
from schemas.decision import Decision
from schemas.delivery import Outcome
from schemas.lead import Mode


def summary(row: RequestRow, *, personal: bool) -> LeadSummary:
    """One line of the list."""
    return LeadSummary(
        request_id=row.request_id,
        office_id=row.office_id,
        mode=Mode(row.communication_mode or "other"),
        name=row.caller_name if personal else masked_name(row.caller_name),
        phone=row.caller_phone if personal else masked_phone(row.caller_phone),
        email=row.caller_email if personal else masked_email(row.caller_email),
        lead_score=None if row.lead_score is None else round(row.lead_score),
        spam_likelihood=row.spam_likelihood,
        created_at=row.created_at,
        processed_at=row.processed_at,
    )


def detail(row: RequestRow, decisions: list[Decision], outcomes: list[Outcome], *, personal: bool) -> LeadDetail:
    """Everything about one lead; transcript, analysis and plans are personal data."""
    return LeadDetail(
        **summary(row, personal=personal).model_dump(),
        transcription=row.transcription_data if personal else None,
        analysis=row.ai_analysis if personal else None,
        decisions=tuple(
            {
                "phase": decision.phase.value,
                "rule": decision.rule_id,
                "title": decision.rule_title,
                "why": decision.why,
                "rules_version": decision.rules_version,
                "decided_at": decision.decided_at.isoformat(),
            }
            for decision in decisions
        ),
        outcomes=tuple(
            OutcomeSummary(
                phase=outcome.phase,
                step_id=outcome.step_id,
                state=outcome.state,
                reason=outcome.reason,
                connector_id=outcome.connector_id,
                at=outcome.at,
            )
            for outcome in outcomes
        ),
    )
