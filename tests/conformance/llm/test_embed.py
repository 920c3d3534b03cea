"""Embeddings through Google's own client against the sandbox's prediction service."""

import math

import pytest

from connectors.llm.embedding import cut_to_tokens, unit
from connectors.llm.seam import LlmQuota, Vector
from connectors.prices import embedding_cost
from ops.sandbox.faults import Fault
from tests.conformance.llm.conftest import Llm

LABELS = {"tenant": "lakeside"}


def likeness(a: Vector, b: Vector) -> float:
    return math.fsum(x * y for x, y in zip(a.values, b.values, strict=True))


@pytest.mark.parametrize("dimensions", [768, 1_536])
async def test_a_vector_has_unit_length_and_the_configured_size(llm: Llm, dimensions: int) -> None:
    vector = await llm.model(dimensions=dimensions).embed("The roof is leaking over the kitchen.", labels=LABELS)

    assert len(vector.values) == dimensions
    assert math.hypot(*vector.values) == pytest.approx(1.0)
    assert (vector.model, vector.task) == ("gemini-embedding-001", "SEMANTIC_SIMILARITY")


async def test_similar_texts_are_nearer_than_others(llm: Llm) -> None:
    model = llm.model()
    leak = await model.embed("My roof is leaking after the storm, water in the kitchen", labels=LABELS)
    drip = await model.embed("The storm damaged my roof and water is leaking in", labels=LABELS)
    tooth = await model.embed("I would like an appointment for a dental implant", labels=LABELS)

    assert likeness(leak, drip) > likeness(leak, tooth)


async def test_the_task_reaches_the_model_and_the_tokens_are_priced(llm: Llm) -> None:
    vector = await llm.model().embed("What does a new roof cost?", task="RETRIEVAL_QUERY", labels=LABELS)

    (call,) = llm.kept("embeddings")
    assert call["task_type"] == vector.task == "RETRIEVAL_QUERY"
    assert call["token_count"] == vector.tokens > 0
    assert vector.cost_usd == pytest.approx(embedding_cost("gemini-embedding-001", vector.tokens))


async def test_a_text_beyond_the_input_limit_is_cut_before_it_is_sent(llm: Llm) -> None:
    vector = await llm.model().embed("leaking roof in need of repair " * 5_000, labels=LABELS)

    assert vector.tokens <= 2_048
    assert llm.kept("embeddings")[0]["token_count"] < 3_000


async def test_an_empty_text_has_no_vector(llm: Llm) -> None:
    with pytest.raises(ValueError, match="empty"):
        await llm.model().embed(" \n", labels=LABELS)


async def test_a_full_pool_is_a_quota_here_too(llm: Llm) -> None:
    llm.sandbox.add_fault(Fault(vendor="google", kind="status", status="RESOURCE_EXHAUSTED", times=None))

    with pytest.raises(LlmQuota):
        await llm.model().embed("hello", labels=LABELS)


def test_a_cut_keeps_whole_words_and_counts_other_scripts_heavier() -> None:
    assert cut_to_tokens("short", 10) == "short"
    assert cut_to_tokens("one two three four five", 3) == "one two"
    assert len(cut_to_tokens("雨漏りの修理をお願いします。" * 10, 20)) == 20
    assert len(cut_to_tokens("x" * 500, 20)) == 80


def test_a_vector_without_direction_is_refused() -> None:
    with pytest.raises(ValueError, match="direction"):
        unit([0.0, 0.0])
