"""The debug page's files, under a policy that lets nothing in from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from hayate.api.gateway import Gateway
from hayate.api.operations import ANYTHING, NOTHING, TEXT, described
from hayate.errors import UnknownPath

_FILES: Final = StaticFiles(directory=Path(__file__).parents[1] / "static")
HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types dompurify",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


@described(
    "The page, and its files.",
    answers={
        200: {ANYTHING: {}},
        206: {ANYTHING: {}},
        304: NOTHING,
        400: {"text/plain": TEXT},
        416: {"text/plain": TEXT},
    },
    errors=(UnknownPath,),
    path={"path": "A file of the page's."},
)
async def show(request: Request, _: Gateway) -> Response:
    """GET / and what the page names under /static. Raises HTTPException where there is no such file."""
    response = await _FILES.get_response(request.path_params.get("path", "index.html"), request.scope)
    response.headers.update(HEADERS)
    return response
