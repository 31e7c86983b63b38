"""Whatever the bytes of a request or an answer, reading them holds the event loop in proportion to their length.

Times are CPU times of this thread, held against a yardstick measured beside them, so that a slow or busy machine moves both.
The yardstick is what the promise of 15 ms a megabyte was measured with; `scripts/held` prints the milliseconds.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hayate.backends.base import Asked
from hayate.backends.openai_compat import OpenAICompatible
from hayate.errors import GatewayError
from hayate.relay.heads import MAX_ERROR_BYTES
from hayate.wire import validation as checks
from hayate.wire.caps import Caps
from hayate.wire.engine_json import Unreadable, read
from hayate.wire.forms import Form
from hayate.wire.glance import usage_in
from hayate.wire.media import check_sources
from hayate.wire.numbers import largest_limit
from hayate.wire.paths import CHAT, RESPONSES
from hayate.wire.request_body import parse_object
from tests.support.adversaries import ANSWERS, BODIES, FORM_TYPE, FORMS, MB, STREAMS, filled, held_s
from tests.support.quick import examples, slow

CAPS = Caps()
HOLD_MEDIA = ("messages", "input", "documents", "query")
TOKENS = filled(b"12345", MB)
SIZES = pytest.mark.parametrize("megabytes", [2, *slow(8)])
SLACK_S = 0.004
"""What a run may take more than the least, for a page of memory or a collection that falls into it."""


@pytest.fixture(scope="module", autouse=True)
def collections_see_only_what_is_read() -> Iterator[None]:
    """As in the gateway, which freezes what it has when it begins to serve."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def yardstick_s() -> float:
    """What parsing a megabyte of tokens takes: about 6 ms where a megabyte may take 15."""
    return held_s(lambda: orjson.loads(TOKENS))


def within(read: Callable[[], object], megabytes: float) -> None:
    """Twice the promise, which quadratic reading is far beyond at two megabytes already; measured again before it fails."""
    took = allowed = 0.0
    for _ in range(4):
        allowed = 5 * yardstick_s() * max(1.0, megabytes) + SLACK_S
        took = held_s(read, 1)
        if took <= allowed:
            return
    raise AssertionError(f"{took * 1000:.1f} ms for {megabytes:g} MB; at most {allowed * 1000:.1f} ms")


def read_chat(body: bytes) -> None:
    with contextlib.suppress(GatewayError):
        fields = parse_object(body)
        for check in (checks.check_chat, checks.check_completion):
            with contextlib.suppress(GatewayError):
                check(fields, CAPS)
                largest_limit(fields)
                orjson.dumps({**fields, "model": "served"})


def read_passed(body: bytes) -> None:
    with contextlib.suppress(GatewayError):
        fields = parse_object(body, walked=HOLD_MEDIA)
        checks.check_passed(fields, CAPS)
        for name in HOLD_MEDIA:
            check_sources(name, fields.get(name), CAPS)
        orjson.dumps({**fields, "model": "served"})


def read_form(body: bytes) -> None:
    with contextlib.suppress(GatewayError):
        Form(FORM_TYPE, body).naming("served")


@SIZES
@pytest.mark.parametrize("name", BODIES)
def test_a_json_body_is_read_in_linear_time(name: str, megabytes: int) -> None:
    body = BODIES[name](megabytes * MB)
    within(lambda: read_chat(body) if name.endswith("in messages") else read_passed(body), megabytes)


@SIZES
@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_read_in_linear_time(name: str, megabytes: int) -> None:
    body = FORMS[name](megabytes * MB)
    within(lambda: read_form(body), megabytes)


def read_answer(raw: bytes) -> None:
    openai = OpenAICompatible()
    with contextlib.suppress(GatewayError):
        openai.whole_answer(raw)
    for status in (400, 500):
        openai.error(status, raw[:MAX_ERROR_BYTES])
    with contextlib.suppress(Unreadable):
        openai.read_served([read(raw)])
    usage_in(raw)


@SIZES
@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_read_in_linear_time(name: str, megabytes: int) -> None:
    raw = ANSWERS[name](megabytes * MB)
    within(lambda: read_answer(raw), megabytes * 3)  # it is looked at by four readers, of which a call meets one


@SIZES
@pytest.mark.parametrize("adapter", ["chat", "relayed"])
@pytest.mark.parametrize("piece_bytes", [1000, 65536])
@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_read_in_linear_time(name: str, piece_bytes: int, adapter: str, megabytes: int) -> None:
    raw = STREAMS[name](megabytes * MB)
    pieces = [raw[n : n + piece_bytes] for n in range(0, len(raw), piece_bytes)]

    def feed() -> None:
        backend = OpenAICompatible()
        path = CHAT if adapter == "chat" else RESPONSES
        decoder = backend.prepare(Asked(path, None, {"stream": True}, streams=True), "m").decoder
        assert decoder is not None
        with contextlib.suppress(GatewayError):
            for piece in pieces:
                decoder.feed(piece)
            decoder.end()

    within(feed, megabytes)


SIGNS = [b"[", b"]", b"{", b"}", b",", b":", b'"', b"\\", b'\\"', b"\\\\", b"-", b".", b" ", b"\n", b"\\ud800"]
VALUES = [b"1", b"e9", b"0" * 30, b"null", b'"a":', b'"image_url":', b'"source":{"type":"url"}', b'"\xe3\x81\x82"']
PIECES = st.sampled_from([*SIGNS, *VALUES])
EDGES = [b"--edge", b"--edge--", b"\r\n--edge\r\n", b"\r\n--edg", b"-", b"\r\n", b"\r", b"\n", b" ", b"\t", b"\x00"]
HEADERS = [b";", b"=", b'"', b":", b"name=", b"model", b"content-disposition: form-data; name=model\r\n\r\n"]
FORM_PIECES = st.sampled_from([*EDGES, *HEADERS])


def repeated(pieces: list[bytes], size: int) -> bytes:
    unit = b"".join(pieces)
    return unit * (size // len(unit) + 1)


@settings(max_examples=examples(60), deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    st.lists(PIECES, min_size=1, max_size=8), st.sampled_from([b"", b'{"input":[', b'{"messages":', b'{"a":"', b"["])
)
def test_any_repetition_of_json_is_read_in_linear_time(pieces: list[bytes], opening: bytes) -> None:
    body = opening + repeated(pieces, 2 * MB)
    within(lambda: read_passed(body), 2)


@settings(max_examples=examples(60), deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(FORM_PIECES, min_size=1, max_size=8), st.sampled_from([b"", FORMS["one file"](9)[:70], b"--edge\r\n"]))
def test_any_repetition_in_a_form_is_read_in_linear_time(pieces: list[bytes], opening: bytes) -> None:
    body = opening + repeated(pieces, 2 * MB)
    within(lambda: read_form(body), 2)


def test_what_grows_with_the_square_is_found_out() -> None:
    """The measuring itself can fail."""

    def quadratic() -> int:
        paths = [str(n) for n in range(2000)]
        return sum(len(".".join(paths[:n])) for n in range(len(paths)))

    with pytest.raises(AssertionError):
        within(lambda: [quadratic() for _ in range(8)], 1)
