"""Value types to rows (column name to value) and back, the same for every implementation.

A row to be written holds no tenant: the implementation adds the tenant of the scope, so that none can be smuggled in.
"""

import base64
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, Final

from connectors.store.columns import Row, StoreTime, normal
from connectors.store.merging import NO_OFFICE, Growth, Known
from connectors.store.seam import (
    Arrival,
    FieldState,
    Invalid,
    OfficeRow,
    Parked,
    ParkedGroup,
    RequestRow,
    Scope,
    Similar,
    Target,
    TenantRow,
)
from schemas import codec
from schemas.bundle import LiveBundle
from schemas.decision import Decision, Ticket
from schemas.delivery import FinalState, Outcome

REQUEST_FIELDS: Final = tuple(f.name for f in fields(RequestRow))
OFFICE_FIELDS: Final = tuple(f.name for f in fields(OfficeRow))
TENANT_FIELDS: Final = tuple(f.name for f in fields(TenantRow))


def tenant_values(row: TenantRow) -> Row:
    """Table `tenants`, without the times."""
    return {name: getattr(row, name) for name in TENANT_FIELDS if name not in ("tenant_id", "created_at")}


def tenant(row: Row) -> TenantRow:
    """A row of `tenants`."""
    return TenantRow(**{name: row[name] for name in TENANT_FIELDS})


def office_values(row: OfficeRow) -> Row:
    """Table `offices`, without the times."""
    if row.office_id == NO_OFFICE:
        raise Invalid(f"office_id {NO_OFFICE!r} is reserved")
    return {name: getattr(row, name) for name in OFFICE_FIELDS if name != "created_at"}


def no_office() -> Row:
    """The row of the office that requests without an office lie in."""
    return {"office_id": NO_OFFICE, "name": "no office", "status": "active"}


def office(row: Row) -> OfficeRow:
    """A row of `offices`."""
    return OfficeRow(**{name: row[name] for name in OFFICE_FIELDS})


def known(row: Row | None) -> Known | None:
    """What `merging` needs to know of a stored request."""
    if row is None:
        return None
    return Known(
        office_id=row["office_id"],
        test=row["test"],
        revision=row["revision"],
        field_revisions=row["field_revisions"],
    )


def growth_values(request_id: str, growth: Growth) -> Row:
    """Table `requests`: the columns that change."""
    return {
        "request_id": request_id,
        **growth.facts,
        "test": growth.test,
        "revision": growth.revision,
        "field_revisions": dict(growth.field_revisions),
        "updated_at": StoreTime.NOW,
    }


def request(row: Row) -> RequestRow:
    """A row of `requests`."""
    values = {name: row[name] for name in REQUEST_FIELDS}
    values["office_id"] = None if row["office_id"] == NO_OFFICE else row["office_id"]
    return RequestRow(**values)


def similar(row: Row) -> Similar:
    """A found neighbour."""
    return Similar(request_id=row["request_id"], distance=row["distance"])


def arrival_values(arrival: Arrival) -> Row:
    """Table `arrivals`, without `is_first`."""
    values = asdict(arrival)
    values["kafka_partition"], values["kafka_offset"] = values.pop("partition"), values.pop("offset")
    return {**values, "created_at": StoreTime.NOW}


def decision_values(scope: Scope, decision: Decision) -> Row:
    """Table `decisions`."""
    if decision.tenant_id != scope.tenant_id:
        raise Invalid("tenant_id of the decision is not the scope's")
    return {
        "event_id": decision.event_id,
        "phase": decision.phase.value,
        "generation": decision.generation,
        "decision_id": decision.decision_id,
        "request_id": decision.request_id,
        "document": decision.model_dump(mode="json"),
        "created_at": StoreTime.NOW,
    }


def decision(row: Row) -> Decision:
    """A row of `decisions`."""
    return Decision.model_validate(row["document"])


def decision_as_stored(values: Row) -> Decision:
    """The decision of a row, written or read: the winner of a race gets exactly what the losers get."""
    return Decision.model_validate(codec.loads(normal("document", values["document"])))


def ticket_values(ticket: Ticket) -> Row:
    """Table `tickets`."""
    return {
        "pool": ticket.pool,
        "number": ticket.number,
        "order_id": ticket.order_id,
        "member": ticket.member,
        "created_at": StoreTime.NOW,
    }


def ticket(row: Row) -> Ticket:
    """A row of `tickets`."""
    return Ticket(pool=row["pool"], order_id=row["order_id"], number=row["number"], member=row["member"])


def target_values(target: Target) -> Row:
    """Table `targets`, with the next version."""
    return {
        "connector_id": target.connector_id,
        "object": target.object,
        "external_id": target.external_id,
        "remote_id": target.remote_id,
        "fields": {name: asdict(state) for name, state in target.fields.items()},
        "version": target.version + 1,
        "updated_at": StoreTime.NOW,
    }


def target(row: Row) -> Target:
    """A row of `targets`."""
    return Target(
        connector_id=row["connector_id"],
        object=row["object"],
        external_id=row["external_id"],
        remote_id=row["remote_id"],
        fields={name: FieldState(**state) for name, state in row["fields"].items()},
        version=row["version"],
    )


def outcome_values(scope: Scope, outcome: Outcome) -> Row:
    """Table `outcomes`."""
    if outcome.envelope.tenant_id != scope.tenant_id:
        raise Invalid("tenant_id of the outcome is not the scope's")
    return {
        "event_id": outcome.envelope.event_id,
        "phase": outcome.phase.value,
        "step_id": outcome.step_id,
        "generation": outcome.generation,
        "outcome_id": outcome.outcome_id,
        "request_id": outcome.envelope.request_id,
        "state": outcome.state.value,
        "ended_at": outcome.at,
        "document": outcome.model_dump(mode="json"),
        "created_at": StoreTime.NOW,
    }


def outcome(row: Row) -> Outcome:
    """A row of `outcomes`."""
    return Outcome.model_validate(row["document"])


def parked_values(parked: Parked) -> Row:
    """Table `parked`; a record that was released before is parked anew."""
    values: dict[str, Any] = {f.name: getattr(parked, f.name) for f in fields(Parked)}
    values["headers"] = [[name, base64.b64encode(value).decode("ascii")] for name, value in parked.headers]
    return {**values, "parked_at": StoreTime.NOW, "released_at": None}


def parked(row: Row) -> Parked:
    """A row of `parked`."""
    values = {f.name: row[f.name] for f in fields(Parked)}
    values["headers"] = tuple((name, base64.b64decode(value)) for name, value in row["headers"])
    return Parked(**values)


def parked_group(row: Row) -> ParkedGroup:
    """A row of the overview of what waits."""
    return ParkedGroup(
        tenant_id=row["tenant_id"],
        stage=row["stage"],
        reason=row["reason"],
        count=row["rows_found"],
        oldest=row["oldest"],
        next_due=row["next_due"],
    )


def live_values(live: LiveBundle) -> Row:
    """Table `live_bundles`."""
    return {"sequence": live.sequence, "document": live.model_dump(mode="json"), "updated_at": StoreTime.NOW}


def live(row: Row) -> LiveBundle:
    """A row of `live_bundles`."""
    return LiveBundle.model_validate(row["document"])


def counts(found: Mapping[str, int]) -> Mapping[str, int]:
    """Counts by name, with a zero for every final state that has not happened."""
    states = {f"outcomes.{state.value}": 0 for state in FinalState if state is not FinalState.OTHER}
    return {**states, **found}
