"""Writes the contracts as files: JSON Schema of everything that crosses a door, AsyncAPI of the daemons.

JSON Schema is what other languages validate with, so it describes what is written (serialization mode). The AsyncAPI
document is FastStream's own, merged over the daemons: channels, messages and who receives what.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import schemas.api as api
import schemas.bundle as bundle
import schemas.rulefile as rulefile
import schemas.tenant as tenant
from schemas.decision import Decided
from schemas.delivery import DeliveryOrder, Outcome
from schemas.documents import Analyzed, Document, Inbound, Transcribed

DOCUMENTS: tuple[type[Document], ...] = (Inbound, Transcribed, Analyzed, Decided, DeliveryOrder, Outcome)
"""Every document on the topics."""

OTHERS: Mapping[str, type[BaseModel]] = {
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


def json_schemas() -> dict[str, dict[str, Any]]:
    """File name (without ending) to JSON Schema."""
    named: dict[str, type[BaseModel]] = {
        f"{kind.schema_name}-{kind.schema_version.split('.')[0]}": kind for kind in DOCUMENTS
    }
    result = {}
    for name, kind in sorted({**named, **OTHERS}.items()):
        mode: Any = "validation" if name.endswith("-file") or name.startswith("offices") else "serialization"
        schema = kind.model_json_schema(mode=mode, by_alias=True)
        result[name] = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"leadbus:{name}", **schema}
    return result


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3 document of all daemons together."""
    from consumers.runtime.daemon import build_app
    from consumers.specs import offline_specs

    merged: dict[str, Any] = {}
    for spec in offline_specs():
        app = build_app(spec)
        document = json.loads(app.schema.to_specification().to_json())
        for section in ("channels", "operations"):
            merged.setdefault(section, {}).update(document.get(section, {}))
        for section, entries in document.get("components", {}).items():
            merged.setdefault("components", {}).setdefault(section, {}).update(entries)
        merged.setdefault("asyncapi", document["asyncapi"])
        merged.setdefault("defaultContentType", document.get("defaultContentType", "application/json"))
        merged.setdefault("servers", document.get("servers", {}))
    merged["info"] = {"title": "leadbus daemons", "version": "1.0"}
    return merged


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
