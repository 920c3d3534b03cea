"""Which fields may be written, for every mode and every state of the vendor's record."""

from typing import Any

import pytest

from connectors.crm.seam import Record
from connectors.crm.write_modes import needs_present, plan
from schemas import codec
from schemas.decision import FieldWrite, Write

OURS = "by us"


def record(value: Any, mode: Write, ours: Any = None) -> Record:
    hashes = {} if ours is None else {"f": codec.digest(ours)}
    return Record("contact", "id", (FieldWrite(name="f", value=value, write=mode),), ours=hashes)


@pytest.mark.parametrize(
    ("mode", "ours", "there", "written"),
    [
        (Write.ON_CREATE, None, None, False),
        (Write.ON_CREATE, None, "theirs", False),
        (Write.IF_EMPTY, None, None, True),
        (Write.IF_EMPTY, None, "  ", True),
        (Write.IF_EMPTY, OURS, "", True),
        (Write.IF_EMPTY, None, "theirs", False),
        (Write.IF_EMPTY, OURS, OURS, True),
        (Write.IF_EMPTY, OURS, "theirs", False),
        (Write.IF_OURS, None, None, True),
        (Write.IF_OURS, OURS, OURS, True),
        (Write.IF_OURS, OURS, "theirs", False),
        (Write.IF_OURS, None, "theirs", False),
        (Write.IF_OURS, OURS, "", False),
        (Write.ALWAYS, None, None, True),
        (Write.ALWAYS, OURS, "theirs", True),
        (Write.OTHER, None, None, True),
        (Write.OTHER, None, "theirs", False),
    ],
)
def test_each_mode_in_each_state_of_an_existing_record(mode: Write, ours: Any, there: Any, written: bool) -> None:
    made = plan(record("new", mode, ours), {"f": there})
    assert made.send == ({"f": "new"} if written else {})
    assert made.standing == ()


@pytest.mark.parametrize("mode", list(Write))
def test_a_new_record_gets_every_field(mode: Write) -> None:
    assert plan(record("new", mode), None).send == {"f": "new"}


@pytest.mark.parametrize("mode", list(Write))
@pytest.mark.parametrize("nothing", [None, "", " \n", [], {}])
def test_nothing_is_never_written(mode: Write, nothing: Any) -> None:
    assert plan(record(nothing, mode), None).written == ()
    assert plan(record(nothing, mode), {"f": "theirs"}).written == ()


@pytest.mark.parametrize("zero", [0, False, 0.0])
def test_zero_and_false_are_values(zero: Any) -> None:
    assert plan(record(zero, Write.ALWAYS), {"f": "theirs"}).send == {"f": zero}


@pytest.mark.parametrize("mode", list(Write))
def test_a_value_that_stands_there_is_not_sent_and_counts_as_written(mode: Write) -> None:
    made = plan(record("+13125550143", mode), {"f": "(+1) 312-555-0143"})
    assert made.send == {}
    assert made.written == ("f",)


def test_values_are_compared_as_the_vendor_takes_them() -> None:
    made = plan(record(87, Write.ALWAYS), {"f": "87"}, lambda _, value: f"{value}.0")
    assert (made.send, made.standing) == ({}, ("f",))


def test_the_present_values_matter_unless_every_field_is_always() -> None:
    assert needs_present(record("x", Write.IF_EMPTY))
    assert not needs_present(record("x", Write.ALWAYS))
    assert not needs_present(record(None, Write.IF_EMPTY))
