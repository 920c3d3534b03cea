"""Which fields a step may still write: the newest revision wins, then the later phase, in whatever order they come."""

import asyncio
import itertools
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.crm.seam import Written
from connectors.store.seam import FullStore, Scope, Target
from consumers.ledger import Leases, after_writing, select, with_tickets
from consumers.runtime.seam import RetryAfter
from schemas import codec, identity
from schemas.decision import FieldWrite, RecordWrite, Ticket
from schemas.envelope import Phase
from tests.unit.consumers.house import RECEIVED_AT, TENANT
from tests.unit.consumers.orders import CONTACT, DEAL, Client, Crm, Upserter, effector_of, lead_order, model

ID = "00000000-0000-4000-8000-000000000001"
REVISIONS = ["1", "2", "3"]
PHASES = [Phase.RECEIVED, Phase.ANALYZED]


def asked(values: dict[str, Any]) -> RecordWrite:
    return RecordWrite(
        object=DEAL, external_id=ID, fields=tuple(FieldWrite(name=n, value=v) for n, v in values.items())
    )


def write_all(target: Target, wanted: RecordWrite, revision: str, phase: Phase) -> tuple[Target, dict[str, Any]]:
    """The ledger after a write in which every selected field was taken, and what was sent."""
    chosen = select(target, wanted, revision, phase).write
    sent = {f.name: f.value for f in chosen}
    return after_writing(target, wanted, Written(DEAL, ID, "1", False, tuple(sent)), revision, phase), sent


orders = st.lists(
    st.tuples(st.sampled_from(REVISIONS), st.sampled_from(PHASES), st.sets(st.sampled_from("abc"), min_size=1)),
    min_size=1,
    max_size=6,
    unique_by=lambda each: (each[0], each[1]),
)


@given(orders, st.randoms(use_true_random=False))
def test_any_order_of_arrival_leaves_the_same_values_and_the_same_row(each: list[Any], chance: Any) -> None:
    results = []
    for _ in range(2):
        target, remote = Target("crm", DEAL, ID), dict[str, Any]()
        for revision, phase, names in each:
            wanted = asked({name: f"{revision}/{phase}/{name}" for name in sorted(names)})
            target, sent = write_all(target, wanted, revision, phase)
            remote |= sent
        results.append((dict(target.fields), remote))
        chance.shuffle(each)
    assert results[0] == results[1]
    newest = {
        name: max((revision, PHASES.index(phase)) for revision, phase, names in each if name in names)
        for name in results[0][1]
    }
    assert results[0][1] == {name: f"{r}/{PHASES[p]}/{name}" for name, (r, p) in newest.items()}


def test_the_same_step_again_has_nothing_left_and_knows_it() -> None:
    wanted = asked({"title": "Roof"})
    target, sent = write_all(Target("crm", DEAL, ID), wanted, "1", Phase.RECEIVED)
    again = select(target, wanted, "1", Phase.RECEIVED)
    assert sent == {"title": "Roof"}
    assert (again.write, again.written_before) == ((), True)


def test_an_older_step_has_nothing_left_and_was_never_written() -> None:
    wanted = asked({"title": "Roof"})
    target, _ = write_all(Target("crm", DEAL, ID), wanted, "2", Phase.RECEIVED)
    older = select(target, wanted, "1", Phase.ANALYZED)
    assert (older.write, older.written_before) == ((), False)


def test_a_field_that_the_vendor_did_not_take_is_not_in_the_ledger() -> None:
    target = after_writing(
        Target("crm", DEAL, ID), asked({"a": 1, "b": 2}), Written(DEAL, ID, "9", True, ("b",)), "1", Phase.RECEIVED
    )
    assert set(target.fields) == {"b"}
    assert target.fields["b"].value_hash == codec.digest(2)
    assert target.remote_id == "9"


TICKET = Ticket(pool="team", order_id=ID, number=0, member="ana")


@pytest.mark.parametrize(
    ("value", "drawn"),
    [
        ({"$ticket": "team"}, "ana"),
        ('{"$ticket":"team"}', "ana"),
        ({"$ticket": "nobody"}, None),
        ([["Coordinator", '{"$ticket":"team"}']], [["Coordinator", "ana"]]),
        ({"a": {"$ticket": "team"}, "b": "x"}, {"a": "ana", "b": "x"}),
        (' {"$ticket":"team"}', ' {"$ticket":"team"}'),
        ("plain", "plain"),
        (7, 7),
    ],
)
def test_the_place_held_for_a_ticket_is_taken_by_the_member(value: Any, drawn: Any) -> None:
    assert with_tickets(value, [TICKET]) == drawn


def variants(thing: str, write: str) -> list[dict[str, Any]]:
    """Orders of two revisions and both phases of one request, with fields that overlap."""
    made = []
    for rank, phase in itertools.product((0, 1), ("received", "analyzed")):
        mark, at = f"{rank}-{phase}", RECEIVED_AT + timedelta(seconds=rank)
        fields = {"title": mark, f"only-{rank}": mark, "note": mark} if phase == "analyzed" else {"title": mark}
        of = {"thing": thing, "event": f"{thing}/{rank}", "contact_id": identity.derive("contact", thing)}
        made.append(
            lead_order(fields, person={"name": mark}, write=write, rank=rank, phase=phase, received_at=at, **of)
        )
    return made


@pytest.mark.parametrize("write", ["always", "if_ours", "if_empty"])
@pytest.mark.parametrize("client", [Client, Upserter])
async def test_any_permutation_of_revisions_and_phases_ends_with_the_same_remote_values(
    store: FullStore, client: type[Client], write: str
) -> None:
    for number, permutation in enumerate(itertools.permutations(range(4))):
        crm, orders_of_it = Crm(), variants(str(number), write)
        for each in permutation:
            await effector_of(store).write_records(model(orders_of_it[each]), client(crm))
        assert crm.named(CONTACT) == [{"name": "1-analyzed"}]
        assert crm.named(DEAL) == [
            {"title": "1-analyzed", "only-0": "0-analyzed", "only-1": "1-analyzed", "note": "1-analyzed"}
        ]


async def test_a_lease_held_by_another_process_is_not_waited_for_for_ever(store: FullStore) -> None:
    mine, theirs = (Leases(store, owner, 30.0, patience=0.0) for owner in ("mine", "theirs"))
    async with theirs.held(Scope(TENANT), "crm", "contact", ID):
        with pytest.raises(RetryAfter, match="record_busy"):
            async with mine.held(Scope(TENANT), "crm", "contact", ID):
                raise AssertionError("two writers at once")
    async with mine.held(Scope(TENANT), "crm", "contact", ID):
        pass


async def test_in_one_process_writers_of_a_record_wait_for_each_other(store: FullStore) -> None:
    leases = Leases(store, "one", 30.0, patience=0.0)
    inside: list[int] = []
    most: list[int] = []

    async def write(number: int) -> None:
        async with leases.held(Scope(TENANT), "crm", "contact", ID):
            inside.append(number)
            most.append(len(inside))
            await asyncio.sleep(0)
            inside.remove(number)

    await asyncio.gather(*(write(number) for number in range(5)))
    assert most == [1] * 5


async def test_the_vendors_deadline_lies_inside_the_lease(store: FullStore) -> None:
    before = asyncio.get_running_loop().time()
    async with Leases(store, "one", 30.0).held(Scope(TENANT), "crm", "contact", ID) as deadline:
        assert before + 20 < deadline < before + 30
