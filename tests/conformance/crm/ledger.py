"""A ledger small enough to see through: what the delivery daemon remembers between two calls of a connector."""

from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from connectors.crm.seam import Delivered, Record, Work
from schemas import codec
from schemas.decision import FieldWrite, Write

Values = Mapping[str, tuple[Any, Write]]
"""Field name to value and write mode."""


def some_id(name: str) -> str:
    """A UUID that is the same for the same name."""
    return str(uuid5(NAMESPACE_URL, f"leadbus-tests/{name}"))


class OrderEffects:
    """`Effects` of one order; counts what it was told."""

    def __init__(self) -> None:
        self.parts: dict[str, str] = {}
        self.sendings = 0

    @property
    def known(self) -> Mapping[str, str]:
        return dict(self.parts)

    async def sending(self) -> None:
        self.sendings += 1

    async def remember(self, part: str, remote_id: str) -> None:
        self.parts[part] = remote_id


class Ledger:
    """Remote ids and hashes of written values, by object and external id."""

    def __init__(self) -> None:
        self.remote_ids: dict[tuple[str, str], str] = {}
        self.hashes: dict[tuple[str, str], dict[str, str]] = {}
        self.orders: dict[str, OrderEffects] = {}

    def record(self, name: str, external_id: str, values: Values, tied_to: tuple[str, ...] = ()) -> Record:
        return Record(
            object=name,
            external_id=external_id,
            fields=tuple(FieldWrite(name=n, value=v, write=w) for n, (v, w) in values.items()),
            associate_with=tied_to,
            ours=self.hashes.get((name, external_id), {}),
            remote_id=self.remote_ids.get((name, external_id)),
        )

    def effects(self, order_id: str) -> OrderEffects:
        return self.orders.setdefault(order_id, OrderEffects())

    def done(self, work: Work, delivered: Delivered) -> None:
        """Keep what was delivered, as the daemon does."""
        records = {record.object: record for record in work.records}
        for written in delivered.written:
            key = (written.object, written.external_id)
            if written.remote_id is not None:
                self.remote_ids[key] = written.remote_id
            values = {f.name: f.value for f in records[written.object].fields}
            kept = self.hashes.setdefault(key, {})
            kept.update({name: codec.digest(values[name]) for name in written.fields})
