"""What is asked: the built-in prompts, or the user's own from a file.

text file     one prompt a line; empty lines are passed over
.jsonl        one JSON value a line: {"messages": [...]}, {"prompt": "..."} or "..."; other keys are passed over
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from hayate.tools.measure import builtin
from hayate.tools.measure.refusal import CannotMeasure, too_large, unreadable

MAX_FILE_BYTES = 64 * 1024 * 1024
JSON_SUFFIXES = (".jsonl", ".ndjson")
Messages = tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class PromptSet:
    """The conversations to send, in order, and where they are from."""

    name: str
    prompts: tuple[Messages, ...]
    warm_up: Messages

    @property
    def sha256(self) -> str:
        """The same for the same prompts in the same order, whatever file they came in."""
        return hashlib.sha256(orjson.dumps(self.prompts, option=orjson.OPT_SORT_KEYS)).hexdigest()


def built_in() -> PromptSet:
    """The prompts of the package."""
    return PromptSet(builtin.NAME, tuple(_from_user(prompt) for prompt in builtin.PROMPTS), _from_user(builtin.WARM_UP))


def read_prompts(path: Path) -> PromptSet:
    """The prompts of a file. Raises CannotMeasure with the line that is at fault."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise too_large(path, MAX_FILE_BYTES)
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise unreadable(path, error) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise CannotMeasure(
            f"{path}, line {line}: not UTF-8. Save the file as UTF-8.",
            f"{path} の{line}行目がUTF-8ではありません。UTF-8で保存し直してください。",
        ) from None
    as_json = path.suffix.lower() in JSON_SUFFIXES
    prompts = tuple(
        _from_json(line, f"{path}:{number}") if as_json else _from_user(line.strip())
        for number, line in enumerate(text.split("\n"), 1)
        if line.strip()
    )
    if not prompts:
        raise CannotMeasure(f"{path} holds no prompts.", f"{path} にプロンプトがありません。")
    return PromptSet(path.name, prompts, _from_user(builtin.WARM_UP))


def marked(messages: Messages, mark: str) -> Messages:
    """The conversation beginning with `mark`, so that an engine has no cached start of it."""
    first, *rest = messages
    content = first["content"]
    begun = f"{mark} {content}" if isinstance(content, str) else [{"type": "text", "text": mark}, *content]
    return ({**first, "content": begun}, *rest)


def single_prompt(messages: Messages) -> tuple[str, str | None]:
    """The conversation as the one prompt and the system message that /generate_stream takes. Raises CannotMeasure."""
    system: str | None = None
    rest: Sequence[dict[str, Any]] = messages
    if rest[0]["role"] == "system":
        system, rest = rest[0]["content"], rest[1:]
    contents = [system or "", *(message["content"] for message in rest)]
    if len(rest) != 1 or rest[0]["role"] != "user" or not all(isinstance(each, str) for each in contents):
        raise CannotMeasure(
            "--api generate_stream takes one user message as text, with or without a system message; a conversation of "
            "several turns needs --api openai.",
            "--api generate_stream で使えるのは、テキストのuserメッセージ1件（とsystemメッセージ）だけです。"
            "複数ターンの会話には`--api openai`を使ってください。",
        )
    return rest[0]["content"], system


def _from_user(text: str) -> Messages:
    return ({"role": "user", "content": text},)


def _from_json(line: str, where: str) -> Messages:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise CannotMeasure(f"{where}: not JSON ({error}).", f"{where}: JSONではありません（{error}）") from None
    if isinstance(value, dict) and "messages" not in value:
        value = value.get("prompt")
    if isinstance(value, str) and value.strip():
        return _from_user(value)
    messages = value.get("messages") if isinstance(value, dict) else None
    if not (isinstance(messages, list) and messages and all(_is_message(each) for each in messages)):
        raise CannotMeasure(
            f'{where}: {{"messages": [{{"role": …, "content": …}}]}} or {{"prompt": "…"}} is expected.',
            f'{where}: {{"messages": [{{"role": …, "content": …}}]}} か {{"prompt": "…"}} の形にしてください。',
        )
    return tuple(messages)


def _is_message(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("role"), str)
        and isinstance(value.get("content"), str | list)
        and bool(value["content"])
    )
