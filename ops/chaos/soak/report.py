"""The report of a soak: the verdict, what was done to the house, and every finding in words."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.chaos.soak.account import Account
from ops.chaos.soak.parts import Parts
from ops.chaos.soak.places import StoreKind
from ops.chaos.soak.sending import Posted
from ops.chaos.soak.trouble import Trouble
from ops.chaos.soak.verdict import SHOWN, Verdict


@dataclass(frozen=True, slots=True)
class Order:
    """What to run. `rate` is in leads a second; `calm` disturbs nothing (to tell a finding from its cause)."""

    minutes: float
    seed: int
    rate: float
    store: StoreKind
    folder: Path
    tenants: Path
    calm: bool = False


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds of the whole run, and of its settling."""

    whole: float
    settling: float


def report_of(
    order: Order,
    verdict: Verdict,
    account: Account,
    posted: Posted,
    parts: Parts,
    trouble: Trouble,
    unsettled: Sequence[str],
    took: Took,
) -> dict[str, Any]:
    """As `leadbus chaos soak --json` prints it; a run is fine when `findings` is empty."""
    run = {
        "name": "calm" if order.calm else f"soak, seed {order.seed}",
        "accepted": verdict.accepted,
        "found": verdict.found,
        "lost": len(verdict.lost),
        "duplicates": len(verdict.duplicates),
    }
    return {
        "chaos": "soak",
        "seed": order.seed,
        "minutes": order.minutes,
        "leads_a_second": order.rate,
        "store": order.store,
        "kills": dict(sorted(parts.kills.items())),
        "ways": dict(sorted(parts.ways.items())),
        "vendor_faults": dict(sorted(trouble.faults.items())),
        "ended_by_themselves": dict(Counter(f"{each.part}, code {each.code}" for each in parts.ended)),
        "posted": _posted(posted),
        "accepted": verdict.accepted,
        "found": verdict.found,
        "events": len(account.events),
        "lost": len(verdict.lost),
        "duplicates": len(verdict.duplicates),
        "open": dict(sorted(verdict.open.items())),
        "final_states": dict(sorted(verdict.final_states.items())),
        "stuck": verdict.stuck[:SHOWN],
        "dead_letters": len(account.dead_letters),
        "told_again": sum(states.total() - 1 for states in account.outcomes.values()),
        "told_differently": verdict.told_differently,
        "tickets": verdict.tickets,
        "settle_seconds": round(took.settling, 1),
        "seconds": round(took.whole, 1),
        "findings": _findings(verdict, posted, parts, unsettled),
        "runs": [run],
    }


def _findings(verdict: Verdict, posted: Posted, parts: Parts, unsettled: Sequence[str]) -> list[str]:
    return [
        *(f"lost: {text}" for text in verdict.lost),
        *(f"twice: {text}" for text in verdict.duplicates),
        *(f"stuck: {text}" for text in verdict.stuck),
        *verdict.wrong,
        *(str(ended) for ended in parts.ended if not ended.excused),
        *parts.slow_stops,
        *unsettled,
        *(f"unexpected answer: {text}" for text in posted.unexpected),
    ]


def _posted(posted: Posted) -> dict[str, Any]:
    waited = sorted(posted.waited) or [0.0]
    return {
        "webhooks": posted.webhooks,
        "attempts": posted.attempts,
        "again": dict(sorted(posted.again.items())),
        "seconds_p50": round(waited[len(waited) // 2], 3),
        "seconds_max": round(waited[-1], 3),
    }
