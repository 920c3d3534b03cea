"""In which order the records of a step are written: the person first, then what is tied to it."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from connectors.crm.seam import ConfigBroken, Record, Work

T = TypeVar("T")
PERSON = "contact"


def rounds(records: Sequence[Record], persons: frozenset[str] = frozenset({PERSON})) -> list[list[Record]]:
    """Records in rounds; those of one round do not need each other. Persons come first even when nothing says so.

    `ConfigBroken` when a record is tied to an object that the step does not write, or two are tied to each other.
    """
    named = {record.object for record in records}
    if len(named) != len(records):
        raise ConfigBroken("a step writes the same object twice; give each object one mapping", code="mapping")
    for record in records:
        for other in record.associate_with:
            if other not in named:
                raise ConfigBroken(
                    f"{record.object} is to be tied to {other}, which the mapping does not write", code="mapping"
                )
    waiting, done, made = list(records), set[str](), list[list[Record]]()
    first = [record for record in waiting if record.object in persons and not record.associate_with]
    while waiting:
        ready = first or [record for record in waiting if done.issuperset(record.associate_with)]
        first = []
        if not ready:
            tied = ", ".join(record.object for record in waiting)
            raise ConfigBroken(f"{tied} are tied to each other in a circle", code="mapping")
        made.append(ready)
        done |= {record.object for record in ready}
        waiting = [record for record in waiting if record not in ready]
    return made


def person_only(work: Work, persons: frozenset[str] = frozenset({PERSON})) -> Work:
    """The work, if it writes to the person alone; otherwise `ConfigBroken`."""
    others = sorted({record.object for record in work.records} - persons)
    if others or not work.records:
        told = f"it writes {', '.join(others)} too" if others else "it writes nothing"
        raise ConfigBroken(f"update_contact needs a mapping of the person alone; {told}", code="mapping")
    return work


async def all_of(calls: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Results in order; when some fail, the others are still waited for, and the first error in order is raised."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]
