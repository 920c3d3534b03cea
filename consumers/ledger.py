"""The delivery ledger's rules: which fields may still be written, and one effect per order.

Records: the ledger keeps, per written field, the revision and phase that wrote it; a field is written only by a newer
one. What the same revision and phase has written already is done, not superseded: it is only told again.
Effects without upsert: claim, `sent` just before the first byte, `done`; an effect of unknown end is looked up first.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from connectors.crm.seam import Delivered, Record, Written
from connectors.store.seam import Claim, Conflict, FieldState, NotFound, Scope, Store, Target, Unavailable
from consumers.runtime.seam import RetryAfter
from rules.values import ticket_of
from schemas import codec, identity
from schemas.decision import FieldWrite, RecordWrite, Ticket
from schemas.envelope import Phase

Sleep = Callable[[float], Awaitable[None]]

VENDOR_SHARE = 0.8
"""Of a lease: calls of the vendor end within it, so that there is time to note what came of them."""

ANSWERED = "answered"
"""Part of a claim that is no remote id: the parked row whose answer ruled an effect out. Each answer does so once."""

PHASES = {Phase.RECEIVED: 0, Phase.ANALYZED: 1, Phase.OTHER: 0}


@dataclass(frozen=True, slots=True)
class Selection:
    """What a step may do to one record: fields to write, and whether this very step has written some before."""

    target: Target
    asked: RecordWrite
    write: tuple[FieldWrite, ...]
    written_before: bool

    def record(self, remote_id: str | None = None) -> Record:
        """The record as the connector gets it."""
        return Record(
            object=self.asked.object,
            external_id=self.asked.external_id,
            fields=self.write,
            associate_with=self.asked.associate_with,
            ours={name: state.value_hash for name, state in self.target.fields.items()},
            remote_id=remote_id or self.target.remote_id,
        )


def select(target: Target, asked: RecordWrite, revision: str, phase: Phase) -> Selection:
    """Leave out the fields that a newer revision, or a later phase of this one, has written."""
    mine = (revision, PHASES[phase])
    write: list[FieldWrite] = []
    before = False
    for wanted in asked.fields:
        state = target.fields.get(wanted.name)
        theirs = (state.revision, PHASES[Phase(state.phase)]) if state else None
        if theirs is None or theirs < mine:
            write.append(wanted)
        elif theirs == mine:
            before = True
    return Selection(target=target, asked=asked, write=tuple(write), written_before=before)


def after_writing(target: Target, asked: RecordWrite, written: Written, revision: str, phase: Phase) -> Target:
    """The ledger row after a write; a field that somebody newer has written meanwhile stays theirs."""
    mine = (revision, PHASES[phase])
    values = {f.name: f.value for f in asked.fields}
    fields = dict(target.fields)
    for name in written.fields:
        state = fields.get(name)
        if name in values and (state is None or (state.revision, PHASES[Phase(state.phase)]) <= mine):
            fields[name] = FieldState(revision=revision, phase=phase.value, value_hash=codec.digest(values[name]))
    return replace(target, remote_id=written.remote_id or target.remote_id, fields=fields)


def with_tickets(value: Any, tickets: Iterable[Ticket]) -> Any:
    """A resolved value in which the place held for a ticket (rules/values.py) is taken by the member drawn."""
    pool = ticket_of(value)
    if pool is not None:
        return next((ticket.member for ticket in tickets if ticket.pool == pool), None)
    if isinstance(value, Mapping):
        return {key: with_tickets(inner, tickets) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [with_tickets(inner, tickets) for inner in value]
    return value


@dataclass(slots=True)
class Leases:
    """One writer at a time for a record that several requests share (the person): within this process by a lock,
    between processes by a lease in the store."""

    store: Store
    owner: str
    seconds: float
    patience: float = 3.0
    _locks: dict[str, tuple[asyncio.Lock, int]] = field(default_factory=dict)

    @contextlib.asynccontextmanager
    async def held(self, scope: Scope, *parts: str) -> AsyncIterator[float]:
        """Hold the lease named by `parts`; yields the time (of the event loop) by which the vendor's calls must have
        ended. RetryAfter when another process keeps it longer than we wait."""
        lease_id = identity.derive("lease", scope.tenant_id, *parts)
        lock, users = self._locks.get(lease_id, (asyncio.Lock(), 0))
        self._locks[lease_id] = (lock, users + 1)
        try:
            async with lock:
                claim, deadline = await self._claimed(scope, lease_id)
                try:
                    yield deadline
                finally:
                    with contextlib.suppress(Conflict, NotFound, Unavailable):  # it runs out by itself
                        await self.store.release_order(scope, claim, self.owner)
        finally:
            lock, users = self._locks[lease_id]
            if users == 1:
                del self._locks[lease_id]
            else:
                self._locks[lease_id] = (lock, users - 1)

    async def _claimed(self, scope: Scope, lease_id: str) -> tuple[Claim, float]:
        until = asyncio.get_running_loop().time() + self.patience
        while True:
            deadline = vendor_deadline(self.seconds)
            claim = await self.store.claim_order(scope, lease_id, self.owner, self.seconds)
            if claim.mine:
                return claim, deadline
            if asyncio.get_running_loop().time() >= until:
                raise RetryAfter("record_busy", "another process is writing this record", delay=10.0)
            await asyncio.sleep(0.2)


def vendor_deadline(lease_seconds: float) -> float:
    """When the vendor's calls under a lease that is taken now must have ended, by the event loop's time."""
    return asyncio.get_running_loop().time() + lease_seconds * VENDOR_SHARE


def in_progress() -> RetryAfter:
    """Another process holds the claim: it may be writing."""
    return RetryAfter("in_progress", "another process holds the lease", delay=10.0)


async def finish(
    store: Store, scope: Scope, claim: Claim, owner: str, state: Literal["done", "failed"], result: Any, sleep: Sleep
) -> Claim:
    """Note how an effect ended, in more than one try: what is not noted must be looked up, and some cannot be."""
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(Unavailable),
        stop=stop_after_attempt(4),
        wait=wait_exponential(multiplier=0.2, max=2.0),
        sleep=sleep,
        reraise=True,
    ):
        with attempt:
            return await store.finish_order(scope, claim, owner, state, result)
    raise AssertionError("unreachable: the last attempt returns or raises")


@dataclass(slots=True)
class LedgerEffects:
    """The ledger as a connector sees it, for one claimed order."""

    store: Store
    scope: Scope
    claim: Claim
    owner: str
    sleep: Sleep = asyncio.sleep
    _begun: bool = False
    _ruled_out: bool = False

    @property
    def known(self) -> Mapping[str, str]:
        """Parts that earlier attempts finished."""
        return {part: remote_id for part, remote_id in self.claim.parts.items() if part != ANSWERED}

    @property
    def in_doubt(self) -> bool:
        """Whether the effect may have happened without our knowing."""
        return self.claim.state == "sent" and not self._ruled_out

    async def rule_out(self, park_id: str) -> None:
        """A person has looked: it has not happened.

        That answers what was in doubt when it was parked under this id, so it is used up before anything is sent: what
        comes into doubt later needs another answer.
        """
        if self.claim.parts.get(ANSWERED) != park_id:
            await self.remember(ANSWERED, park_id)
            self._ruled_out = True

    async def sending(self) -> None:
        """To `sent`, once; `Conflict` when the lease is lost. What was looked up before is marked anew, too."""
        if not self._begun:
            self.claim = await self.store.mark_sent(self.scope, self.claim, self.owner)
            self._begun = True

    async def remember(self, part: str, remote_id: str) -> None:
        """Keep a remote id."""
        self.claim = await self.store.remember_part(self.scope, self.claim, self.owner, part, remote_id)

    async def settle(self, delivered: Delivered) -> None:
        """`done`, with what a later reader needs to tell it again."""
        await self._finish("done", {"remote_ids": delivered.remote_ids, "url": delivered.url})

    async def refuse(self, reason: str) -> None:
        """`failed`: it will never be tried again."""
        await self._finish("failed", {"reason": reason})

    async def release(self) -> None:
        """Give the claim back: nothing happened. With a part done it stays, to be taken up there."""
        if not self.known:
            with contextlib.suppress(Conflict, NotFound, Unavailable):  # its lease runs out by itself
                await self.store.release_order(self.scope, self.claim, self.owner)

    async def _finish(self, state: Literal["done", "failed"], result: Any) -> None:
        self.claim = await finish(self.store, self.scope, self.claim, self.owner, state, result, self.sleep)
