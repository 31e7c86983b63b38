"""What is told of a handler goes with it, and changes nothing of what it does."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import Response

from hayate.api.gateway import Gateway
from hayate.api.operations import JSON, NOTHING, body, described
from hayate.errors import UnknownKey

pytestmark = pytest.mark.anyio


@described("Does it.", list[int], errors=(UnknownKey,), answers={404: {}}, **body(dict[str, int], required=False))
async def handler(request: Request, gateway: Gateway) -> Response:
    """GET /it: does it."""
    return Response(f"{request}{gateway}")


@described("Does nothing.", status=204)
async def silent(request: Request, gateway: Gateway) -> Response:
    """DELETE /it: undoes it."""
    raise UnknownKey("no")


async def test_a_described_handler_answers_and_raises_as_it_did() -> None:
    assert (await handler("a", "b")).body == b"ab"  # type: ignore[arg-type]  # it does not look at them
    with pytest.raises(UnknownKey):
        await silent("a", "b")  # type: ignore[arg-type]  # nor does this one
    assert handler.__doc__ == "GET /it: does it."


def test_what_is_told_of_it() -> None:
    said = handler.operation
    assert (said.says, said.errors) == ("Does it.", (UnknownKey,))
    assert said.answers == {200: {JSON: list[int]}, 404: NOTHING}
    assert (said.body, said.body_required) == ({JSON: dict[str, int]}, False)
    assert silent.operation.answers == {204: NOTHING}
