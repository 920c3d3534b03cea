"""Pipedrive's calls: v2 for persons, search and field definitions, v1 for leads, notes and the account.

Raises the seam's errors; `Missing` where a record named by its id does not exist (any more).
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from connectors.crm.http import Http, NoAnswer, NotSent
from connectors.crm.seam import EffectUnknown, PermanentRefusal, Retryable
from connectors.crm.slots import Slots
from connectors.crm.vendor_words import fit
from connectors.crm.vendors.pipedrive.errors import error_of

V1, V2 = "/api/v1", "/api/v2"
_PAGE = 500
_PAGES = 20


class Missing(Exception):
    """There is no record with that id."""


class PipedriveApi:
    """One company's calls, within the connector's slots."""

    def __init__(
        self,
        http: Http,
        slots: Slots,
        *,
        base_url: str,
        token: str,
        oauth: bool,
        scope: str,
        now: Callable[[], datetime],
    ) -> None:
        self._http = http
        self._slots = slots
        self._base = base_url.rstrip("/")
        self._token = token
        self._headers = {"Authorization": f"Bearer {token}"} if oauth else {"x-api-token": token}
        self._scope = scope
        self._now = now

    async def get(self, path: str, hidden: Iterable[str] = (), **params: str) -> Any:
        """`data` of the answer."""
        return (await self._call("GET", path, params=params, hidden=hidden)).get("data")

    async def write(
        self, method: str, path: str, body: Mapping[str, Any], hidden: Iterable[str] = ()
    ) -> dict[str, Any]:
        """`data` of the answer to a write, which holds the record's id; raises Missing for a PATCH or PUT."""
        data = (await self._call(method, path, body=body, hidden=hidden, named=method != "POST")).get("data")
        if not isinstance(data, dict) or data.get("id") in (None, ""):
            raise EffectUnknown("the answer to a write holds no id")
        return data

    async def one(self, path: str, record_id: str) -> dict[str, Any]:
        """A record by its id; raises Missing."""
        answer = await self._call("GET", f"{path}/{quote(record_id, safe='')}", named=True)
        data = answer.get("data")
        if not isinstance(data, dict) or data.get("is_deleted") is True:
            raise Missing(path)
        return data

    async def pages(self, path: str, **params: str) -> AsyncIterator[dict[str, Any]]:
        """Every row of a listing: v2 pages by cursor, v1 by start. At most 10,000 rows."""
        turn: dict[str, str] = {}
        for _ in range(_PAGES):
            answer = await self._call("GET", path, params={**params, "limit": str(_PAGE), **turn})
            for row in answer.get("data") or ():
                if isinstance(row, dict):
                    yield row
            more = answer.get("additional_data") or {}
            paging = more.get("pagination") or {}
            if more.get("next_cursor"):
                turn = {"cursor": str(more["next_cursor"])}
            elif paging.get("more_items_in_collection"):
                turn = {"start": str(paging.get("next_start", int(paging.get("start", 0)) + _PAGE))}
            else:
                return

    async def search_persons(self, term: str, field: str, hidden: Iterable[str] = ()) -> list[dict[str, Any]]:
        """What the search index knows, exact matches only; it lags writes."""
        found = await self.get(f"{V2}/persons/search", hidden, term=term, fields=field, exact_match="true")
        items = found.get("items") if isinstance(found, dict) else None
        rows = [row.get("item") for row in items if isinstance(row, dict)] if isinstance(items, list) else []
        return [row for row in rows if isinstance(row, dict) and row.get("id") is not None]

    async def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        hidden: Iterable[str] = (),
        named: bool = False,
    ) -> dict[str, Any]:
        """The answer's document; `named`: the path names a record by its id, so 404 means that it is missing."""
        creates = method == "POST"
        try:
            async with self._slots.taken():
                answer = await self._http.call(
                    method, self._base + path, headers=self._headers, json=body, params=params or None
                )
        except NotSent as fault:
            raise Retryable(f"Pipedrive: {fault}") from None
        except NoAnswer as fault:
            raise (EffectUnknown if creates else Retryable)(f"Pipedrive: {fault}") from None
        document = answer.json()
        told = document if isinstance(document, dict) else None
        if answer.status == 404 and told is not None and named:
            raise Missing(path)
        if not 200 <= answer.status < 300:
            raise error_of(
                answer.status,
                answer.headers,
                told,
                creates=creates,
                now=self._now(),
                scope=self._scope,
                hidden=(*hidden, self._token),
            )
        if told is None:
            raise (EffectUnknown if creates else Retryable)("Pipedrive: the answer is not a JSON object")
        if told.get("success") is False:
            raise PermanentRefusal(fit(str(told.get("error", "refused")), (*hidden, self._token)), code="success=false")
        return told
