"""The recorded events, and what today's models lose of one.

Each file of `v1/` is a record as it stood on its topic in a demo day: topic, headers, value. The people in it are
invented. `v1/contracts/` holds the JSON Schemas of that time. What is recorded is never edited; a new major version
gets a folder of its own.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ops.contracts import DOCUMENTS
from schemas.documents import Document

FOLDER = Path(__file__).parent / "v1"
CONTRACTS = FOLDER / "contracts"
KINDS: Mapping[str, type[Document]] = {kind.schema_name: kind for kind in DOCUMENTS}


@dataclass(frozen=True)
class Recorded:
    """One record."""

    name: str
    topic: str
    headers: Mapping[str, str]
    value: Mapping[str, Any]

    @property
    def kind(self) -> type[Document]:
        """The document that its header names."""
        return KINDS[self.headers["schema"].partition("/")[0]]


def recorded_events() -> list[Recorded]:
    """Every recorded event, by name."""
    return [
        Recorded(path.stem, **json.loads(path.read_text(encoding="utf-8"))) for path in sorted(FOLDER.glob("*.json"))
    ]


def losses(model: BaseModel, recorded: Mapping[str, Any]) -> list[str]:
    """Every recorded field that the model does not know, or gives back with another value; one line each."""
    return [*_unknown(model, ""), *_changed(model.model_dump(mode="json", by_alias=True), recorded, "")]


def _unknown(value: object, path: str) -> Iterator[str]:
    if isinstance(value, BaseModel):
        for name in value.model_extra or {}:
            yield f"{path}{name}: not a field today"
        for name in type(value).model_fields:
            yield from _unknown(getattr(value, name), f"{path}{name}.")
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _unknown(item, f"{path}{name}.")
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, item in enumerate(value):
            yield from _unknown(item, f"{path}{index}.")


def _changed(today: Any, then: Any, path: str) -> Iterator[str]:
    if isinstance(then, Mapping) and isinstance(today, Mapping):
        for name, item in then.items():
            if name in today:
                yield from _changed(today[name], item, f"{path}{name}.")
            else:
                yield f"{path}{name}: lost"
    elif isinstance(then, list) and isinstance(today, list) and len(then) == len(today):
        for index, item in enumerate(then):
            yield from _changed(today[index], item, f"{path}{index}.")
    elif today != then and not _same_moment(today, then):
        yield f"{path.rstrip('.')}: reads as {today!r}, was {then!r}"


def _same_moment(one: Any, other: Any) -> bool:
    try:
        return datetime.fromisoformat(one) == datetime.fromisoformat(other)
    except (TypeError, ValueError):
        return False
