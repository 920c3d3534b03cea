"""Workspaces for the examples: a fresh copy per page, and one with the whole house running for all pages."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.workspace import RunningHouse, Workspace


@pytest.fixture(scope="session")
def readers_tools() -> None:
    """What a reader's machine has; without it the examples are skipped, with the reason."""
    missing = [tool for tool in ("bash", "curl", "git", "make") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"the examples use {', '.join(missing)}, which is not installed")


@pytest.fixture
def workspace(tmp_path: Path, readers_tools: None) -> Workspace:
    """A fresh copy of the checkout."""
    return Workspace.create(tmp_path / "checkout")


@pytest.fixture(scope="module")
def running_house(tmp_path_factory: pytest.TempPathFactory, readers_tools: None) -> Iterator[RunningHouse]:
    """`leadbus up` in a copy of its own, stopped as Ctrl-C does."""
    house = RunningHouse.start(Workspace.create(tmp_path_factory.mktemp("house") / "checkout"))
    try:
        yield house
    finally:
        house.stop()
