"""Identities are fixed for ever: these very values are in customers' CRMs."""

import json
from uuid import uuid5

from hypothesis import given
from hypothesis import strategies as st

from schemas import identity


def test_the_same_vendor_event_has_the_same_identity_on_every_machine() -> None:
    assert identity.event_id("acme", "callrail", "post_call/CAL1") == "c630d674-eb27-5783-a3fa-523b836fb947"
    assert identity.request_id("acme", "callrail", "CAL1") == "27624e56-771f-5bbc-a0e3-14574cb36f64"
    assert identity.order_id("acme", "r", "rule", "step", 0) == "dc3ed676-7eac-5d9a-b96b-01ae097bf2da"


def test_a_contact_is_known_by_phone_then_by_mail_then_by_the_request_alone() -> None:
    phone = identity.contact_id("acme", phone_e164="+13125550142", email="a@example.test", request="r1")
    assert phone == identity.contact_id("acme", phone_e164="+13125550142", email=None, request="r2")
    mail = identity.contact_id("acme", phone_e164=None, email="a@example.test", request="r1")
    assert mail == identity.contact_id("acme", phone_e164=None, email="A@example.test", request="r2")
    alone = identity.contact_id("acme", phone_e164=None, email=None, request="r1")
    assert alone != identity.contact_id("acme", phone_e164=None, email=None, request="r2")
    assert len({phone, mail, alone}) == 3


def test_tenants_never_share_an_identity() -> None:
    assert identity.request_id("a", "form", "1") != identity.request_id("b", "form", "1")


@given(st.lists(st.text(), min_size=1, max_size=4), st.lists(st.text(), min_size=1, max_size=4))
def test_different_parts_never_meet(left: list[str], right: list[str]) -> None:
    assert (identity.derive("k", *left) == identity.derive("k", *right)) == (left == right)


@given(st.text(), st.lists(st.one_of(st.text(), st.integers()), max_size=4))
def test_an_identity_is_the_uuid_5_of_its_kind_and_parts_as_json(kind: str, parts: list[str | int]) -> None:
    name = json.dumps([kind, *parts], ensure_ascii=False, separators=(",", ":"))
    assert identity.derive(kind, *parts) == str(uuid5(identity.NAMESPACE, name))
