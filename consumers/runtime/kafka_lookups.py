"""What aiokafka's consumer cannot tell: the group's commits with their metadata, and the ids of topics.

A connection of its own, made when it is first needed and again after every failure, so that a broker that goes away and
comes back needs no attention. One question at a time.

Promises: an answer is complete, or it is BrokerUnavailable. A coordinator that is still loading its groups answers
without any offset: taken for "no commit", that would send the group back to the beginning of its logs.
"""

import asyncio
from base64 import urlsafe_b64encode
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping
from io import BytesIO
from typing import Any, TypeVar

from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.errors import IncompatibleBrokerVersion, KafkaError, for_code
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from consumers.runtime.client import BrokerUnavailable

T = TypeVar("T")

UNKNOWN_OFFSET = -1
NO_ID = bytes(16)


class Lookups:
    """Asks the cluster. Names of topics are the cluster's own."""

    def __init__(self, bootstrap: str, group: str, *, seconds: float) -> None:
        """`seconds`: how long an answer may take."""
        self._bootstrap = bootstrap
        self._group = group
        self._seconds = seconds
        self._client: AIOKafkaClient | None = None
        self._lock = asyncio.Lock()

    async def committed(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, OffsetAndMetadata]:
        """The group's commits; partitions without one are missing. Raises BrokerUnavailable."""
        wanted: dict[str, list[int]] = defaultdict(list)
        for partition in partitions:
            wanted[partition.topic].append(partition.partition)

        async def ask(client: AIOKafkaClient) -> Mapping[TopicPartition, OffsetAndMetadata]:
            coordinator = await client.coordinator_lookup(CoordinationType.GROUP, self._group)
            answer = await client.send(coordinator, OffsetFetchRequest(self._group, list(wanted.items())))
            _check(getattr(answer, "error_code", 0))
            told = {}
            for topic, numbers in answer.topics:
                for number, offset, metadata, error_code in numbers:
                    _check(error_code)
                    told[TopicPartition(topic, number)] = OffsetAndMetadata(offset, metadata or "")
            if set(partitions) - told.keys():
                raise KafkaError("the answer does not hold every partition")
            return {partition: commit for partition, commit in told.items() if commit.offset != UNKNOWN_OFFSET}

        return await self._ask(ask)

    async def topic_ids(self, topics: Collection[str]) -> Mapping[str, str]:
        """The id of each topic that there is; empty where the cluster's protocol has none. Raises BrokerUnavailable."""

        async def ask(client: AIOKafkaClient) -> Mapping[str, str]:
            try:
                answer = await client.send(client.get_random_node(), _TopicIdsRequest(topics))
            except (IncompatibleBrokerVersion, NotImplementedError):
                return {}
            return {
                topic: urlsafe_b64encode(topic_id).decode().rstrip("=")
                for error_code, topic, topic_id, *_ in answer.topics
                if not error_code and topic_id != NO_ID
            }

        return await self._ask(ask)

    async def close(self) -> None:
        """Disconnect; the next question connects again."""
        async with self._lock:
            await self._disconnect()

    async def _ask(self, ask: Callable[[AIOKafkaClient], Awaitable[T]]) -> T:
        async with self._lock:
            try:
                async with asyncio.timeout(self._seconds):
                    if self._client is None:
                        self._client = AIOKafkaClient(bootstrap_servers=self._bootstrap, client_id=f"{self._group}.ask")
                        await self._client.bootstrap()
                    if self._client.get_random_node() is None:
                        raise KafkaError("no broker is known")
                    return await ask(self._client)
            except (KafkaError, TimeoutError, OSError) as error:
                await self._disconnect()
                raise BrokerUnavailable(f"{type(error).__name__}: {error}") from error
            except asyncio.CancelledError:
                await self._disconnect()
                raise

    async def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()


def _check(error_code: int) -> None:
    if error_code:
        raise for_code(error_code)()


class _Uuid(AbstractType[bytes]):  # type: ignore[misc]
    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(16)


class _TopicIdsResponse(Response):  # type: ignore[misc]
    """Metadata, version 10: the first with topic ids (https://kafka.apache.org/protocol#The_Messages_Metadata)."""

    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", CompactString("utf-8")),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_authorized_operations", Int32),
        ("tags", TaggedFields),
    )


class _TopicIdsRequestStruct(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 10
    RESPONSE_TYPE = _TopicIdsResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _TopicIdsRequest(Request[_TopicIdsRequestStruct]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, topics: Collection[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[_TopicIdsRequestStruct]) -> Any:
        topics: list[tuple[bytes, str, dict[int, bytes]]] = [(NO_ID, topic, {}) for topic in self._topics]
        return request_struct_class(topics, False, False, False, {})
