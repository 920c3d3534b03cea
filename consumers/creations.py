"""Creating records where the remote system has no upsert: each record is created under a claim of its own.

The claim is named by the record (tenant, connector, object, external id) and not by the order, so that whoever comes
next knows what is there: the same order after a crash, a later phase, or another request of the same person. A claim
is `done` as soon as the record's id is known, before the next record is begun; so a crash leaves one record in doubt
at most, and that one is looked up.
"""

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from connectors.crm.seam import Delivered
from connectors.store.seam import Claim, Conflict, NotFound, Scope, Store, Unavailable
from consumers.ledger import Selection, Sleep, finish, in_progress
from schemas import identity
from schemas.decision import RecordWrite


def creation_id(scope: Scope, connector_id: str, record: RecordWrite) -> str:
    """The name of the claim under which a record is created."""
    return identity.derive("creation", scope.tenant_id, connector_id, record.object, record.external_id)


@dataclass(slots=True)
class Creations:
    """The records of one order as their connector sees them (`Effects`): known ones by id, the others claimed."""

    store: Store
    scope: Scope
    owner: str
    sleep: Sleep = asyncio.sleep
    known: dict[str, str] = field(default_factory=dict)
    """Object to remote id."""
    _claims: dict[str, Claim] = field(default_factory=dict)
    _begun: bool = False

    async def claim(self, connector_id: str, selections: Iterable[Selection], lease_seconds: float) -> None:
        """Claim what has no remote id yet; RetryAfter when somebody else is creating one of the records."""
        for selection in selections:
            name = selection.asked.object
            if selection.target.remote_id:
                self.known[name] = selection.target.remote_id
                continue
            creation = creation_id(self.scope, connector_id, selection.asked)
            claim = await self.store.claim_order(self.scope, creation, self.owner, lease_seconds)
            if claim.state == "done":
                self.known[name] = claim.result["remote_id"]
            elif claim.mine:
                self._claims[name] = claim
            else:
                await self._release({n: c for n, c in self._claims.items() if c.state == "claimed"})
                raise in_progress()

    @property
    def in_doubt(self) -> bool:
        """Whether a record may have been created without our knowing."""
        return any(claim.state == "sent" for claim in self._claims.values())

    async def sending(self) -> None:
        """Every open claim to `sent`, once; `Conflict` when a lease is lost."""
        if not self._begun:
            for name, claim in self._claims.items():
                self._claims[name] = await self.store.mark_sent(self.scope, claim, self.owner)
            self._begun = True

    async def remember(self, part: str, remote_id: str) -> None:
        """The record is there: its claim is done."""
        if (claim := self._claims.get(part)) is not None:
            result = {"remote_id": remote_id}
            await finish(self.store, self.scope, claim, self.owner, "done", result, self.sleep)
            del self._claims[part]
        self.known[part] = remote_id

    async def settle(self, delivered: Delivered) -> None:
        """After the vendor's answer: what was written is done; what was not, for lack of anything to say, is free."""
        for name, remote_id in delivered.remote_ids.items():
            await self.remember(name, remote_id)
        await self.release()

    async def release(self) -> None:
        """Give back the claims on records that certainly were not created."""
        await self._release(dict(self._claims))

    async def _release(self, claims: dict[str, Claim]) -> None:
        for name, claim in claims.items():
            with contextlib.suppress(Conflict, NotFound, Unavailable):  # its lease runs out by itself
                await self.store.release_order(self.scope, claim, self.owner)
            del self._claims[name]
