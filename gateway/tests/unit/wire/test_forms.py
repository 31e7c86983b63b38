"""A form's model is found however its name is written, replaced in place, and nothing else of the form changes."""

from __future__ import annotations

import contextlib
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.errors import InvalidRequest
from hayate.wire.forms import MAX_CONTENT_TYPE_BYTES, MAX_MODEL_BYTES, MAX_PARTS, Form
from tests.support.tables import table

TYPE = b"multipart/form-data; boundary=edge"
SOUND = b'content-disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF\x00\xff\r\n--edg\r\nname="model"'


def form(*parts: bytes, edge: bytes = b"edge") -> bytes:
    return b"".join(b"--%b\r\n%b\r\n" % (edge, part) for part in parts) + b"--%b--\r\n" % edge


def field(name: str, value: bytes, *before: bytes) -> bytes:
    lines = [*before, f"content-disposition: form-data; name={name}".encode(), b"", value]
    return b"\r\n".join(lines)


@table(
    "part",
    [
        field('"model"', b"fast"),
        field("model", b"fast"),
        field('"model"; filename="x"', b"fast"),
        field("model", b"fast", b"Content-Type: text/plain; charset=utf-8"),
        field('"model"', b"fast").replace(b"content-disposition", b"Content-Disposition"),
        field('"model"', b"fast").replace(b"; name", b";name"),
        field('"model"', b"fast").replace(b"name=", b"filename=x; name="),
        field('"model"', b"fast\r\n"),
        field('"model"', b" fast "),
    ],
)
@table("last", [False, True])
def test_the_model_is_found_and_replaced_in_place(part: bytes, last: bool) -> None:
    body = form(SOUND, field("language", b"ja"), part) if last else form(part, SOUND, field("language", b"ja"))
    read = Form(TYPE, body)
    assert read.model == "fast"
    assert read.naming(None) == body
    head, _, value = part.partition(b"\r\n\r\n")
    assert read.naming("served") == body.replace(head + b"\r\n\r\n" + value, head + b"\r\n\r\nserved")


@table(
    "body",
    [
        form(SOUND),
        form(field('"models"', b"x")),
        form(field('"x"; title="name=model"', b"x")),
        form(field('"x"; filename="; name=model"', b"x")),
        form(field("x", b"--edge", b"name: model")),
        form(),
    ],
)
def test_what_only_looks_like_the_model_is_not_it(body: bytes) -> None:
    read = Form(TYPE, body)
    assert read.model is None
    assert read.naming("served") == body


def test_an_empty_model_is_the_default_and_gets_a_name() -> None:
    read = Form(TYPE, form(field("model", b""), SOUND))
    assert read.model == ""
    assert read.naming("served") == form(field("model", b"served"), SOUND)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (b"multipart/form-data", form(SOUND)),
        (b"multipart/form-data; boundary=", form(SOUND)),
        (TYPE + b" " * MAX_CONTENT_TYPE_BYTES, form(SOUND)),
        (b"multipart/form-data; boundary=" + b"x" * 300, form(SOUND)),
        (TYPE, b""),
        (TYPE, b"model=fast"),
        (TYPE, form(SOUND, edge=b"other")),
        (TYPE, form(field("model", b"fast"), SOUND)[:-10]),
        (TYPE, form(b"no header\r\n\r\nx")),
        (TYPE, form(*[field("a", b"")] * MAX_PARTS)),
        (TYPE, form(b"\r\n".join([b"x-a: b"] * 100) + b"\r\n\r\nx")),
        (TYPE, form(b"x-a: " + b"b" * 5000 + b"\r\n\r\nx")),
        (TYPE, form(*[b"x-a: " + b"b" * 1000 + b"\r\n\r\nx"] * 100)),
        (TYPE, form(field("model", b"x" * (MAX_MODEL_BYTES + 1)))),
        (TYPE, b"--edge\r\n" + field("a", b"") + b"\r\n--edge" + b" " * 1000 + b"\r\n"),
    ],
)
def test_what_is_no_form_is_refused_in_both_languages_and_not_logged(
    content_type: bytes, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(InvalidRequest) as refused:
        Form(content_type, body)
    assert refused.value.english != refused.value.japanese
    assert not caplog.records


def test_two_models_are_a_mistake() -> None:
    with pytest.raises(InvalidRequest, match="twice") as refused:
        Form(TYPE, form(field("model", b"fast"), field("model", b"smart")))
    assert refused.value.param == "model"


EDGES = [b"--edge", b"--edge--", b"--edg", b"\r\n--edge\r\n"]
BLANKS = [b"\r\n", b"\n", b"\r", b" ", b"\t", b"-", b"\r\n\r\n", b"\x00", b":", b";", b"="]
pieces = st.sampled_from(
    [*EDGES, *BLANKS, b"content-disposition: form-data; name=model", b"fast", b'name="', b"model", SOUND]
)


@given(st.lists(pieces, max_size=30).map(b"".join))
def test_any_bytes_are_a_form_or_refused_and_keep_what_is_not_the_model(body: bytes) -> None:
    with contextlib.suppress(InvalidRequest):
        read = Form(TYPE, body)
        named = read.naming("served")
        if read.model is None:
            assert named == body
        else:
            again = Form(TYPE, named)
            assert again.model == "served"
            assert len(named) - len("served") <= len(body)


@given(st.binary(max_size=300), st.binary(max_size=40))
def test_whatever_a_file_holds_it_passes(content: bytes, beside: bytes) -> None:
    if b"\r\n--edge" in content + b"\r\n" or b"\r\n--edge" in beside:
        return
    body = form(b'content-disposition: form-data; name="file"\r\n\r\n' + content, field("model", b"fast"))
    assert Form(TYPE, body).naming("served") == body.replace(b"\r\n\r\nfast\r\n--edge--", b"\r\n\r\nserved\r\n--edge--")
