"""The specs of the document daemons: their AsyncAPI names every topic, and every topic is one of the house's."""

import json
from typing import Any

import pytest

from consumers.runtime.daemon import build_app
from consumers.runtime.seam import DaemonSpec
from consumers.specs import offline_specs
from schemas import topics
from schemas.decision import Decided
from schemas.delivery import DeliveryOrder, Outcome
from schemas.documents import Analyzed, Inbound, Transcribed

SPECS = offline_specs()
each = pytest.mark.parametrize("spec", SPECS, ids=[spec.name for spec in SPECS])


@each
def test_the_asyncapi_document_names_every_topic_that_is_read_and_published(spec: DaemonSpec[Any]) -> None:
    document = json.loads(build_app(spec).schema.to_specification().to_json())
    addresses = {channel["address"] for channel in document["channels"].values()}
    actions: dict[str, set[str]] = {"receive": set(), "send": set()}
    for operation in document["operations"].values():
        channel = document["channels"][operation["channel"]["$ref"].rsplit("/", 1)[1]]
        actions[operation["action"]].add(channel["address"])
    assert actions["receive"] == set(spec.topics) | {topics.overflow(t) for t in spec.topics if topics.has_overflow(t)}
    assert actions["send"] >= set(spec.publishes)
    assert addresses >= set(spec.topics) | set(spec.publishes)


@each
def test_every_topic_of_a_daemon_is_in_the_topic_table(spec: DaemonSpec[Any]) -> None:
    known = {topic.name for topic in topics.table()}
    assert set(spec.topics) | set(spec.publishes) <= known


@each
def test_every_daemon_says_what_it_does_and_publishes_outcomes(spec: DaemonSpec[Any]) -> None:
    assert spec.description.endswith(".")
    assert spec.publishes[topics.OUTCOMES] is Outcome
    assert 0 < spec.handler_timeout <= 600


def test_every_document_has_a_reader_and_flows_on() -> None:
    read = {document for spec in SPECS for document in spec.topics.values()}
    assert read == {Inbound, Transcribed, Analyzed, Decided, DeliveryOrder, Outcome}
    inbound = {topics.INBOUND_CALLS, topics.INBOUND_MESSAGES}
    for topic in inbound:
        assert {spec.name for spec in SPECS if topic in spec.topics} >= {"routing", "recorder"}


def test_delivery_alone_keeps_the_order_of_a_requests_records() -> None:
    assert [spec.name for spec in SPECS if spec.ordered_by_key] == ["delivery"]
