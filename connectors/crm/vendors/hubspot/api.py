"""HubSpot's calls, through hubspot-api-client 12.0.0: plain dicts in, plain dicts out. Blocking; run it in a thread.

The one place that knows API versions: objects and properties v3, associations v4, account details v3. HubSpot ends v4
on 2027-03-30 and v3 in September 2027; the dated paths that follow are reached from here (`ApiClient.call_api`).

API objects are built once and kept, because each attribute chain of the client would build a new connection pool; all
tenants share one urllib3 pool. Answers are parsed here and not by the client's models, which turn an odd body into an
object full of None. Raises `Refused` for an answered error and `Unreached` when there is no whole answer.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import urllib3
from hubspot import HubSpot
from hubspot.crm.associations.v4.exceptions import ApiException as AssociationsError
from hubspot.crm.objects.exceptions import ApiException as ObjectsError
from hubspot.crm.properties.exceptions import ApiException as PropertiesError
from hubspot.discovery.discovery_base import DiscoveryBase

from schemas import codec

_ERRORS = (ObjectsError, AssociationsError, PropertiesError)
_ACCOUNT_DETAILS = "/account-info/v3/details"


class Refused(Exception):
    """HubSpot answered with an error: `document` is its body where that was a JSON object."""

    def __init__(self, status: int, document: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.document = document
        self.headers = headers


class Unreached(Exception):
    """No connection, no whole answer, or an answer that is not HubSpot's."""


class HubSpotApi:
    """One tenant's calls. `timeouts` are seconds to connect and to read; `pool` is a urllib3.PoolManager."""

    def __init__(self, *, host: str, token: str, pool: Any, timeouts: tuple[float, float]) -> None:
        def build(package: Any, name: str, config: dict[str, Any]) -> Any:
            api = DiscoveryBase._default_api_factory(package, name, config)
            api.api_client.rest_client.pool_manager = pool
            return api

        # The client's own retries would sleep inside the thread for as long as the vendor says.
        crm = HubSpot(access_token=token, host=host.rstrip("/"), retry=False, api_factory=build).crm
        self._batch = crm.objects.batch_api
        self._basic = crm.objects.basic_api
        self._links = crm.associations.v4.basic_api
        self._definitions = crm.properties.core_api
        self._options: dict[str, Any] = {"_preload_content": False, "_request_timeout": timeouts}

    def read(self, kind: str, key: str, id_property: str | None, names: Sequence[str]) -> dict[str, Any] | None:
        """The record with that id, or that value of a unique property; None when there is none."""
        body: dict[str, Any] = {"inputs": [{"id": key}], "properties": list(names)}
        if id_property is not None:
            body["idProperty"] = id_property
        answer = self._call(lambda: self._batch.read(kind, body, **self._options))
        rows = _rows(answer)
        if rows:
            return _record(rows[0])
        for error in _list(answer, "errors"):
            if error.get("category") != "OBJECT_NOT_FOUND":
                raise Refused(_status_of_row(error), error, {})
        return None

    def upsert(self, kind: str, key: str, id_property: str, values: Mapping[str, str], trace: str) -> dict[str, Any]:
        """Create or update by a unique property; the record, with `new`."""
        row = {"id": key, "idProperty": id_property, "properties": dict(values), "objectWriteTraceId": trace}
        answer = self._call(lambda: self._batch.upsert(kind, {"inputs": [row]}, **self._options))
        for error in _list(answer, "errors"):
            raise Refused(_status_of_row(error), error, {})
        rows = _rows(answer)
        if len(rows) != 1:
            raise Unreached(f"the answer holds {len(rows)} results instead of 1")
        return _record(rows[0])

    def update(self, kind: str, record_id: str, values: Mapping[str, str]) -> dict[str, Any]:
        """Change a record by HubSpot's own id."""
        body = {"properties": dict(values)}
        return _record(self._call(lambda: self._basic.update(kind, record_id, body, **self._options)))

    def associate(self, kind: str, record_id: str, to_kind: str, to_id: str) -> None:
        """Tie two records by their default association; safe to repeat."""
        self._call(lambda: self._links.create_default(kind, record_id, to_kind, to_id, **self._options))

    def definition(self, kind: str, name: str) -> dict[str, Any]:
        """A property's definition."""
        return self._call(lambda: self._definitions.get_by_name(kind, name, **self._options))

    def account(self) -> dict[str, Any]:
        """The account's details, `portalId` among them."""
        client = self._basic.api_client
        return self._call(
            lambda: client.call_api(
                _ACCOUNT_DETAILS,
                "GET",
                {},
                [],
                {"Accept": "application/json"},
                auth_settings=["oauth2"],
                response_types_map={},
                **self._options,
            )
        )

    def _call(self, send: Callable[[], Any]) -> dict[str, Any]:
        try:
            # Reading the body is also what gives the connection back to the pool.
            return _document(send().data)
        except _ERRORS as error:
            raise _refused(error) from None
        except (AttributeError, UnicodeDecodeError) as error:
            # The client decodes the body of every error, and there is none when TLS failed.
            if isinstance(error.__context__, _ERRORS):
                raise _refused(error.__context__) from None
            raise
        except urllib3.exceptions.HTTPError as error:
            raise Unreached(type(error).__name__) from None


def _refused(error: Any) -> Exception:
    if not error.status:
        return Unreached("no TLS connection")
    body = error.body.encode() if isinstance(error.body, str) else error.body or b""
    try:
        document = codec.loads(body)
    except ValueError:
        document = None
    return Refused(int(error.status), document if isinstance(document, dict) else {}, dict(error.headers or {}))


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = codec.loads(body)
    except ValueError:
        raise Unreached("the answer is not JSON") from None
    if not isinstance(document, dict):
        raise Unreached("the answer is not a JSON object")
    return document


def _list(document: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    listed = document.get(name)
    return [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []


def _rows(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    if not isinstance(document.get("results"), list):
        raise Unreached("the answer holds no results")
    return _list(document, "results")


def _record(row: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(row.get("id"), str) or not row["id"]:
        raise Unreached("the answer holds no id")
    return row


def _status_of_row(error: Mapping[str, Any]) -> int:
    """A row of a 207 carries a category instead of a status."""
    by_category = {
        "CONFLICT": 409, "OBJECT_NOT_FOUND": 404, "RATE_LIMITS": 429, "MISSING_SCOPES": 403, "BANNED": 403,
        "INVALID_AUTHENTICATION": 401, "EXPIRED_AUTHENTICATION": 401, "INTERNAL_ERROR": 500,
    }  # fmt: skip
    return by_category.get(str(error.get("category")), 400)
