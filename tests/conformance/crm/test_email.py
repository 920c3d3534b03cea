"""E-mail through SendGrid: one mail per order, escaped, and never sent again on a guess."""

from collections.abc import Mapping
from typing import Any

import pytest

from connectors.crm.opening import ConnectorPool
from connectors.crm.seam import (
    AuthBroken,
    ConfigBroken,
    ConnectorError,
    Delivered,
    EffectUnknown,
    PermanentRefusal,
    QuotaSpent,
    RateLimited,
    Retryable,
    Work,
)
from ops.sandbox.credentials import token_for
from ops.sandbox.faults import Fault
from ops.sandbox.server import Sandbox, SandboxAddresses
from schemas.decision import ConnectorKind, MailWrite
from schemas.tenant import Connector
from tests.conformance.crm.ledger import OrderEffects, some_id

Lines = tuple[tuple[str, str], ...]


class PostRoom:
    """Sends mails of one tenant."""

    def __init__(self, sandbox: Sandbox, pool: ConnectorPool) -> None:
        self.sandbox = sandbox
        self._pool = pool
        self.effects = OrderEffects()

    def work(self, lines: Lines = (("Name", "Dana Whitfield"),), **mail: Any) -> Work:
        given = {"to": ("desk@summit.example",), "subject": "New roof lead", "lines": lines, **mail}
        return Work(some_id("order"), some_id("request"), some_id("contact"), mail=MailWrite(**given))

    async def send(self, work: Work, secret: str | None = None, **settings: Any) -> Delivered:
        async with self._pool.using("summit", self.connector(**settings), secret or self.secret) as crm:
            return await crm.create_lead(work, self.effects)

    async def refused(self, work: Work, **options: Any) -> ConnectorError:
        with pytest.raises(ConnectorError) as caught:
            await self.send(work, **options)
        return caught.value

    @property
    def secret(self) -> str:
        return token_for("sendgrid", "summit")

    def connector(self, **settings: Any) -> Connector:
        return Connector(id="mail", kind=ConnectorKind.EMAIL, settings={"from": "leads@summit.example", **settings})

    def fail(self, kind: str, **more: Any) -> None:
        self.sandbox.add_fault(Fault.model_validate({"vendor": "sendgrid", "kind": kind, **more}))

    def mails(self) -> list[Mapping[str, Any]]:
        accounts = self.sandbox.state()["sendgrid"]["accounts"]
        return list(accounts.get("summit", {}).get("mails", []))


@pytest.fixture
def room(sandbox: tuple[Sandbox, SandboxAddresses], pool: ConnectorPool) -> PostRoom:
    return PostRoom(sandbox[0], pool)


async def test_a_mail_is_sent_and_its_id_remembered(room: PostRoom) -> None:
    delivered = await room.send(room.work(), from_name="Summit Roofing")
    [mail] = room.mails()
    assert mail["from"] == {"email": "leads@summit.example", "name": "Summit Roofing"}
    assert mail["personalizations"][0]["to"] == [{"email": "desk@summit.example"}]
    assert mail["personalizations"][0]["custom_args"] == {
        "request_id": some_id("request"),
        "order_id": some_id("order"),
    }
    assert delivered.remote_ids == {"mail": mail["message_id"]}
    assert room.effects.parts == {"mail": mail["message_id"]}
    assert room.effects.sendings == 1
    assert delivered.written[0].fields


async def test_a_mail_that_the_ledger_knows_is_not_sent_again(room: PostRoom) -> None:
    first = await room.send(room.work())
    second = await room.send(room.work())
    assert len(room.mails()) == 1
    assert second.remote_ids == first.remote_ids
    assert not second.written[0].created


@pytest.mark.parametrize("fault", ["reset", "reset_after_effect"])
async def test_a_lost_answer_is_an_unknown_effect_and_stays_one(
    room: PostRoom, pool: ConnectorPool, fault: str
) -> None:
    room.fail(fault)
    assert isinstance(await room.refused(room.work()), EffectUnknown)
    async with pool.using("summit", room.connector(), room.secret) as crm:
        with pytest.raises(EffectUnknown):
            await crm.reconcile(room.work(), room.effects)


async def test_reconcile_knows_what_the_ledger_knows(room: PostRoom, pool: ConnectorPool) -> None:
    sent = await room.send(room.work())
    async with pool.using("summit", room.connector(), room.secret) as crm:
        found = await crm.reconcile(room.work(), room.effects)
    assert found is not None
    assert found.remote_ids == sent.remote_ids


async def test_everything_from_a_stranger_is_text(room: PostRoom) -> None:
    lines = (
        ("Name", "<b>Dana</b>"),
        ("Message\r\nBcc: x@evil.example", "a & b\n<script>alert(1)</script>"),
        ("Empty", " "),
    )
    subject = "Roof\r\nBcc: everyone@evil.example\u202e <b>"
    await room.send(room.work(lines, subject=subject, reply_to="dana@example.com\r\nBcc: x@evil.example"))
    [mail] = room.mails()
    plain, markup = (part["value"] for part in mail["content"])
    assert "\n" not in mail["subject"]
    assert mail["subject"] == "Roof Bcc: everyone@evil.example <b>"
    assert "<script>" in plain
    assert "<script>" not in markup
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in markup
    assert "<b>Dana</b>" not in markup
    assert "Empty" not in plain
    assert "reply_to" not in mail


async def test_a_template_gets_the_values_as_data(room: PostRoom) -> None:
    await room.send(room.work(template_id="d-0123456789abcdef"))
    [mail] = room.mails()
    assert mail["template_id"] == "d-0123456789abcdef"
    assert "content" not in mail
    assert mail["personalizations"][0]["dynamic_template_data"] == {
        "subject": "New roof lead",
        "lines": [{"label": "Name", "value": "Dana Whitfield"}],
    }


async def test_an_address_named_twice_is_written_to_once(room: PostRoom) -> None:
    await room.send(room.work(to=("Desk@summit.example", "desk@summit.example ", "owner@summit.example")))
    assert [to["email"] for to in room.mails()[0]["personalizations"][0]["to"]] == [
        "Desk@summit.example",
        "owner@summit.example",
    ]


async def test_sandbox_mode_sends_nothing_and_is_done(room: PostRoom) -> None:
    delivered = await room.send(room.work(), sandbox_mode=True)
    assert room.mails() == []
    assert delivered.remote_ids == {"mail": f"order:{some_id('order')}"}


async def test_a_refused_mail_says_which_field_and_why_without_the_address(room: PostRoom) -> None:
    error = await room.refused(room.work(to=("nobody",)))
    assert isinstance(error, PermanentRefusal)
    assert error.words == "personalizations.0.to.0.email: Does not contain a valid address."


@pytest.mark.parametrize(
    ("status", "expected"), [(403, ConfigBroken), (413, PermanentRefusal), (500, Retryable), (503, Retryable)]
)
async def test_an_answered_error_means_that_nothing_was_sent(
    room: PostRoom, status: int, expected: type[ConnectorError]
) -> None:
    room.fail("status", status=status)
    assert isinstance(await room.refused(room.work()), expected)
    await room.send(room.work())
    assert len(room.mails()) == 1


async def test_too_many_mails_wait_for_the_reset(room: PostRoom) -> None:
    room.fail("status", status=429)
    error = await room.refused(room.work())
    assert isinstance(error, RateLimited)
    assert 1 <= error.delay <= 2


async def test_a_dead_key_and_spent_credits_are_told_apart(room: PostRoom) -> None:
    assert isinstance(await room.refused(room.work(), secret="SG.revoked"), AuthBroken)
    body = {"errors": [{"message": "Maximum credits exceeded", "field": None}]}
    room.fail("status", status=401, body=body)
    assert isinstance(await room.refused(room.work()), QuotaSpent)


async def test_an_email_connector_has_no_contacts(room: PostRoom, pool: ConnectorPool) -> None:
    async with pool.using("summit", room.connector(), room.secret) as crm:
        with pytest.raises(ConfigBroken):
            await crm.update_contact(room.work(), room.effects)
    bare = Work(some_id("order"), some_id("request"), some_id("contact"))
    assert isinstance(await room.refused(bare), ConfigBroken)
    assert room.effects.sendings == 0


async def test_validation_asks_for_the_scope_and_sends_nothing(room: PostRoom, pool: ConnectorPool) -> None:
    async with pool.using("summit", room.connector(), room.secret) as crm:
        assert (await crm.validate_connection()).ok
    async with pool.using("summit", room.connector(), "SG.revoked") as crm:
        assert [f.code for f in (await crm.validate_connection()).findings] == ["auth"]
    room.fail("reset", times=9)
    async with pool.using("summit", room.connector(), room.secret) as crm:
        assert [f.code for f in (await crm.validate_connection()).findings] == ["unreachable"]
    assert room.mails() == []
