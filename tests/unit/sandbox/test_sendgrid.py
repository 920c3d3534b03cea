"""The SendGrid mail door, over aiohttp."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from tests.unit.sandbox.conftest import Running

KEY = {"Authorization": "Bearer sandbox-sendgrid-agency"}
MAIL: dict[str, Any] = {
    "personalizations": [{"to": [{"email": "sales@example.com"}], "custom_args": {"request_id": "r-1"}}],
    "from": {"email": "leads@example.com"},
    "subject": "New lead",
    "content": [{"type": "text/plain", "value": "Karen called."}],
}


async def post(running: Running, mail: dict[str, Any], **headers: str) -> tuple[int, Any, Any]:
    url = f"{running.at.sendgrid}/v3/mail/send"
    async with running.http.post(url, json=mail, headers={**KEY, **headers}) as answer:
        body = await answer.read()
        return answer.status, answer.headers, (await answer.json()) if body else None


async def mails(running: Running) -> list[dict[str, Any]]:
    accounts = (await running.state("sendgrid"))["accounts"]
    found: list[dict[str, Any]] = accounts.get("agency", {}).get("mails", [])
    return found


async def test_a_mail_is_accepted_with_a_message_id_and_kept(running: Running) -> None:
    status, headers, body = await post(running, MAIL)
    assert (status, body) == (202, None)
    kept = await mails(running)
    assert kept[0]["message_id"] == headers["X-Message-Id"]
    assert kept[0]["personalizations"][0]["custom_args"] == {"request_id": "r-1"}


async def test_the_same_mail_twice_is_two_mails(running: Running) -> None:
    await post(running, MAIL)
    await post(running, MAIL)
    assert len(await mails(running)) == 2


async def test_sandbox_mode_validates_and_sends_nothing(running: Running) -> None:
    status, _, _ = await post(running, {**MAIL, "mail_settings": {"sandbox_mode": {"enable": True}}})
    assert status == 200
    assert await mails(running) == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"from": {}}, "from.email"),
        ({"personalizations": []}, "personalizations"),
        ({"personalizations": [{"to": [{"email": "nobody"}]}]}, "personalizations.0.to.0.email"),
        ({"subject": None}, "subject"),
        ({"content": []}, "content"),
        ({"custom_args": {"n": 1}}, "custom_args"),
    ],
)
async def test_a_bad_mail_is_refused_with_the_field(running: Running, change: dict[str, Any], field: str) -> None:
    status, _, body = await post(running, {**MAIL, **change})
    assert status == 400
    assert field in [error["field"] for error in body["errors"]]
    assert await mails(running) == []


async def test_a_template_needs_neither_subject_nor_content(running: Running) -> None:
    templated = {name: value for name, value in MAIL.items() if name not in ("subject", "content")}
    assert (await post(running, {**templated, "template_id": "d-1"}))[0] == 202


async def test_an_unknown_key_is_401_and_scopes_are_told(running: Running) -> None:
    status, _, body = await post(running, MAIL, Authorization="Bearer stolen")
    assert status == 401
    assert "authorization grant" in body["errors"][0]["message"]
    async with running.http.get(f"{running.at.sendgrid}/v3/scopes", headers=KEY) as answer:
        assert "mail.send" in (await answer.json())["scopes"]


async def test_reset_after_effect_sends_the_mail_and_loses_the_answer(running: Running) -> None:
    await running.fault(vendor="sendgrid", kind="reset_after_effect")
    with pytest.raises(aiohttp.ClientError):
        await post(running, MAIL)
    assert len(await mails(running)) == 1


async def test_a_429_fault_names_the_reset_time(running: Running) -> None:
    await running.fault(vendor="sendgrid", kind="status", status=429)
    status, headers, _ = await post(running, MAIL)
    assert status == 429
    assert int(headers["X-RateLimit-Reset"]) > 0
