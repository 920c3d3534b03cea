"""One attempt at a step: what is known, what has been done, and the ledger's moments, each at its time."""

from collections.abc import Callable

from connectors.crm.seam import ConfigBroken, Delivered, Effects, Record, Work, Written
from connectors.crm.vendor_words import personal


class Attempt:
    """Ids found so far and what was written. `hint` is a person's id that the index may not know yet."""

    def __init__(self, work: Work, effects: Effects) -> None:
        self._work = work
        self._effects = effects
        self._begun = False
        self.hidden = personal(work.records)
        self.hint: str | None = None
        self.ids: dict[str, str] = {}
        self.created: set[str] = set()
        self.written: list[Written] = []

    def known(self, record: Record) -> str | None:
        """The record's id, where an earlier attempt, the ledger or a hint tells it."""
        known = self._effects.known.get(record.object) or record.remote_id
        return known or (self.hint if record.object == "contact" else None)

    def person(self) -> int:
        """Id of the person that a lead belongs to; `ConfigBroken` when the step has none."""
        known = self.ids.get("contact") or self._effects.known.get("contact")
        if known is None:
            raise ConfigBroken("a lead needs a person: give the mapping an object `contact`", code="mapping")
        return int(known)

    async def begin(self) -> None:
        """Before each write; tells the ledger before the first."""
        if not self._begun:
            await self._effects.sending()
            self._begun = True

    async def found(self, record: Record, remote_id: str) -> None:
        """Keep an id before the next part."""
        self.ids[record.object] = remote_id
        if self._effects.known.get(record.object) != remote_id:
            await self._effects.remember(record.object, remote_id)

    def wrote(self, record: Record, fields: tuple[str, ...], *, created: bool) -> None:
        """Note what became of a record whose id is known by now."""
        if created:
            self.created.add(record.object)
        self.written.append(Written(record.object, record.external_id, self.ids[record.object], created, fields))

    def delivered(self, url: Callable[[dict[str, str]], str | None]) -> Delivered:
        """The whole step."""
        return Delivered(tuple(self.written), url(self.ids))
