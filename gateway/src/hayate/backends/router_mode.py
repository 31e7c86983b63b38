"""llama.cpp's router mode: one server that runs a child for each of its models, and is told which.

What is special: to load is answered when the child has been started, which then takes its time, or ends; a child that ended is
told apart from one that was never there in the list of models alone. A router loads by itself whatever is called, unless it runs
with --no-models-autoload, and puts out what was used least when it has --models-max of them: neither knows of the other models
on the GPU.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from urllib.parse import quote

import orjson

from hayate.backends.control import By, parsed
from hayate.language import Text
from hayate.upstream_errors import UpstreamRefused
from hayate.wire.engine_errors import words_of
from hayate.wire.upstream_request import UpstreamRequest

_NOT_LOADED: Final = re.compile("not loaded", re.IGNORECASE)


def props(model: str | None) -> UpstreamRequest:
    """Asks for one model's properties, without which a router would load it; a server with one model has no other."""
    query = "" if model is None else f"?model={quote(model, safe='')}&autoload=false"
    return UpstreamRequest(f"/props{query}", method=b"GET")


@dataclass(frozen=True, slots=True)
class RouterMode:
    """llama.cpp's, for one of the models; of a server with one model it can tell whether that sleeps."""

    model: str | None
    how: ClassVar[By] = "router"
    missing: ClassVar[Text] = Text(
        "llama-server does not run in router mode, or was built without it: start it with --models-dir or --models-preset alone",
        "llama-serverがルーターモードではありません。モデルを指定せずに（--models-dirか--models-presetで）起動してください",
    )

    def ask(self) -> UpstreamRequest:
        """The model's own properties."""
        return props(self.model)

    def read(self, status: int, body: bytes) -> bool | None:
        """One that sleeps counts as being there: it takes its memory again without being told to."""
        if status == 400 and _NOT_LOADED.search(words_of(body)):
            return False
        told = _props_in(status, body)
        return None if told is None or told.get("role") == "router" else True

    def sleeps(self, status: int, body: bytes) -> bool:
        """A server may put an idle model to sleep."""
        told = _props_in(status, body) or {}
        return told.get("is_sleeping") is True or self.read(status, body) is False

    def look(self) -> None:
        """Nothing."""

    def load(self, seen: bytes) -> tuple[UpstreamRequest, ...]:
        """Answered when the child has been started."""
        return (self._request("/models/load"),)

    def unload(self, *, at_once: bool = False) -> tuple[UpstreamRequest, ...]:
        """Answered at once; the child is given ten seconds, unless the preset says otherwise."""
        return (self._request("/models/unload"),)

    def why(self) -> UpstreamRequest:
        """The list of models."""
        return UpstreamRequest("/models", method=b"GET")

    def read_why(self, body: bytes) -> Text | None:
        """With which status the child ended that was to load it."""
        told = parsed(body)
        listed = told.get("data") if isinstance(told, dict) else None
        for each in listed if isinstance(listed, list) else ():
            status = each.get("status") if isinstance(each, dict) and self._means(each) else None
            code = status.get("exit_code") if isinstance(status, dict) else None
            if isinstance(code, int):
                return Text(
                    f"the process that was to load it ended with status {code}; the router's output says why",
                    f"読み込みプロセスが終了コード{code}で終了しました。理由はルーターの出力を確認してください",
                )
        return None

    def _means(self, listed: dict[str, Any]) -> bool:
        aliases = listed.get("aliases")
        return self.model == listed.get("id") or (isinstance(aliases, list) and self.model in aliases)

    def _request(self, path: str) -> UpstreamRequest:
        if self.model is None:
            raise UpstreamRefused(
                "It is not known which of the router's models is meant: set the deployment's model.",
                "ルーターのどのモデルを使うか分かりません。デプロイメントのmodelを設定してください。",
            )
        return UpstreamRequest(path, orjson.dumps({"model": self.model}))


def _props_in(status: int, body: bytes) -> dict[str, Any] | None:
    told = parsed(body) if status == 200 else None
    return told if isinstance(told, dict) else None
