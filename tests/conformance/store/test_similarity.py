"""The nearest requests: exact, inside the tenant, and the same on every implementation."""

from pathlib import Path

import numpy as np
import pytest

from connectors.store.columns import VECTOR_LENGTH
from connectors.store.opening import open_store
from connectors.store.seam import FullStore, Invalid, RequestRow, Scope, Similar

from . import samples
from .conftest import new_scope

FOUND = 30


async def fill(store: FullStore, scope: Scope) -> None:
    for seed in range(FOUND):
        row = RequestRow(samples.named(f"v{seed}"), content_embedding=samples.vector(seed), revision="1")
        await store.merge_request(scope, row)
    await store.merge_request(scope, RequestRow(samples.named("without vector"), revision="1"))


def expected(wanted: list[float], k: int) -> list[Similar]:
    target = np.array(wanted)
    distances = {}
    for seed in range(FOUND):
        each = np.array(samples.vector(seed))
        cosine = each @ target / (np.linalg.norm(each) * np.linalg.norm(target))
        distances[samples.named(f"v{seed}")] = 1 - float(cosine)
    return [Similar(rid, d) for rid, d in sorted(distances.items(), key=lambda item: (item[1], item[0]))[:k]]


def assert_same(found: list[Similar], wanted: list[Similar]) -> None:
    assert [each.request_id for each in found] == [each.request_id for each in wanted]
    assert [each.distance for each in found] == pytest.approx([each.distance for each in wanted], abs=1e-5)


@pytest.mark.parametrize("k", [1, 10, 100])
async def test_the_nearest_come_first_with_their_cosine_distance(store: FullStore, scope: Scope, k: int) -> None:
    await fill(store, scope)
    for seed in (3, 999):
        found = await store.similar_requests(scope, samples.vector(seed), k)
        assert_same(list(found), expected(samples.vector(seed), k))


async def test_equally_near_requests_come_by_id(store: FullStore, scope: Scope) -> None:
    ids = sorted(samples.named(f"tie {n}") for n in range(5))
    for rid in reversed(ids):
        await store.merge_request(scope, RequestRow(rid, content_embedding=samples.vector(1), revision="1"))
    assert [each.request_id for each in await store.similar_requests(scope, samples.vector(1), 3)] == ids[:3]


async def test_a_changed_vector_is_found_at_its_new_place(store: FullStore, scope: Scope) -> None:
    rid = samples.named("changing")
    await store.merge_request(scope, RequestRow(rid, content_embedding=samples.vector(1), revision="1"))
    await store.merge_request(scope, RequestRow(rid, content_embedding=samples.vector(2), revision="2"))
    [found] = await store.similar_requests(scope, samples.vector(2))
    assert found.distance == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param([0.0] * VECTOR_LENGTH, id="zero"),
        pytest.param([1e-30] * VECTOR_LENGTH, id="nearly zero"),
        pytest.param([1e39] * VECTOR_LENGTH, id="beyond float32"),
        pytest.param([float("nan")] + [1.0] * (VECTOR_LENGTH - 1), id="NaN"),
        pytest.param([float("inf")] + [1.0] * (VECTOR_LENGTH - 1), id="infinite"),
        pytest.param([1.0] * (VECTOR_LENGTH - 1), id="too short"),
        pytest.param([1.0] * (VECTOR_LENGTH + 1), id="too long"),
        pytest.param([], id="empty"),
        pytest.param([[1.0] * VECTOR_LENGTH], id="nested"),
        pytest.param(["one"] * VECTOR_LENGTH, id="words"),
    ],
)
async def test_a_vector_without_a_direction_is_refused_when_written_and_when_searched(
    store: FullStore, scope: Scope, bad: list[float]
) -> None:
    with pytest.raises(Invalid, match="content_embedding"):
        await store.merge_request(scope, RequestRow(samples.named("r"), content_embedding=bad, revision="1"))
    with pytest.raises(Invalid, match="vector"):
        await store.similar_requests(scope, bad)
    assert (await store.count(scope))["requests"] == 0


async def test_nothing_is_similar_in_an_empty_tenant(store: FullStore, scope: Scope) -> None:
    assert list(await store.similar_requests(scope, samples.vector(1))) == []


@pytest.mark.spanner
async def test_sqlite_and_spanner_find_the_same(spanner_emulator: str, tmp_path: Path) -> None:
    answers = []
    for url in (f"sqlite:///{tmp_path}/a.db", f"spanner://leadbus-test/conformance/same?emulator={spanner_emulator}"):
        store = open_store(url, create=True)
        await store.migrate()
        scope = await new_scope(store)
        await fill(store, scope)
        answers.append(await store.similar_requests(scope, samples.vector(77), 20))
        await store.close()
    assert_same(list(answers[0]), list(answers[1]))
