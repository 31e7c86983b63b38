"""A multipart form whose model's name is read and replaced in place; every other byte stays as the client wrote it.

python-multipart takes the form apart and says where each part lies. How many parts and header bytes there may be is
bounded first, because it goes through those in Python: the rest it finds by searching, in time linear in the form's
length.
"""

from __future__ import annotations

import logging
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from hayate.errors import InvalidRequest
from hayate.wire.refusals import given_twice

MAX_PARTS: Final = 128
MAX_HEADERS: Final = 8
"""Header lines of one part."""
MAX_HEADER_BYTES: Final = 2048
"""One header line of a part."""
MAX_ALL_HEADER_BYTES: Final = 32 * 1024
"""The header lines of all parts."""
MAX_CONTENT_TYPE_BYTES: Final = 512
MAX_MODEL_BYTES: Final = 512
_MAX_PADDING_BYTES: Final = 64

_SILENT: Final = logging.getLogger(__name__)
"""The parser's own: what is wrong with a form is told to its sender, not to the log."""
_SILENT.disabled = True


class Form:
    """A form as it came. `model` is the name it asks for; None when it has no such field. `content_type` names the boundary."""

    __slots__ = ("_body", "_end", "_start", "content_type", "model")

    def __init__(self, content_type: bytes, body: bytes) -> None:
        """Raises InvalidRequest for what is no form, or one with more parts or headers than a form has."""
        boundary = _boundary_of(content_type)
        _count_parts(body, boundary)
        reader = _Reader()
        reader.read(boundary, body)
        self._body = body
        self.content_type = content_type
        self._start, self._end = reader.model
        self.model: str | None = None
        if self._end:
            if self._end - self._start > MAX_MODEL_BYTES:
                raise _no_form("its field 'model' is too long", "'model' が長すぎます")
            self.model = body[self._start : self._end].decode("utf-8", "replace").strip()

    def naming(self, served_model: str | None) -> bytes:
        """The form with another model's name, if it names one; as it came without a name to put there."""
        if served_model is None or not self._end:
            return self._body
        view = memoryview(self._body)
        return b"".join((view[: self._start], served_model.encode(), view[self._end :]))


class _Reader:
    """Follows the parser to the field `model`: where its value starts and ends; (0, 0) when there is none."""

    def __init__(self) -> None:
        self.model = (0, 0)
        self._named_model = False
        self._ended = False
        self._is_disposition = False
        self._data_at = 0
        self._data_end = 0
        self._header_bytes = 0

    def read(self, boundary: bytes, body: bytes) -> None:
        """Goes through all of it, so that a form which is broken anywhere is refused. Raises InvalidRequest."""
        callbacks = {
            "on_part_begin": self._begin,
            "on_header_field": self._field,
            "on_header_value": self._value,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._finish,
        }
        try:
            parser = MultipartParser(
                boundary,
                callbacks,  # type: ignore[arg-type]  # a TypedDict of the same names
                max_header_count=MAX_HEADERS,
                max_header_size=MAX_HEADER_BYTES,
            )
            parser.logger = _SILENT
            parser.write(body)
        except FormParserError as error:
            raise _no_form(str(error).lower(), "形式が正しくありません") from None
        if not self._ended:
            raise _no_form("it does not end with its boundary", "終わりの境界文字列がありません")

    def _begin(self) -> None:
        self._named_model = False
        self._data_at = self._data_end = 0

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._is_disposition = data[start:end].lower() == b"content-disposition"

    def _value(self, data: bytes, start: int, end: int) -> None:
        self._data_at = self._data_end = end + 4  # two line ends
        self._header_bytes += end - start
        if self._header_bytes > MAX_ALL_HEADER_BYTES:
            raise _no_form("its parts' headers are too long", "パートのヘッダーが長すぎます")
        if self._is_disposition:
            self._named_model = parse_options_header(data[start:end])[1].get(b"name") == b"model"

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._data_at, self._data_end = start, end

    def _end(self) -> None:
        if not self._named_model:
            return
        if self.model != (0, 0):
            raise given_twice("model")
        self.model = self._data_at, self._data_end

    def _finish(self) -> None:
        self._ended = True


def _boundary_of(content_type: bytes) -> bytes:
    if len(content_type) > MAX_CONTENT_TYPE_BYTES:
        raise _no_form("its content-type is too long", "Content-Typeが長すぎます")
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise _no_form("its content-type names no boundary", "Content-Typeに境界文字列（boundary）がありません")
    return boundary


def _count_parts(body: bytes, boundary: bytes) -> None:
    """Raises InvalidRequest for more parts than a form has, or blanks without end behind a boundary."""
    delimiter = b"\r\n--" + boundary
    at = body.find(delimiter)
    for _ in range(MAX_PARTS):
        if at < 0:
            return
        end = at + len(delimiter)
        behind = body[end : end + _MAX_PADDING_BYTES]
        if len(behind) == _MAX_PADDING_BYTES and not behind.strip(b" \t"):
            raise _no_form("it has blanks behind a boundary", "境界文字列の後ろに空白が続いています")
        at = body.find(delimiter, end)
    raise _no_form(f"it has more than {MAX_PARTS} parts", f"パートが{MAX_PARTS}個を超えています")


def _no_form(why: str, why_ja: str) -> InvalidRequest:
    return InvalidRequest(f"The form can't be read: {why}.", f"フォームを読み取れません: {why_ja}。")
