"""What every source must keep, whichever vendor it is: found through the registry, so that a new one is held to it."""

from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.problems import Answer
from gateway.signatures import Signed, Verdict, verifier_for
from gateway.sources.registry import discover
from gateway.sources.seam import Sample, SharedToken, SignatureScheme, Source
from schemas import codec
from tests.unit.gateway.house import PUBLIC, House, build_house, bundle, endpoint, path_of, proofs

SOURCES = discover()
KEY = "an-endpoint-key-of-32-characters"
SECRET = "a secret"
SAMPLES = [pytest.param(s, x, id=f"{s.name}-{i}") for s in SOURCES.values() for i, x in enumerate(s.samples)]
PROVEN = [p for p in SAMPLES if p.values[0].signature]  # type: ignore[union-attr]
SIGNED = [p for p in PROVEN if isinstance(p.values[0].signature, SignatureScheme)]  # type: ignore[union-attr]
TOKENED = [p for p in PROVEN if isinstance(p.values[0].signature, SharedToken)]  # type: ignore[union-attr]
NAMES = sorted(SOURCES)

HOSTILE = {
    "empty": b"",
    "blanks": b" \r\n\t",
    "nesting": b'{"a":' * 80_000 + b"1" + b"}" * 80_000,
    "nesting of lists": b"[" * 500_000,
    "nested inside an object": b'{"resource_id":"1","event":"chat:start","chatId":"1","x":'
    + b"[" * 900
    + b"]" * 900
    + b"}",
    "nesting with an escape": b'{"a":"\\u0041","b":' + b"[" * 400_000,
    "NUL": b'{"resource_id":"CAL\\u0000","name":"a\\u0000b","event":"chat:start","chatId":"\\u0000"}',
    "raw NUL": b"\x00" * 300,
    "lone surrogate": b'{"resource_id":"CAL1","customer_name":"a\\ud800b","name":"\\udfff","message":"\\ud800"}',
    "not UTF-8": b'{"name":"\xff\xfe"}',
    "list": b"[1,2,3]",
    "number": b"17",
    "text": b'"text"',
    "huge number": b'{"id":' + b"9" * 5000 + b',"\\u0041":1}',
    "NaN": b'{"id":NaN,"\\u0041":1}',
    "wrong types": b'{"resource_id":{},"id":[],"event":5,"payload":[],"form_data":7,"tags":{},"visitor":[],"chat":1}',
    "wrong types within": b'{"event":"invitee.created","payload":{"uri":"u","tracking":[],'
    b'"questions_and_answers":[1,{}],"scheduled_event":"x","cancellation":4,"name":[],"email":{},"text_reminder_number":true}}',
    "wrong chat": b'{"event":"chat:transcript_created","chatId":"c","chat":{"messages":[null,{"msg":7},{"sender":1,'
    b'"msg":"x","time":5}]},"time":"0001-01-01T00:00:00+14:00","property":3}',
    "far away times": b'{"resource_id":"1","start_time":"9999-12-31T23:59:59-14:00","duration":1e308,"datetime":[]}',
    "many fields": b"&".join(b"f%d=1" % i for i in range(20_000)),
    "broken percent": b"resource_id=%zz%&name=%ff%00&=&&==",
    "half a multipart": b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx',
    "multipart without heads": b"--b\r\n\r\n--b--",
}
TYPES = (
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=b",
    "multipart/form-data",
    "text/plain",
    "",
    "\u20ac/\ud800",
)


ALLOWED = (200, 202, 400, 401, 415)
"""401 where the token travels in the body, and the body is none."""
IN_BODY = [p.values[0].signature for p in TOKENED if p.values[0].signature.place.startswith("body:")]  # type: ignore[union-attr]


def secret_of(source: Source) -> str:
    """One that every sample of the source is proven with."""
    if source.signature in IN_BODY or (isinstance(source.signature, SignatureScheme) and source.signature.key_prefix):
        return str(source.samples[0].secret)
    return SECRET


async def house_of(source: Source, secret: str = "") -> House:
    refs = ["secret://KEY"] if source.signature else []
    made = bundle(endpoint(source.name, KEY, secrets=refs))
    return await build_house(made, secrets={"secret://KEY": secret or secret_of(source)})


async def post(house: House, source: Source, sample: Sample) -> Answer:
    """Post an authentic request; whatever is in it, the source's reading must not be what failed."""
    headers = dict(sample.headers)
    query = urlsplit(sample.url).query
    if source.signature:
        url = PUBLIC + path_of(source.name, KEY, sample.event) + (f"?{query}" if query else "")
        kind = sample.content_type
        headers |= proofs(source.signature, sample.body, secret_of(source), house.clock(), url=url, content_type=kind)
    sent = {name.replace("-", "_"): value for name, value in headers.items()}
    answer = await house.post(
        source.name, KEY, sample.body, event=sample.event, content_type=sample.content_type, query=query, **sent
    )
    assert house.metric("leadbus_gateway_unparsed_total", source=source.name, reason="normalizer_failed") == 0
    return answer


@pytest.mark.parametrize(("source", "sample"), SAMPLES)
async def test_a_sample_becomes_a_document_that_its_model_reads(source: Source, sample: Sample) -> None:
    house = await house_of(source)
    answer = await post(house, source, sample)
    assert len(house.bus.records) == sample.events
    assert answer.status == (202 if sample.events else 200)
    assert len(set(codec.loads(answer.body)["request_ids"])) <= sample.events
    for kept in house.bus.records:
        document = kept.document
        assert document.unparsed is None
        assert document.envelope.event_kind in source.kinds
        assert kept.topic == source.kinds[document.envelope.event_kind].topic
        assert kept.key.decode() == document.envelope.request_id == kept.headers["request_id"]
        assert kept.headers["schema"] == "inbound/1.0"
        assert not document.model_extra
        assert not document.envelope.model_extra
        assert not document.lead.model_extra
        for section in (document.lead.call, document.lead.booking, document.lead.chat, document.lead.attribution):
            assert section is None or not section.model_extra


@pytest.mark.parametrize(("source", "sample"), SAMPLES)
async def test_a_sample_sent_twice_keeps_its_identities(source: Source, sample: Sample) -> None:
    house = await house_of(source)
    for _ in range(2):
        await post(house, source, sample)
    told = [kept.document.envelope for kept in house.bus.records]
    identities = [(envelope.event_id, envelope.request_id, envelope.contact_id) for envelope in told]
    assert identities[: sample.events] == identities[sample.events :]
    assert len(set(identities)) == sample.events


@pytest.mark.parametrize(("source", "sample"), SIGNED)
def test_the_vendors_vector_verifies(source: Source, sample: Sample) -> None:
    assert verdict(source, sample) is Verdict.GOOD


@pytest.mark.parametrize(("source", "sample"), SIGNED)
def test_one_flipped_bit_of_the_body_is_noticed(source: Source, sample: Sample) -> None:
    for place in range(0, len(sample.body), 7):
        flipped = bytearray(sample.body)
        flipped[place] ^= 1 << (place % 8)
        assert verdict(source, replace(sample, body=bytes(flipped))) is Verdict.WRONG


@pytest.mark.parametrize(("source", "sample"), SIGNED)
def test_one_flipped_bit_of_the_signature_is_noticed(source: Source, sample: Sample) -> None:
    assert isinstance(source.signature, SignatureScheme)
    name = source.signature.header.lower()
    text = sample.headers[name]
    for place in range(len(text)):
        for bit in range(7):
            flipped = text[:place] + chr(ord(text[place]) ^ (1 << bit)) + text[place + 1 :]
            if flipped.lower() == text.lower() and source.signature.encoding == "hex":
                continue  # hexadecimal digits may be written either way
            if source.signature.many and flipped.split() == text.split():
                continue
            assert verdict(source, replace(sample, headers={**sample.headers, name: flipped})) is not Verdict.GOOD


@pytest.mark.parametrize(("source", "sample"), PROVEN)
def test_a_missing_proof_or_no_secret_fails(source: Source, sample: Sample) -> None:
    assert source.signature is not None
    assert sample.secret is not None
    stripped = sample.body.replace(sample.secret.encode(), b"") if source.signature in IN_BODY else sample.body
    assert verdict(source, replace(sample, headers={}, body=stripped)) is Verdict.MISSING
    verifier, now = verifier_for(source.signature), sample.received_at.timestamp()
    request = signed(sample)
    assert verifier.verify(request, [], now) == (Verdict.WRONG, None)
    assert verifier.verify(request, [""], now) == (Verdict.WRONG, None)
    assert verifier.verify(request, [f"other{sample.secret}", sample.secret], now) == (Verdict.GOOD, 1)


async def test_a_token_in_a_body_is_never_kept() -> None:
    for source, sample in (p.values for p in TOKENED if p.values[0].signature in IN_BODY):  # type: ignore[union-attr]
        assert isinstance(source, Source)
        assert isinstance(sample, Sample)
        house = await house_of(source, str(sample.secret))
        await post(house, source, sample)
        assert len(house.bus.records) == sample.events
        for kept in house.bus.records:
            assert str(sample.secret).encode() not in kept.value


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("what", HOSTILE)
async def test_a_hostile_body_is_kept_or_refused_but_never_our_fault(name: str, what: str) -> None:
    source = SOURCES[name]
    house = await house_of(source)
    for kind in [*source.kinds, None, "never-heard-of"]:
        for content_type in TYPES:
            sample = Sample(HOSTILE[what], content_type, house.clock(), event=kind)
            assert (await post(house, source, sample)).status in ALLOWED
    for kept in house.bus.records:
        assert kept.document.envelope.source == name
        assert len(kept.value) <= 900 * 1024
        assert "\ud800" not in kept.value.decode()


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
async def test_any_body_is_read_or_kept(name: str, data: st.DataObject) -> None:
    source = SOURCES[name]
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
        max_leaves=12,
    )
    known = data.draw(st.sampled_from(source.samples))
    body = data.draw(st.binary(max_size=300) | st.just(known.body) | mutated(known, values))
    kind = data.draw(st.sampled_from([*source.kinds, None, "x"]))
    house = await house_of(source)
    sample = Sample(body, data.draw(st.sampled_from(TYPES)), house.clock(), event=kind)
    assert (await post(house, source, sample)).status in ALLOWED


def mutated(sample: Sample, values: st.SearchStrategy[object]) -> st.SearchStrategy[bytes]:
    """The sample with some of its values replaced, at the top and one level below."""
    if not sample.body.startswith(b"{"):
        return st.binary(max_size=80).map(lambda tail: sample.body + tail)
    body = codec.loads(sample.body)

    def put(changes: dict[str, object]) -> bytes:
        tree = dict(body)
        for path, value in changes.items():
            first, _, second = path.partition("/")
            tree[first] = {**tree[first], second: value} if second else value
        return codec.dumps(tree)

    nested = [f"{n}/{m}" for n, v in body.items() if isinstance(v, dict) for m in v]
    safe = values.filter(serializable)
    tops = st.dictionaries(st.sampled_from(sorted(body)), safe, max_size=3).map(put)
    return tops | st.dictionaries(st.sampled_from(nested), safe, max_size=4).map(put) if nested else tops


def serializable(value: object) -> bool:
    try:
        codec.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


def signed(sample: Sample) -> Signed:
    return Signed(sample.body, {"content-type": sample.content_type, **sample.headers}, sample.url)


def verdict(source: Source, sample: Sample) -> Verdict:
    assert source.signature is not None
    assert sample.secret is not None
    verifier = verifier_for(source.signature)
    return verifier.verify(signed(sample), [sample.secret], sample.received_at.timestamp()).verdict
