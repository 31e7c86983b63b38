"""An engine fetches nothing that a caller names, wherever in a request it is named."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.errors import InvalidRequest
from hayate.wire.caps import Caps
from hayate.wire.image_hosts import ImageHosts
from hayate.wire.media import check_risky, check_sources, check_tools, media_fault
from hayate.wire.request_body import MAX_DEPTH
from tests.support.tables import table

IMAGE = "data:image/png;base64,iVBORw0KGgo="


def check_media(where: str, part: dict[str, Any], caps: Caps) -> None:
    if fault := media_fault(part, caps):
        raise fault(where)


FETCHED = [
    "http://10.0.0.1/cat.png",
    "https://example.com/cat.png",
    "HTTP://EXAMPLE.COM/",
    "ftp://host/x",
    "file:///etc/passwd",
    "//169.254.169.254/latest/meta-data",
    "/etc/passwd",
    " http://10.0.0.1/",
    "gopher://host/",
    "blob:x",
]


@table("url", FETCHED)
@table("kind", ["image_url", "video_url", "audio_url", "file_url"])
def test_an_engine_is_made_to_fetch_nothing(kind: str, url: str) -> None:
    for value in ({"url": url}, url):
        with pytest.raises(InvalidRequest) as refused:
            check_media("messages.0.content.0", {"type": kind, kind: value}, Caps())
        assert refused.value.param == f"messages.0.content.0.{kind}"
        assert url not in refused.value.english


@table(
    "part",
    [
        {"type": "image", "image": "https://example.com/cat.png"},
        {"type": "video", "video": "file:///etc/passwd"},
        {"type": "audio", "audio": "http://example.com/a.wav"},
        {"type": "file", "file": {"file_data": "https://example.com/x.pdf"}},
        {"type": "input_audio", "input_audio": {"data": "http://example.com/a.wav"}},
        {"type": "image_url", "image_url": {"url": IMAGE, "data": "x"}, "video_url": {"url": "http://h/"}},
    ],
)
def test_other_ways_to_name_a_medium_are_refused_too(part: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        check_media("messages.0.content.0", part, Caps())


@table(
    "part",
    [
        {"type": "image_url", "image_url": {"url": IMAGE}},
        {"type": "image_url", "image_url": IMAGE.replace("data:", "DATA:")},
        {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
        {"type": "file", "file": {"file_data": "JVBERi0=", "filename": "a.pdf"}},
        {"type": "file", "file": {"file_id": "file-7"}},
        {"type": "text", "text": "see https://example.com"},
        {"type": "image_url", "image_url": None},
    ],
)
def test_media_that_come_along_pass(part: dict[str, Any]) -> None:
    check_media("messages.0.content.0", part, Caps())


def test_media_have_a_size() -> None:
    part = {"type": "image_url", "image_url": {"url": IMAGE + "A" * 2000}}
    with pytest.raises(InvalidRequest, match="over 1000 bytes"):
        check_media("m", part, Caps(max_media_bytes=1000))
    check_media("m", part, Caps(max_media_bytes=2000))


@pytest.mark.parametrize("kind", ["image_embeds", "audio_embeds", "video_embeds"])
def test_raw_tensors_are_refused_until_allowed(kind: str) -> None:
    part = {"type": kind, kind: "AAAA"}
    with pytest.raises(InvalidRequest) as refused:
        check_media("m", part, Caps())
    assert refused.value.param == f"m.{kind}"
    check_media("m", part, Caps(allow_fields=frozenset({kind})))


def test_no_tool_lives_where_a_caller_names() -> None:
    tools = [{"type": "function", "name": "f"}, {"type": "mcp", "server_url": "http://10.0.0.1/mcp"}]
    with pytest.raises(InvalidRequest) as refused:
        check_tools(tools)
    assert refused.value.param == "tools.1.server_url"
    for fine in (None, "x", [], ["x"], tools[:1], [{"type": "mcp", "server_label": "inside"}]):
        check_tools(fine)


def test_risky_fields_are_checked_alone_for_other_dialects() -> None:
    with pytest.raises(InvalidRequest, match="api_base"):
        check_risky({"api_base": "http://10.0.0.1"}, Caps())
    check_risky({"input": "x"}, Caps())


def test_an_image_of_a_listed_host_passes_and_no_other_medium() -> None:
    caps = Caps(image_hosts=ImageHosts(["img.example"]))
    url = "https://img.example/cat.png"
    assert media_fault({"image_url": {"url": url}}, caps) is None
    assert media_fault({"image": url}, caps) is None
    for kind in ("video_url", "audio_url", "file_url"):
        assert media_fault({kind: url}, caps) is not None
    check_sources("messages", [{"type": "image", "source": {"type": "url", "url": url}}], caps)
    with pytest.raises(InvalidRequest):
        check_sources("messages", [{"type": "document", "source": {"type": "url", "url": url}}], caps)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(st.text(max_size=3) | st.integers(0, 3), max_size=8), json_values)
def test_a_fault_is_found_and_named_wherever_it_stands(path: list[str | int], beside: Any) -> None:
    value: Any = {"image_url": "http://10.0.0.1/"}
    for step in reversed(path):
        value = {step: value, "beside": beside} if isinstance(step, str) else [*[beside] * step, value, beside]
    with pytest.raises(InvalidRequest) as refused:
        check_sources("input", value, Caps())
    assert refused.value.param == ".".join(["input", *map(str, path), "image_url"])


@given(json_values)
def test_what_names_no_medium_passes(value: Any) -> None:
    check_sources("input", value, Caps())


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_nesting_has_a_limit_here_too(opening: str) -> None:
    def nested(levels: int) -> Any:
        closing = "]" if opening == "[" else "}"
        return orjson.loads(opening * levels + "1" + closing * levels)

    check_sources("input", nested(MAX_DEPTH - 1), Caps())
    with pytest.raises(InvalidRequest, match="deeper"):
        check_sources("input", nested(MAX_DEPTH), Caps())
