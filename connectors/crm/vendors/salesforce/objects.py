"""How records look at Salesforce: sObjects, key fields, values as JSON, what a new record needs besides."""

from collections.abc import Iterator, Mapping
from typing import Any

from connectors.crm.rounds import PERSON
from connectors.crm.sameness import is_empty
from connectors.crm.seam import ConfigBroken, Record
from connectors.crm.vendors.salesforce.settings import SalesforceSettings
from connectors.crm.write_modes import needs_present
from schemas import codec

PERSONS = frozenset({"lead", PERSON})
_SOBJECTS = {"lead": "Lead", PERSON: "Contact", "task": "Task"}


class Present(Mapping[str, Any]):
    """A record as it stands there; names of fields are compared without regard to case, as Salesforce does."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self._values = {name.lower(): value for name, value in record.items()}

    @property
    def id(self) -> str:
        """The record's id."""
        return str(self._values.get("id", ""))

    def __getitem__(self, name: str) -> Any:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class Objects:
    """One tenant's objects."""

    def __init__(self, settings: SalesforceSettings) -> None:
        self._settings = settings

    def sobject(self, name: str) -> str:
        """Salesforce's name for a mapping's object; `ConfigBroken` for one that is not served."""
        if name not in _SOBJECTS:
            known = ", ".join(_SOBJECTS)
            raise ConfigBroken(
                f"the mapping writes to object {name!r}; Salesforce connectors know {known}", code="object"
            )
        return _SOBJECTS[name]

    def key(self, name: str) -> str:
        """The External ID field that holds our id."""
        return self._settings.contact_key if name in PERSONS else self._settings.request_key

    def depends_on_present(self, record: Record) -> bool:
        """Whether it matters what stands there: for a write mode, for required fields, for the tie to a person."""
        return needs_present(record) or bool(record.associate_with) or bool(self.defaults(record, {}))

    def defaults(self, record: Record, values: Mapping[str, Any]) -> dict[str, str]:
        """Fields that a new record needs, and neither the mapping nor `values` give."""
        wanted = {"LastName": self._settings.last_name} if record.object in PERSONS else {}
        if record.object == "lead":
            wanted["Company"] = self._settings.company
        given = {field.name.lower() for field in record.fields if not is_empty(field.value)}
        given |= {name.lower() for name in values}
        return {name: value for name, value in wanted.items() if name.lower() not in given}

    def url(self, remote_ids: Mapping[str, str]) -> str | None:
        """Where a person sees the lead."""
        for name, sobject in _SOBJECTS.items():
            if name in remote_ids:
                return f"{self._settings.instance_url}/lightning/r/{sobject}/{remote_ids[name]}/view"
        return None


def wire(name: str, value: Any) -> Any:
    """A value as Salesforce takes it: JSON, with lists as multi-select text."""
    if isinstance(value, list | tuple):
        return ";".join(str(part) for part in value)
    return codec.canonical(value).decode() if isinstance(value, dict) else value
