"""A worker dies at every moment in turn, and the next one makes exactly one effect and the same final words of it.

A moment is just before, or just after, each call of the store and each write of the vendor. A dead worker does nothing
more: not even what stands in a `finally`. The next one is either the same process's next attempt, or another process
that must wait until the dead one's lease has run out.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from connectors.store.seam import FullStore
from consumers import delivery
from consumers.runtime.seam import Publication, RetryAfter
from schemas import codec, identity
from schemas.delivery import DeliveryOrder
from tests.unit.consumers.house import record_of, tenants_of, told
from tests.unit.consumers.orders import CONTACT, DEAL, Client, Crm, Upserter, delivery_of, lead_order, mail, order

LEASE = 0.4
MANY = 1_000


class Died(BaseException):
    """SIGKILL, as far as one process can play it: nothing catches it, nothing happens after it."""


class Fuse:
    """Counts moments, and from the one it was made for on lets nothing happen any more."""

    def __init__(self, moment: int) -> None:
        self.left = moment

    def point(self) -> None:
        self.left -= 1
        if self.left <= 0:
            raise Died


class FusedStore:
    """A store in which every call has a moment before and one after."""

    def __init__(self, store: FullStore, fuse: Fuse) -> None:
        self._store, self._fuse = store, fuse

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        async def call(*args: Any, **named: Any) -> Any:
            self._fuse.point()
            answer = await method(*args, **named)
            self._fuse.point()
            return answer

        return call


class FusedCrm(Crm):
    """A remote system in which every write has a moment before and one after."""

    def __init__(self, fuse: Fuse | None = None) -> None:
        super().__init__()
        self.fuse = fuse

    def write(self, what: str) -> None:
        if self.fuse:
            self.fuse.point()
        super().write(what)

    def answer(self) -> None:
        if self.fuse:
            self.fuse.point()
        super().answer()


class House:
    """One store and one remote system, and processes that deliver to it."""

    def __init__(self, store: FullStore, client: type[Client]) -> None:
        self.store, self.client = store, client
        self.crm = FusedCrm()

    async def attempt(
        self, document: dict[str, Any], *, owner: str = "one", fuse: Fuse | None = None
    ) -> Sequence[Publication]:
        self.crm.fuse = fuse
        store: Any = FusedStore(self.store, fuse) if fuse else self.store
        tenants = await tenants_of(self.store)
        handler = delivery.spec(
            delivery_of(store, tenants, self.client(self.crm), owner=owner, lease_seconds=LEASE)
        ).handler
        return await handler(record_of(DeliveryOrder, document, topic="deliver.pipedrive"))

    async def die_at(self, document: dict[str, Any], moment: int) -> bool:
        """Whether there was such a moment."""
        fuse = Fuse(moment)
        while True:
            try:
                await self.attempt(document, fuse=fuse)
            except Died:
                return True
            except RetryAfter:  # a slow machine: the vendor's deadline passed; the worker lives on and tries again
                continue
            return False

    async def until_done(self, document: dict[str, Any], owner: str) -> Sequence[Publication]:
        for _ in range(200):
            try:
                return await self.attempt(document, owner=owner)
            except RetryAfter:
                await asyncio.sleep(LEASE / 2)
        raise AssertionError("never done")


ORDERS = {
    "mail": (Client, order(mail(), mail("next"))),
    "create": (Client, lead_order(following=(mail("next"),))),
    "upsert": (Upserter, lead_order(following=(mail("next"),))),
}


def effects(crm: Crm) -> tuple[int, int, int]:
    return len(crm.mails), len(crm.named(CONTACT)), len(crm.named(DEAL))


def words(publications: Sequence[Publication]) -> list[Any]:
    """What must be the same however often it is told: everything but the sentence for a person and the time."""
    kept = []
    for topic in ("outcomes", "deliver.email"):
        for document in told(publications, topic):
            result = {name: value for name, value in document.items() if name not in ("reason", "at", "results")}
            results = {name: {**found, "url": None} for name, found in document.get("results", {}).items()}
            kept.append((topic, result, results))
    return kept


async def moments_of(store: FullStore, client: type[Client], document: dict[str, Any]) -> range:
    """Every moment at which a worker can die over this order."""
    fuse = Fuse(MANY)
    await House(store, client).attempt(renamed(document, "counted"), fuse=fuse)
    found = range(1, MANY - fuse.left + 1)
    assert len(found) > 5
    return found


@pytest.mark.parametrize("name", ORDERS)
@pytest.mark.parametrize("owner", ["one", "two"], ids=["same-process", "another-process"])
async def test_a_death_at_any_moment_leaves_one_effect_and_the_same_words(
    store: FullStore, name: str, owner: str
) -> None:
    client, document = ORDERS[name]
    undisturbed, alone = House(store, client), renamed(document, "undisturbed")
    expected = normal(words(await undisturbed.attempt(alone)), alone)

    async def die_and_go_on(moment: int) -> None:
        house, own = House(store, client), renamed(document, f"{moment}")
        assert await house.die_at(own, moment)
        ended = await house.until_done(own, owner)
        assert effects(house.crm) == effects(undisturbed.crm), f"moment {moment}: {house.crm.calls}"
        assert normal(words(ended), own) == expected, f"moment {moment}"

    await asyncio.gather(*map(die_and_go_on, await moments_of(store, client, document)))


@pytest.mark.parametrize("name", ORDERS)
async def test_two_deaths_in_a_row_leave_one_effect(store: FullStore, name: str) -> None:
    client, document = ORDERS[name]
    moments = await moments_of(store, client, document)
    for first in moments[::2]:
        for second in moments[::5]:
            house, own = House(store, client), renamed(document, f"{first}/{second}")
            assert await house.die_at(own, first)
            await house.die_at(own, second)
            await house.until_done(own, "one")
            assert effects(house.crm) == ((1, 0, 0) if name == "mail" else (0, 1, 1)), f"{first}, {second}"


async def test_a_death_while_a_person_is_created_does_not_double_it_for_the_next_request(store: FullStore) -> None:
    async def die_and_let_others_go_on(moment: int) -> None:
        house, person = House(store, Client), identity.derive("person", moment)
        first, other = (
            lead_order(thing=f"{which}{moment}", event=f"{which}{moment}", contact_id=person) for which in ("a", "b")
        )
        assert await house.die_at(first, moment)
        await house.until_done(other, "two")
        await house.until_done(first, "three")
        assert effects(house.crm) == (0, 1, 2), f"moment {moment}: {house.crm.calls}"

    await asyncio.gather(*map(die_and_let_others_go_on, await moments_of(store, Client, lead_order())))


def renamed(document: dict[str, Any], name: str) -> dict[str, Any]:
    """The same order about another request, contact and effect."""
    text = codec.dumps(document).decode()
    about, steps = document["envelope"], [document["step"], *document["following"]]
    ids = {about[key] for key in ("request_id", "contact_id", "event_id")} | {step["order_id"] for step in steps}
    for each in sorted(ids):
        text = text.replace(each, identity.derive("renamed", each, name))
    found: dict[str, Any] = codec.loads(text)
    return found


def normal(kept: list[Any], document: dict[str, Any]) -> str:
    """The words with the names of this order taken out of them."""
    text = codec.canonical(kept).decode()
    about, steps = document["envelope"], [document["step"], *document["following"]]
    ids = [about[key] for key in ("request_id", "contact_id", "event_id")] + [step["order_id"] for step in steps]
    for number, each in enumerate(ids):
        text = text.replace(each, f"id-{number}")
    outcomes = [found[1]["outcome_id"] for found in kept if "outcome_id" in found[1]]
    for number, each in enumerate(outcomes):
        text = text.replace(each, f"outcome-{number}")
    return text
