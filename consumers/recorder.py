"""The recorder daemon: reads every stage and keeps the tenant's requests, arrivals and final states in the store.

It owns the accounting: an event that arrives a second time is counted as `duplicate`, and every final state is kept
once per (event, phase, step). Records are worked off in batches, because nearly all of their cost is round trips to the
store; a record that the store refuses, or whose embedding cannot be fetched, is answered alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from connectors.recordings.seam import ObjectMissing, Objects, ObjectsUnavailable
from connectors.store.seam import Arrival, RequestRow, Scope, Store, StoreError
from consumers.own_parts import one, patient_batch, refused, waiting
from consumers.publishing import outcome
from consumers.request_rows import analyzed_row, decided_row, inbound_row, transcribed_row
from consumers.runtime.clock import Clock
from consumers.runtime.seam import DaemonSpec, HandlerError, Place, Publication, Record
from schemas import headers, topics
from schemas.decision import Decided
from schemas.delivery import FinalState, Outcome
from schemas.documents import Analyzed, Document, Inbound, Transcribed
from schemas.envelope import Phase

R = TypeVar("R")
A = TypeVar("A")
Answer = Sequence[Publication] | HandlerError


@dataclass(frozen=True, slots=True)
class Recorder:
    """The daemon's handler and the parts it works with."""

    store: Store
    objects: Objects
    clock: Clock

    async def handle(self, records: Sequence[Record[Document]]) -> Sequence[Answer]:
        """Records of any stage: their requests first, then what arrived and how it ended, each kind in one call."""
        tenants = [Scope(record.document.envelope.tenant_id) for record in records]
        vectors = await self._vectors(records)
        answers: list[Answer] = [()] * len(records)
        requests: dict[int, tuple[Scope, RequestRow]] = {}
        for n, record in enumerate(records):
            vector = vectors.get(n)
            if isinstance(vector, HandlerError):
                answers[n] = vector
            elif (row := self._request(record, vector)) is not None:
                requests[n] = (tenants[n], row)
        await _put(self.store.merge_requests, requests, answers)
        arrived: dict[int, tuple[Scope, Arrival]] = {}
        ended: dict[int, tuple[Scope, Outcome]] = {}
        for n, record in enumerate(records):
            if isinstance(record.document, Inbound) and not isinstance(answers[n], HandlerError):
                arrived[n] = (tenants[n], _arrival(record))
            elif isinstance(record.document, Outcome):
                ended[n] = (tenants[n], record.document)
        firsts = await _put(self.store.record_arrivals, arrived, answers)
        for n, first in firsts.items():
            if first is False:
                answers[n] = (self._duplicate(records[n]),)
        await _put(self.store.put_outcomes, ended, answers)
        return answers

    async def _vectors(self, records: Sequence[Record[Document]]) -> Mapping[int, list[float] | HandlerError | None]:
        """The embeddings of analyses, fetched side by side, by the places of their records."""
        refs = {
            n: (document.envelope.tenant_id, embedding.ref)
            for n, document in enumerate(record.document for record in records)
            if isinstance(document, Analyzed) and (embedding := document.analysis.embedding) is not None
        }
        if not refs:
            return {}
        return dict(zip(refs, await asyncio.gather(*(self._vector(*ref) for ref in refs.values())), strict=True))

    async def _vector(self, tenant_id: str, ref: str) -> list[float] | HandlerError | None:
        """None when it is gone: the row goes without, and the reference stays in `ai_analysis`."""
        try:
            packed = await self.objects.get(tenant_id, ref)
        except ObjectMissing:
            return None
        except ObjectsUnavailable as error:
            return waiting(error)
        vector: list[float] = np.frombuffer(packed, dtype="<f4").tolist()
        return vector

    def _request(self, record: Record[Document], vector: Sequence[float] | None) -> RequestRow | None:
        """What the record says of its request."""
        match document := record.document:
            case Inbound():
                return inbound_row(document)
            case Transcribed():
                return transcribed_row(document)
            case Analyzed():
                return analyzed_row(document, vector, record.timestamp or self.clock.now())
            case Decided() if document.decision.tags:
                return decided_row(document)
        return None

    def _duplicate(self, record: Record[Document]) -> Publication:
        place = first_place(record)
        return outcome(
            record.json["envelope"],
            phase=Phase.RECEIVED,
            state=FinalState.DUPLICATE,
            reason="the same event arrived before; it has one effect",
            at=self.clock.now(),
            step_id=f"arrival:{place.topic}/{place.partition}/{place.offset}",
        )


async def _put(
    verb: Callable[[Sequence[tuple[Scope, R]]], Awaitable[Sequence[A]]],
    rows: Mapping[int, tuple[Scope, R]],
    answers: list[Answer],
) -> Mapping[int, A]:
    """What the store says of the rows, by their places among the records; a refusal is its record's answer."""
    if not rows:
        return {}
    found = dict(zip(rows, await verb(list(rows.values())), strict=True))
    for n, said in found.items():
        if isinstance(said, StoreError):
            answers[n] = refused(said)
    return found


def _arrival(record: Record[Document]) -> Arrival:
    place, envelope = first_place(record), record.document.envelope
    return Arrival(
        event_id=envelope.event_id,
        request_id=envelope.request_id,
        topic=place.topic,
        partition=place.partition,
        offset=place.offset,
        source=envelope.source,
        event_kind=envelope.event_kind,
        received_at=envelope.received_at,
    )


def first_place(record: Record[Document]) -> Place:
    """Where the record lay before any retry: a record that comes back through a retry topic is the same arrival."""
    topic = record.headers.get(headers.FAILURE_TOPIC)
    partition = record.headers.get(headers.FAILURE_PARTITION)
    offset = record.headers.get(headers.FAILURE_OFFSET)
    if topic is None or not (partition or "").isdecimal() or not (offset or "").isdecimal():
        return record.place
    return Place(topic=topic, partition=int(partition or 0), offset=int(offset or 0))


def spec(handler: Recorder) -> DaemonSpec[Document]:
    """The daemon."""
    inbound = (topics.INBOUND_CALLS, topics.INBOUND_MESSAGES)
    handle = patient_batch(handler.handle)
    return DaemonSpec(
        name="recorder",
        description="Keeps requests, arrivals and final states in the store.",
        topics={
            **dict.fromkeys((*inbound, *map(topics.overflow, inbound)), Inbound),
            topics.TRANSCRIBED: Transcribed,
            topics.ANALYZED: Analyzed,
            topics.DECIDED: Decided,
            topics.OUTCOMES: Outcome,
        },
        publishes={topics.OUTCOMES: Outcome},
        handler=one(handle),
        batch_handler=handle,
        batch_size=50,
        slots=16,
        handler_timeout=60.0,
    )
