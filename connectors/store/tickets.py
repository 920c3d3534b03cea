"""Drawing from pools: tickets are numbered without gaps per pool, and an order draws once.

Pure; the caller holds the pools' counters and the orders' tickets locked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.store.seam import Draw, Invalid
from schemas.decision import Ticket


@dataclass(frozen=True, slots=True)
class Drawn:
    """The tickets of the decision, those of them that are new, and the counters after it."""

    tickets: tuple[Ticket, ...]
    new: tuple[Ticket, ...]
    counters: Mapping[str, int]
    """Pool to the number that the next ticket gets; only pools that were drawn from."""


def draw(draws: Sequence[Draw], held: Mapping[str, Ticket], counters: Mapping[str, int]) -> Drawn:
    """Tickets for `draws`, in their order. `held` is order id to the ticket it has, `counters` pool to next number."""
    tickets: dict[str, Ticket] = {}
    new: list[Ticket] = []
    after: dict[str, int] = {}
    for each in draws:
        if each.order_id in tickets:
            continue
        ticket = held.get(each.order_id)
        if ticket is None:
            if not each.members:
                raise Invalid("members of a pool that is drawn from must not be empty")
            number = after.get(each.pool, counters.get(each.pool, 0))
            member = each.members[number % len(each.members)]
            ticket = Ticket(pool=each.pool, order_id=each.order_id, number=number, member=member)
            after[each.pool] = number + 1
            new.append(ticket)
        tickets[each.order_id] = ticket
    return Drawn(tickets=tuple(tickets.values()), new=tuple(new), counters=after)
