"""The life of an order's row: who may take it, and what each step makes of it. Pure; the caller holds the row locked.

    free ──claim──▶ claimed ──mark_sent──▶ sent ──finish──▶ done | failed
      ▲                │ release              │ release (certain that nothing happened)
      └────────────────┴──────────────────────┘

- `version` rises whenever somebody takes the row, so a claim of before does not pass `mark_sent`.
- A lease counts from the commit that took it, by the store's clock. `mark_sent` refuses an expired one, because
  somebody may be taking it over. Parts and ends are facts about the effect: they are kept as long as nobody else has
  taken the row.
- `in_doubt`: the row was taken over in state `sent`; the effect may have happened. It stays until the new owner
  itself marks it sent, finishes or releases it.
- Every step may be repeated by the same owner with the same values and answers the same.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from connectors.store.columns import Row, StoreTime, normal
from connectors.store.seam import Claim, Conflict, Invalid, NotFound

LONGEST_LEASE: Final = 86_400.0


def needs_clock(row: Row | None) -> bool:
    """Whether the rules need the store's time for this row: only a held lease can be expired."""
    return row is not None and row["owner"] is not None and row["state"] in ("claimed", "sent")


def seen(order_id: str, row: Row, *, mine: bool) -> Claim:
    """The row as a caller sees it."""
    return Claim(
        order_id=order_id,
        state=row["state"],
        mine=mine,
        version=row["version"],
        taken_over=mine and row["in_doubt"],
        result=row["result"],
        parts=dict(row["parts"]),
    )


def claimed(row: Row | None, owner: str, lease_seconds: float, now: datetime | None) -> Row | None:
    """The row after `claim_order`; None when it is not to be had and stays as it is."""
    if not 0 < lease_seconds <= LONGEST_LEASE:
        raise Invalid(f"lease_seconds must be above 0 and at most {LONGEST_LEASE:.0f}")
    lease = {"owner": owner, "leased_at": StoreTime.NOW, "lease_seconds": lease_seconds}
    if row is None:
        return {"state": "claimed", "version": 1, "in_doubt": False, "result": None, "parts": {}, **lease}
    if row["state"] in ("done", "failed"):
        return None
    holder = row["owner"]
    if holder not in (None, owner) and not _expired(row, now):
        return None
    from_another = holder not in (None, owner)
    in_doubt = row["state"] == "sent" and (row["in_doubt"] or from_another)
    return {**row, **lease, "version": row["version"] + 1, "in_doubt": in_doubt}


def sent(row: Row | None, claim: Claim, owner: str, now: datetime | None) -> Row:
    """The row after `mark_sent`."""
    held = _held(row, owner)
    if held["version"] != claim.version or _expired(held, now):
        raise Conflict("the lease is not this owner's any more")
    return {**held, "state": "sent", "in_doubt": False}


def with_part(row: Row | None, owner: str, part: str, remote_id: str) -> Row:
    """The row after `remember_part`."""
    held = _held(row, owner)
    return {**held, "parts": {**held["parts"], part: remote_id}}


def finished(row: Row | None, owner: str, state: Literal["done", "failed"], result: Any) -> Row:
    """The row after `finish_order`."""
    if row is not None and row["state"] in ("done", "failed"):
        same = row["owner"] == owner and row["state"] == state
        if same and normal("result", row["result"]) == normal("result", result):
            return row
        raise Conflict("the order was finished before")
    return {**_held(row, owner), "state": state, "result": result, "in_doubt": False}


def released(row: Row | None, owner: str) -> Row:
    """The row after `release_order`: free, its parts kept."""
    if row is not None and row["owner"] is None and row["state"] == "claimed":
        return row
    held = _held(row, owner)
    freed: Mapping[str, Any] = {"owner": None, "leased_at": None, "lease_seconds": None}
    return {**held, **freed, "state": "claimed", "in_doubt": False}


def _held(row: Row | None, owner: str) -> Row:
    if row is None:
        raise NotFound("there is no such order")
    if row["owner"] != owner or row["state"] in ("done", "failed"):
        raise Conflict("the lease is not this owner's any more")
    return row


def _expired(row: Row, now: datetime | None) -> bool:
    if now is None:
        raise ValueError("a held lease can only be judged by the store's time")
    until: datetime = row["leased_at"] + timedelta(seconds=row["lease_seconds"])
    return until <= now
