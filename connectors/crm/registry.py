"""Which kinds of connectors there are, found by looking into `connectors/crm/vendors`.

A module (or package) there is one connector: it has a `REGISTRATION`, and adding a vendor is adding that one file.
Finding them imports nothing heavy: a vendor's client library is imported by its `open`, so a daemon for one kind loads
one library. A vendor module without `REGISTRATION`, or two for one kind, is a mistake of ours and raises RuntimeError.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from pydantic import ValidationError

from connectors.crm import vendors
from connectors.crm.seam import ConfigBroken, CrmConnector
from connectors.crm.slots import Slots
from connectors.crm.transports import Transports
from connectors.settings import ConnectionSettings
from schemas.base import FileModel, Json
from schemas.decision import ConnectorKind

Settings = TypeVar("Settings", bound=FileModel)


@dataclass(frozen=True, slots=True)
class Opening:
    """Everything a vendor needs to build one tenant's connector. `now` gives the time in UTC."""

    tenant_id: str
    connector_id: str
    raw_settings: Mapping[str, Json]
    secret: str | None
    connections: ConnectionSettings
    transports: Transports
    slots: Slots
    now: Callable[[], datetime]

    def settings(self, model: type[Settings]) -> Settings:
        """The tenant's settings, checked; `ConfigBroken` names each field and what it may be, never its value."""
        try:
            return model.model_validate(dict(self.raw_settings))
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(str(part) for part in e['loc']) or 'settings'}: {e['msg']}" for e in error.errors()
            )
            known = ", ".join(model.model_fields)
            raise ConfigBroken(
                f"connector {self.connector_id}, settings.{problems}. Correct it in tenant.yaml; known are {known}",
                code="settings",
            ) from None

    def credential(self) -> str:
        """The secret's text without surrounding blanks; `ConfigBroken` when there is none or it cannot be a header."""
        text = (self.secret or "").strip()
        if not text or not text.isascii() or not text.isprintable() or " " in text:
            problem = "has no secret" if not text else "has a secret with characters that no token has"
            raise ConfigBroken(
                f"connector {self.connector_id} {problem}. Name it in tenant.yaml (`secret: secret://NAME`) and check "
                "the value that the operator has put behind it",
                code="secret",
            )
        return text


@dataclass(frozen=True, slots=True)
class Registration:
    """One kind of connector. `settings` describes `Connector.settings`; `open` may raise `ConfigBroken`."""

    kind: ConnectorKind
    upserts: bool
    settings: type[FileModel]
    open: Callable[[Opening], CrmConnector]


def registrations() -> dict[ConnectorKind, Registration]:
    """Every connector of the house, by kind."""
    found: dict[ConnectorKind, Registration] = {}
    for module in pkgutil.iter_modules(vendors.__path__):
        name = f"{vendors.__name__}.{module.name}"
        registration = getattr(importlib.import_module(name), "REGISTRATION", None)
        if not isinstance(registration, Registration):
            raise RuntimeError(f"{name} has no REGISTRATION")
        if registration.kind in found:
            raise RuntimeError(f"{name} registers {registration.kind.value} a second time")
        found[registration.kind] = registration
    return found


def warm(registration: Registration) -> None:
    """Import all that the kind will need, so that the first lead does not wait a second for it. Blocks."""
    module = importlib.import_module(registration.open.__module__)
    for part in pkgutil.iter_modules(getattr(module, "__path__", ()), f"{module.__name__}."):
        importlib.import_module(part.name)
