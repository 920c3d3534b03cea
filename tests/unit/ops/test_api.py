"""The API answers for the token's own tenant, and masks what the token may not see."""

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from connectors.store.opening import open_store
from connectors.store.seam import FullStore, RequestRow, Scope, TenantRow
from ops.api.app import build_api
from ops.api.masking import masked_email, masked_name, masked_phone
from ops.api.tokens import Token, Tokens

NOW = datetime.now(UTC)
REQUEST = "00000000-0000-5000-8000-000000000001"


def token(
    text: str, *, tenant: str = "acme", role: str = "viewer", days: int = 1, offices: tuple[str, ...] = ()
) -> Token:
    digest = hashlib.sha256(text.encode()).hexdigest()
    expires = NOW + timedelta(days=days)
    return Token.model_validate(
        {"sha256": digest, "tenant": tenant, "role": role, "expires": expires, "offices": offices}
    )


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[FullStore]:
    opened = open_store(f"sqlite:///{tmp_path / 'api.db'}")
    await opened.migrate()
    for tenant in ("acme", "other"):
        await opened.put_tenant(TenantRow(tenant_id=tenant, name=tenant), [])
    await opened.merge_request(
        Scope("acme"),
        RequestRow(
            request_id=REQUEST,
            communication_mode="form",
            caller_name="Zoë <b>Marchand</b>",
            caller_phone="+13125550142",
            caller_email="zoe@example.test",
            received_at=NOW,
            revision="1",
        ),
    )
    yield opened
    await opened.close()


@pytest.fixture
def client(store: FullStore) -> TestClient:
    tokens = Tokens(
        [
            token("view"),
            token("admin", role="admin"),
            token("late", days=-1),
            token("theirs", tenant="other"),
            token("branch", offices=("lakeside",)),
        ]
    )
    return TestClient(build_api(store, tokens))


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def test_without_a_living_token_nothing_is_told(client: TestClient) -> None:
    for headers in ({}, bearer("wrong"), bearer("late"), bearer("")):
        answer = client.get("/v1/leads", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert "Zo" not in answer.text


def test_a_viewer_sees_masked_leads_and_an_admin_the_whole(client: TestClient) -> None:
    masked = client.get("/v1/leads", headers=bearer("view")).json()["leads"][0]
    assert masked["phone"].endswith("42")
    assert "+1312" not in str(masked)
    assert "zoe@example.test" not in str(masked)
    whole = client.get(f"/v1/leads/{REQUEST}", headers=bearer("admin")).json()
    assert whole["phone"] == "+13125550142"


def test_another_tenant_and_another_office_see_nothing(client: TestClient) -> None:
    for text in ("theirs", "branch"):
        assert client.get("/v1/leads", headers=bearer(text)).json()["leads"] == []
        assert client.get(f"/v1/leads/{REQUEST}", headers=bearer(text)).status_code == 404


def test_the_console_signs_in_with_a_token_and_shows_names_as_text(client: TestClient) -> None:
    assert "tenant token" in client.get("/").text
    page = client.post("/session", data={"token": "admin"}).text
    assert "Zoë &lt;b&gt;Marchand" in page
    assert "<b>Marchand" not in page
    assert "What became of it" in client.get(f"/leads/{REQUEST}").text


def test_masks_leave_enough_to_recognise_and_too_little_to_use() -> None:
    assert masked_phone("+13125550142") == "••••••••••42"
    assert masked_email("zoe@mail.example.test") == "z•••@•••.test"
    assert masked_name("Zoë Marchand") == "Z. M."
    assert (masked_phone(None), masked_email(None), masked_name("")) == (None, None, None)


def test_a_tokens_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    path.write_text('[{"sha256": "abc"}]')
    with pytest.raises(ValueError, match=r"tokens\.json"):
        Tokens.read(path)
