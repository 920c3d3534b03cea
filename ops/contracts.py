"""Writes the contracts as files: JSON Schema of everything that crosses a door, AsyncAPI of the daemons.

The schemas say what a reader in another language must be ready for: fields that may be left out are not required,
unknown fields are allowed in documents, and an open enumeration takes values of a newer version beside the known ones.
Files that people edit are the opposite: closed, and without the values that only a reader needs.

The AsyncAPI document is FastStream's own, merged over the daemons, with each topic tied to its one document and with
what the runtime itself may publish for any of them. What no daemon but the command line publishes is added to it.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import EnumSchema

import schemas.api as api
import schemas.audit as audit
import schemas.bundle as bundle
import schemas.rulefile as rulefile
import schemas.tenant as tenant
from schemas.base import FileModel, OpenEnum
from schemas.decision import Decided
from schemas.delivery import DeliveryOrder, Outcome
from schemas.documents import Analyzed, Document, Inbound, Transcribed
from schemas.topics import AUDIT, DEAD_LETTERS, RETRY_TIERS, has_overflow, overflow

if TYPE_CHECKING:
    from faststream import FastStream

DIALECT = "https://json-schema.org/draft/2020-12/schema"

DOCUMENTS: tuple[type[Document], ...] = (Inbound, Transcribed, Analyzed, Decided, DeliveryOrder, Outcome)
"""Every document on the topics."""

AUDIT_ENTRY = f"{audit.AuditEntry.schema_name}-{audit.AuditEntry.schema_version.split('.')[0]}"

OTHERS: Mapping[str, type[BaseModel]] = {
    AUDIT_ENTRY: audit.AuditEntry,
    "tenant-file": tenant.TenantFile,
    "offices-office": tenant.Office,
    "bundle-intake": tenant.IntakeBundle,
    "bundle-rules": rulefile.RulesBundle,
    "bundle-live": bundle.LiveBundle,
    "rule-file": rulefile.RuleFile,
    "crm-file": rulefile.CrmFile,
    "pool-file": rulefile.PoolFile,
    "api-problem": api.Problem,
    "api-accepted": api.Accepted,
    "api-lead-page": api.LeadPage,
    "api-lead-detail": api.LeadDetail,
}

WRITTEN_WHOLE = frozenset(("api-accepted", "api-lead-page", "api-lead-detail"))
"""Answers in which every field stands, null or not."""

FAILURES: Mapping[str, type[Document]] = dict.fromkeys((*RETRY_TIERS, DEAD_LETTERS), Document)
"""Where the runtime puts a record that a daemon could not finish."""


class OpenContract(GenerateJsonSchema):
    """Documents: an open enumeration lists the known values and takes any other text."""

    def enum_schema(self, schema: EnumSchema) -> JsonSchemaValue:
        closed = super().enum_schema(schema)
        if not issubclass(schema["cls"], OpenEnum):
            return closed
        known = {"enum": closed.pop("enum")}
        return {key: value for key, value in closed.items() if key != "type"} | {"anyOf": [known, {"type": "string"}]}


class ClosedContract(GenerateJsonSchema):
    """Files that people edit: `other` is for readers of the future and nothing to write."""

    def enum_schema(self, schema: EnumSchema) -> JsonSchemaValue:
        closed = super().enum_schema(schema)
        if issubclass(schema["cls"], OpenEnum):
            closed["enum"] = [value for value in closed["enum"] if value != "other"]
        return closed


def document_name(kind: type[Document]) -> str:
    """Name and major version of a document, as its schema's file is called."""
    return f"{kind.schema_name}-{kind.schema_version.split('.')[0]}"


def json_schemas() -> dict[str, dict[str, Any]]:
    """File name (without ending) to JSON Schema."""
    named: dict[str, type[BaseModel]] = {document_name(kind): kind for kind in DOCUMENTS}
    return {name: json_schema(name, kind) for name, kind in sorted({**named, **OTHERS}.items())}


def json_schema(name: str, kind: type[BaseModel]) -> dict[str, Any]:
    """The contract of one model."""
    mode: Literal["validation", "serialization"] = "serialization" if name in WRITTEN_WHOLE else "validation"
    generator = ClosedContract if issubclass(kind, FileModel) else OpenContract
    schema = kind.model_json_schema(mode=mode, by_alias=True, schema_generator=generator)
    return {"$schema": DIALECT, "$id": f"leadbus:{name}", **schema}


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3 document of all daemons together."""
    from consumers.retry import build_retry_app
    from consumers.runtime.daemon import build_app
    from consumers.specs import offline_specs

    merged: dict[str, Any] = {}
    for spec in offline_specs():
        reads = {overflow(topic): kind for topic, kind in spec.topics.items() if has_overflow(topic)}
        app = build_app(replace(spec, publishes={**spec.publishes, **FAILURES}))
        _merge(merged, app, {**spec.topics, **reads})
    _merge(merged, build_retry_app(), {})
    _add_operators(merged)
    merged["info"] = {"title": "leadbus daemons", "version": "1.0"}
    return merged


def _merge(merged: dict[str, Any], app: "FastStream", reads: Mapping[str, type[Document]]) -> None:
    document = json.loads(app.schema.to_specification().to_json())
    _one_document_a_topic(document, reads)
    for section in ("channels", "operations"):
        merged.setdefault(section, {}).update(document.get(section, {}))
    for section, entries in document.get("components", {}).items():
        merged.setdefault("components", {}).setdefault(section, {}).update(entries)
    for key in ("asyncapi", "defaultContentType", "servers"):
        merged.setdefault(key, document[key])


def _add_operators(merged: dict[str, Any]) -> None:
    """What `leadbus ops` publishes, in the form that FastStream gives to a daemon's publisher."""
    name, entry = f"operators:{AUDIT}:out", audit.AuditEntry
    message = f"{name}:Message"
    merged["channels"][name] = {
        "address": AUDIT,
        "servers": [{"$ref": f"#/servers/{server}"} for server in merged["servers"]],
        "messages": {"Message": {"$ref": f"#/components/messages/{message}"}},
        "bindings": {"kafka": {"topic": AUDIT, "bindingVersion": "0.4.0"}},
    }
    merged["operations"][name] = {
        "action": "send",
        "channel": {"$ref": f"#/channels/{name}"},
        "messages": [{"$ref": f"#/channels/{name}/messages/Message"}],
    }
    merged["components"]["messages"][message] = {
        "title": message,
        "payload": {"$ref": f"#/components/schemas/{entry.__name__}"},
    }
    merged["components"]["schemas"][entry.__name__] = entry.model_json_schema(schema_generator=OpenContract)


def _one_document_a_topic(document: dict[str, Any], reads: Mapping[str, type[Document]]) -> None:
    """FastStream ties one message to all topics of a subscriber: the union of everything that it reads."""
    messages = document["components"]["messages"]
    for channel in document["channels"].values():
        kind = reads.get(channel["address"])
        for name, reference in channel["messages"].items():
            if kind is not None and name == "SubscribeMessage":
                message = messages[reference["$ref"].rsplit("/", 1)[1]]
                message["payload"] = {"$ref": f"#/components/schemas/{kind.__name__}"}
    unions = [name for name in document["components"]["schemas"] if name.endswith(":Message:Payload")]
    for name in unions if reads else ():
        del document["components"]["schemas"][name]


def export_contracts(folder: Path) -> list[Path]:
    """Write every file; the paths written, sorted."""
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, Any] = {f"{name}.schema.json": schema for name, schema in json_schemas().items()}
    files["asyncapi.json"] = asyncapi()
    written = []
    for name, value in sorted(files.items()):
        path = folder / name
        path.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
        written.append(path)
    return written
