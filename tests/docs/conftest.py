"""Workspaces for the examples: a fresh copy per page, and one with the whole house running for all pages."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.workspace import RunningHouse, Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A fresh copy of the checkout."""
    return Workspace.create(tmp_path / "checkout")


@pytest.fixture(scope="module")
def running_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHouse]:
    """`leadbus up` in a copy of its own, stopped as Ctrl-C does."""
    house = RunningHouse.start(Workspace.create(tmp_path_factory.mktemp("house") / "checkout"))
    try:
        yield house
    finally:
        house.stop()
