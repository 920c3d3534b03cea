"""The order in which the records of a step are written."""

import pytest

from connectors.crm.rounds import all_of, person_only, rounds
from connectors.crm.seam import ConfigBroken, Record, Work


def record(name: str, *tied_to: str) -> Record:
    return Record(name, "id", (), tied_to)


def names(records: list[Record]) -> list[list[str]]:
    return [[r.object for r in wave] for wave in rounds(records)]


def test_what_is_tied_to_a_record_is_written_after_it() -> None:
    given = [record("note", "deal", "contact"), record("deal", "contact"), record("contact")]
    assert names(given) == [["contact"], ["deal"], ["note"]]


def test_records_that_do_not_need_each_other_share_a_round_after_the_person() -> None:
    assert names([record("deal"), record("contact"), record("note")]) == [["contact"], ["deal", "note"]]


@pytest.mark.parametrize(
    "given",
    [
        [record("deal", "contact")],
        [record("deal", "note"), record("note", "deal")],
        [record("contact"), record("contact")],
    ],
)
def test_a_mapping_that_cannot_be_ordered_is_config_broken(given: list[Record]) -> None:
    with pytest.raises(ConfigBroken):
        rounds(given)


def test_person_only() -> None:
    person = Work("o", "r", "c", (record("contact"),))
    assert person_only(person) is person
    for wrong in ((record("contact"), record("deal")), ()):
        with pytest.raises(ConfigBroken):
            person_only(Work("o", "r", "c", wrong))


async def test_the_first_error_in_order_is_raised_after_all_have_ended() -> None:
    ended: list[int] = []

    async def call(number: int) -> int:
        ended.append(number)
        if number:
            raise ValueError(str(number))
        return number

    with pytest.raises(ValueError, match="1"):
        await all_of([call(0), call(1), call(2)])
    assert ended == [0, 1, 2]
    assert await all_of([call(0)]) == [0]
