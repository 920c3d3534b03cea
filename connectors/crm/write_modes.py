"""Which fields of a record may be written, given what stands in the vendor's record now. Pure: no call is made here.

    on_create   when the record is new
    if_empty    when nothing stands there, or still what we wrote
    if_ours     as if_empty, but never again into a field of ours that a person has emptied
    always      whatever stands there

So what a person typed survives both careful modes, and what we wrote ourselves follows the newest revision whichever
of two arrived first: which event may write at all is the ledger's matter, not the mode's.
Null and blank values are never written. A field whose value stands there already is not sent, but counts as written:
so a delivery that is repeated after a crash tells the ledger the same as the first one would have.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.crm.sameness import is_empty, is_ours, same
from connectors.crm.seam import Record
from schemas.decision import FieldWrite, Write


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send (name to the value as the vendor takes it), and what stands there already."""

    send: dict[str, Any]
    standing: tuple[str, ...] = ()

    @property
    def written(self) -> tuple[str, ...]:
        """Names for `Written.fields`."""
        return (*self.send, *self.standing)


def needs_present(record: Record) -> bool:
    """Whether the present values must be read before this record can be written."""
    return any(f.write is not Write.ALWAYS for f in record.fields if not is_empty(f.value))


def plan(
    record: Record, present: Mapping[str, Any] | None, wire: Callable[[str, Any], Any] = lambda _, value: value
) -> Plan:
    """The fields to send; `present` is None for a new record, `wire` turns a value into what the vendor takes."""
    send: dict[str, Any] = {}
    standing: list[str] = []
    for field in record.fields:
        if is_empty(field.value):
            continue
        value = wire(field.name, field.value)
        if present is None:
            send[field.name] = value
            continue
        there = present.get(field.name)
        if not is_empty(there) and same(there, value):
            standing.append(field.name)
        elif _may_write(field, there, record.ours.get(field.name)):
            send[field.name] = value
    return Plan(send, tuple(standing))


def _may_write(field: FieldWrite, there: Any, ours: str | None) -> bool:
    match field.write:
        case Write.ALWAYS:
            return True
        case Write.ON_CREATE:
            return False
        case Write.IF_OURS:
            return ours is None if is_empty(there) else is_ours(there, ours)
        case _:
            # A mode from the future is read as the default.
            return is_empty(there) or is_ours(there, ours)
