"""CallRail's recordings, over aiohttp."""

from __future__ import annotations

import hashlib
from typing import Any

import aiohttp
import pytest

from ops.sandbox.recordings import RecordingIndex
from tests.unit.sandbox.conftest import Running

KEY = {"Authorization": 'Token token="sandbox-callrail-summit"'}


async def map_call(running: Running, call_id: str, name: str) -> int:
    async with running.http.post(f"{running.at.control}/recordings", json={"call_id": call_id, "name": name}) as answer:
        return answer.status


async def recording_url(running: Running, call_id: str, **headers: str) -> tuple[int, Any]:
    url = f"{running.at.callrail}/v3/a/ACC1/calls/{call_id}/recording.json"
    async with running.http.get(url, headers={**KEY, **headers}) as answer:
        return answer.status, await answer.json()


async def test_a_mapped_recording_is_fetched_in_two_steps_without_a_credential_on_the_second(running: Running) -> None:
    assert await map_call(running, "CAL1", "roof-leak") == 201
    _, body = await recording_url(running, "CAL1")
    async with running.http.get(body["url"]) as answer:
        content = await answer.read()
        assert answer.content_type == "audio/mpeg"
    recording = RecordingIndex.load().by_content(hashlib.sha256(content).hexdigest())
    assert recording is not None
    assert recording.name == "roof-leak"
    async with running.http.get(body["url"], headers=KEY) as answer:
        assert answer.status == 400


async def test_the_link_form_leads_to_the_same_file_by_redirect(running: Running) -> None:
    await map_call(running, "CAL7", "seo-spam")
    url = f"{running.at.callrail}/calls/CAL7/recording/redirect"
    async with running.http.get(url, params={"access_key": "sandbox-callrail-summit"}) as answer:
        assert answer.history[0].status == 302
        assert answer.content_type == "audio/mpeg"
    async with running.http.get(url, params={"access_key": "stolen"}) as answer:
        assert answer.status == 404


async def test_an_unknown_call_is_404_and_an_unknown_key_401(running: Running) -> None:
    assert (await recording_url(running, "CAL9"))[0] == 404
    status, body = await recording_url(running, "CAL9", Authorization='Token token="stolen"')
    assert status == 401
    assert "error" in body


@pytest.mark.parametrize(("name", "status", "kind"), [("gone", 404, "json"), ("not-audio", 200, "html")])
async def test_trouble_can_be_mapped(running: Running, name: str, status: int, kind: str) -> None:
    await map_call(running, "CAL2", name)
    _, body = await recording_url(running, "CAL2")
    async with running.http.get(body["url"]) as answer:
        assert answer.status == status
        assert kind in answer.content_type


async def test_an_unknown_recording_name_is_refused_with_the_known_ones(running: Running) -> None:
    order = {"call_id": "CAL3", "name": "no-such"}
    async with running.http.post(f"{running.at.control}/recordings", json=order) as answer:
        assert answer.status == 422
        assert "roof-leak" in (await answer.json())["error"]


async def test_the_call_detail_names_its_recording(running: Running) -> None:
    await map_call(running, "CAL4", "seo-spam")
    async with running.http.get(f"{running.at.callrail}/v3/a/ACC1/calls/CAL4.json", headers=KEY) as answer:
        detail = await answer.json()
    assert detail["duration"] == 16
    assert detail["recording"].endswith("/calls/CAL4/recording.json")


async def test_a_half_answer_breaks_off_in_the_middle_of_the_recording(running: Running) -> None:
    await map_call(running, "CAL5", "roof-leak")
    _, body = await recording_url(running, "CAL5")
    await running.fault(vendor="callrail", kind="half_answer", path_prefix="/recordings/")
    with pytest.raises(aiohttp.ClientError):
        async with running.http.get(body["url"]) as answer:
            await answer.read()


async def test_the_hourly_limit_is_kept_to(running: Running) -> None:
    await running.limits(callrail_per_hour=1)
    await map_call(running, "CAL6", "roof-leak")
    assert (await recording_url(running, "CAL6"))[0] == 200
    assert (await recording_url(running, "CAL6"))[0] == 429
