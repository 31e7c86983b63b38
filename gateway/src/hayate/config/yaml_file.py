"""A YAML file as plain values that remember where they stand: `${NAME}` and `${NAME:-fallback}` come from the
environment, merge keys (`<<: *base`) work, names are text as they are written, and every place has a line for messages.
What is wrong with one part keeps nobody from reading the others.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from hayate.config.mistakes import ConfigError, Mistake, Told, Where
from hayate.config.yaml_tree import Loader, placed
from hayate.config.yaml_words import DEEP, blanked, mistake_of, straightened, without_tabs
from hayate.engines.placeholders import literal
from hayate.language import Text

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_TEMPLATES = (("deployments",), (), ("run",), ("command", "env"))
"""Where braces mean something: what comes from the environment there has none that do."""
MAX_NUMBER = 10**15
"""Of seconds, bytes, tokens or calls no more can be meant, and arithmetic with it stays exact."""
MAX_FILE_BYTES = 1 << 20
MAX_VALUES = 100_000
"""References (`*name`) can make very much of a short file."""
_MAX_SYNTAX_MISTAKES = 20
_MAX_READ_AGAIN_BYTES = 200_000
_NO_SUCH_CHARACTER = Text(
    "has a line break or another control character inside; remove it",
    "改行などの制御文字が含まれています。取り除いてください",
)
TOO_LARGE = Text(
    f"is too large a number: at most {MAX_NUMBER:.0e}", f"数値が大きすぎます。{MAX_NUMBER:.0e}以下にしてください"
)
_TOO_MANY = Text(
    f"becomes more than {MAX_VALUES} values: its references (*name) multiply; write out what is meant",
    f"値が{MAX_VALUES}個を超えます。参照（*name）が値を増やしています。必要なものだけを書いてください",
)
_NO_SECTIONS = Text(
    "is no configuration: entries are expected, above all deployments: with what you serve below it",
    "設定の形になっていません。deployments:の下に提供するモデルを書いた項目が必要です",
)
_NOT_UTF8 = Text(
    "is not in UTF-8 from this line on; save the file as UTF-8",
    "この行からUTF-8ではありません。UTF-8で保存してください",
)


def clean(env: Mapping[str, str], name: str) -> str:
    """A variable's value without the blanks and line breaks around it, which secrets are often kept with; empty when it
    is not set. Raises Told for a control character inside: it would end a header early, or be part of no name.
    """
    value = env.get(name, "").strip()
    if _CONTROL.search(value):
        raise Told(_NO_SUCH_CHARACTER.en, _NO_SUCH_CHARACTER.ja)
    return value


@dataclass
class Document:
    """What a file says: its values as far as they can be read, its tree for `line_of`, and what is wrong with it."""

    values: dict[str, Any] = field(default_factory=dict)
    root: yaml.Node | None = None
    mistakes: list[Mistake] = field(default_factory=list)
    whole: bool = True
    """Whether every part could be read: of one that couldn't, nothing is known to be missing."""


class _Expansion:
    """Fills in variables, and notes what is wrong with them and with any other text. One per file."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.mistakes: list[Mistake] = []
        self._env = env
        self._left = MAX_VALUES

    def of(self, value: Any, path: Where = ()) -> Any:
        """`value` with every text filled in. Raises Told where there is too much of it."""
        self._left -= 1
        if self._left < 0:
            raise Told(_TOO_MANY.en, _TOO_MANY.ja)
        if isinstance(value, str):
            return self._text(value, path)
        if isinstance(value, dict):
            return {self._key(key, path): self.of(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.of(item, (*path, n)) for n, item in enumerate(value)]
        if isinstance(value, int | float) and abs(value) > MAX_NUMBER:
            self.mistakes.append(Mistake(path, TOO_LARGE))
        return value

    def _key(self, key: Any, path: Where) -> Any:
        if isinstance(key, str) and _CONTROL.search(key):
            self.mistakes.append(Mistake((*path, repr(key)), _NO_SUCH_CHARACTER))
        return key

    def _text(self, value: str, path: Where) -> str:
        def named(match: re.Match[str]) -> str:
            name, fallback = match.groups()
            try:
                found = clean(self._env, name)
            except Told as error:
                self.mistakes.append(Mistake(path, Text(f"{name}: {error.text.en}", f"{name}: {error.text.ja}")))
                return ""
            if found:
                return literal(found) if in_template else found
            if fallback is None:
                text = Text(
                    f"the environment has no {name}: set it, or write a fallback, ${{{name}:-value}}",
                    f"環境変数{name}がありません。設定するか、${{{name}:-value}}のように代わりの値を書いてください",
                )
                self.mistakes.append(Mistake(path, text))
                return ""
            return fallback

        in_template = len(path) > len(_TEMPLATES) and all(
            step in known for step, known in zip(path, _TEMPLATES, strict=False) if known
        )
        filled = _VARIABLE.sub(named, value).strip()
        if _CONTROL.search(filled):
            self.mistakes.append(Mistake(path, _NO_SUCH_CHARACTER))
        return filled


def read_yaml(path: Path, env: Mapping[str, str]) -> Document:
    """The file's values, as many as can be read. Raises ConfigError for a file that can't be read at all."""
    text, mistakes = _text_of(path)
    text, wide = straightened(text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n"))
    found = Document(mistakes=[*mistakes, *wide])
    try:
        values = _parse(text, found)
        expansion = _Expansion(env)
        values = expansion.of(values)
        found.mistakes += expansion.mistakes
    except RecursionError:
        raise ConfigError.of(str(path), [Mistake((), DEEP)]) from None
    except Told as error:
        raise ConfigError.of(str(path), [Mistake((), error.text)]) from None
    if not isinstance(values, dict | None):
        raise ConfigError.of(str(path), [*found.mistakes, Mistake((), _NO_SECTIONS)])
    found.values = {key: value for key, value in (values or {}).items() if not str(key).startswith("x-")}
    return found


def _text_of(path: Path) -> tuple[str, list[Mistake]]:
    """What the file holds. One that is not in UTF-8 is told, and read as what it probably is in."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ConfigError.of(str(path), [Mistake((), _unread(error))]) from None
    if len(data) > MAX_FILE_BYTES:
        text = Text(
            f"is larger than {MAX_FILE_BYTES} bytes, which no configuration is; name the right file",
            f"{MAX_FILE_BYTES}バイトを超えており、設定ファイルとは思えません。正しいファイルを指定してください",
        )
        raise ConfigError.of(str(path), [Mistake((), text)])
    try:
        return data.decode("utf-8"), []
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        coding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "cp932"
        return data.decode(coding, "replace"), [Mistake((), _NOT_UTF8, line)]


def _unread(error: Exception) -> Text:
    if isinstance(error, FileNotFoundError | NotADirectoryError | ValueError):
        return Text(
            "there is no such file; name it with --config or HAYATE_CONFIG",
            "ファイルがありません。--configかHAYATE_CONFIGで正しいファイルを指定してください",
        )
    if isinstance(error, IsADirectoryError):
        return Text(
            "is a folder; name the YAML file in it",
            "フォルダーです。その中のYAMLファイルを指定してください",
        )
    if isinstance(error, PermissionError):
        return Text(
            "may not be read by this user; allow it (chmod, chown), or run as the user who may",
            "このユーザーには読み取りが許可されていません。chmodやchownで許可するか、読み取れるユーザーで実行してください",
        )
    reason = getattr(error, "strerror", None) or type(error).__name__
    return Text(f"can't be read ({reason})", f"読み取れません（{reason}）")


def _parse(text: str, found: Document) -> Any:
    """What the text says. Of an entry that is no YAML the first mistake is told, and the others are read without it."""
    tries = max(1, min(_MAX_SYNTAX_MISTAKES, _MAX_READ_AGAIN_BYTES // max(1, len(text))))
    for attempt in range(tries):
        try:
            with contextlib.closing(Loader(text)) as loader:
                root = loader.get_single_node()
                values = None if root is None else loader.construct_document(root)
        except yaml.YAMLError as error:
            if attempt == 0 and "\t" in text:
                text, tabs = without_tabs(text)
                found.mistakes += tabs
                if tabs:
                    continue
            mistake = mistake_of(error, text)
            if mistake.line not in {each.line for each in found.mistakes}:
                found.mistakes.append(mistake)  # else it is what becomes of the other one on this line
            found.whole = False
            rest = blanked(text, mistake.line or 1)
            if rest is None:
                break
            text = rest
        else:
            found.root = root
            found.mistakes += [placed(each, node, root) for node, each in loader.mistakes]
            return values
    return None
