"""Salesforce's calls, through simple-salesforce 1.12.10 in direct mode: a token and an address, never a login.

(In its login modes the library logs in and repeats without bound when a token is refused.) Blocking; run it in a
thread. Raises `Refused` for an answered error and `Unreached` when there is no whole answer.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import requests
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceError

from connectors.crm.vendors.salesforce.session import SalesforceSession
from connectors.crm.vendors.salesforce.settings import SalesforceSettings

T = TypeVar("T")


class Refused(Exception):
    """Salesforce answered with an error: `details` are the objects of its body, `{errorCode, message, fields}`."""

    def __init__(self, status: int, details: Sequence[Mapping[str, Any]], headers: Mapping[str, str]) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.details = details
        self.headers = headers


class Unreached(Exception):
    """No connection, no whole answer, or an answer that is not Salesforce's."""


class SalesforceApi:
    """One org's calls."""

    def __init__(self, session: SalesforceSession, *, token: str, settings: SalesforceSettings) -> None:
        self._session = session
        self._org: Any = Salesforce(
            session_id=token, instance_url=settings.instance_url, version=settings.api_version, session=session
        )
        self._headers = {"Sforce-Auto-Assign": str(settings.assign).upper()}
        if settings.duplicates == "allow":
            self._headers["Sforce-Duplicate-Rule-Header"] = "allowSave=true"

    def read(self, sobject: str, key: str, value: str, names: Sequence[str]) -> dict[str, Any]:
        """The record by External ID, with the named fields. A missing one is refused with 404."""
        path, fields = _path(key, value), ",".join(dict.fromkeys(("Id", *names)))
        return _object(self._call(lambda: self._sobject(sobject).get(path, params={"fields": fields})))

    def upsert(self, sobject: str, key: str, value: str, values: Mapping[str, Any]) -> tuple[str | None, bool]:
        """Create or update by External ID: the record's id where the answer tells it, and whether it is new."""
        path, headers = _path(key, value), dict(self._headers)
        response = self._call(
            lambda: self._sobject(sobject).upsert(path, dict(values), raw_response=True, headers=headers)
        )
        if response.status_code == 204:
            return None, False
        answer = _object(self._call(response.json))
        return str(answer["id"]) if answer.get("id") else None, response.status_code == 201

    def describe(self, sobject: str) -> dict[str, Any]:
        """The object's description, `fields` among it."""
        return _object(self._call(self._sobject(sobject).describe))

    def limits(self) -> dict[str, Any]:
        """The org's limits."""
        return _object(self._call(self._org.limits))

    def close(self) -> None:
        """Close the session's connections."""
        self._session.close()

    def _sobject(self, name: str) -> Any:
        return getattr(self._org, name)

    def _call(self, send: Callable[[], T]) -> T:
        try:
            return send()
        except SalesforceError as error:
            raise Refused(int(error.status), _details(error.content), self._session.last_headers()) from None
        except (requests.RequestException, ValueError) as error:
            raise Unreached(type(error).__name__) from None


def _path(key: str, value: str) -> str:
    """`Field__c/value` for the address. The library joins it as a relative address: nothing in it may be syntax."""
    if value in ("", ".", ".."):
        text = "an empty external id, or one of dots, cannot be addressed"
        raise Refused(400, [{"errorCode": "EXTERNAL_ID", "message": text}], {})
    return f"{quote(key, safe='')}/{quote(value, safe='')}"


def _details(content: Any) -> list[Mapping[str, Any]]:
    listed = content if isinstance(content, list) else [content]
    return [detail for detail in listed if isinstance(detail, Mapping)]


def _object(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise Unreached("the answer is not a JSON object")
    return answer
