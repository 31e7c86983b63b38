"""A model's own tokenizer files: its chat template, which makes a prompt of messages, and its tokens, which are
counted.

Templates are Jinja, written for the environment that Hugging Face's libraries give them: trimmed blocks, `tojson` that
leaves characters as they are, `raise_exception`, `strftime_now`, `{% generation %}`. They come with the model, from
strangers, so they run in Jinja's sandbox, where nothing outside the messages can be reached or changed.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hayate.errors import InvalidRequest
from hayate.language import BilingualError

if TYPE_CHECKING:
    import jinja2
    import tokenizers

FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.json",
    "chat_template.jinja",
)
_SPECIAL = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
_REMEMBERED_COUNTS = 64


class TokenizerError(BilingualError):
    """The tokenizer files can't be used; the text is one line that says why and what to do."""


class ModelTokenizer:
    """One model's tokenizer, loaded. Rendering and counting never touch a file."""

    def __init__(
        self, tokenizer: tokenizers.Tokenizer, template: jinja2.Template | None, special: Mapping[str, str]
    ) -> None:
        self._tokenizer = tokenizer
        self._template = template
        self._special = special
        self.begins_with = _own_beginning(tokenizer, special.get("bos_token", ""))
        # A prompt is counted when it is sent and once more when its usage is told.
        self.count = functools.lru_cache(_REMEMBERED_COUNTS)(self._count)

    def render(self, messages: list[dict[str, Any]], **variables: Any) -> str:
        """The prompt that the chat template makes of `messages`, ready for the answer. Raises InvalidRequest."""
        import jinja2

        if self._template is None:
            raise InvalidRequest(
                "This model has no chat template: use /v1/completions.",
                "このモデルにはチャットテンプレートがありません。/v1/completions をお使いください。",
                param="messages",
            )
        given = {"add_generation_prompt": True, "tools": None, "documents": None, **self._special, **variables}
        try:
            return self._template.render(messages=messages, **given)
        except (jinja2.TemplateError, TypeError, ValueError, KeyError) as error:
            raise InvalidRequest(
                f"The model's chat template refuses these messages: {str(error)[:200]}",
                f"モデルのチャットテンプレートがこのメッセージを受け付けません: {str(error)[:200]}",
                param="messages",
            ) from None

    def _count(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)


def load_tokenizer(source: str) -> ModelTokenizer:
    """The tokenizer in the folder `source`, or of the Hub's model of that name. Raises TokenizerError."""
    try:
        import tokenizers
    except ImportError:
        raise TokenizerError(
            "the packages for chat templates and tokens are not installed: run `make setup` in Hayate's folder",
            "チャットテンプレートとトークンのためのパッケージがありません。Hayateのフォルダーでmake setupを実行してください",
        ) from None
    folder = _folder(source)
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise TokenizerError(
            f"{source} has no tokenizer.json; a folder with a fast tokenizer's files is needed",
            f"{source}にtokenizer.jsonがありません。高速版（fast）トークナイザーのファイルがあるフォルダーが必要です",
        )
    try:
        tokenizer = tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # noqa: BLE001  the library raises plain Exception for a broken file
        raise _unreadable(path, error) from None
    settings = {**_json(folder / "special_tokens_map.json"), **_json(folder / "tokenizer_config.json")}
    special = {name: text for name in _SPECIAL if (text := _token_text(settings.get(name)))}
    return ModelTokenizer(tokenizer, _template(folder, settings), special)


def check_source(source: str) -> None:
    """Raises TokenizerError for a folder that is not there; a Hub id is not looked for."""
    path = Path(source).expanduser()
    means_a_folder = path.is_absolute() or source.startswith((".", "~")) or source.count("/") > 1
    if means_a_folder and not path.is_dir():
        raise TokenizerError(
            f"{source} is no folder; name the one with the tokenizer's files",
            f"{source}というフォルダーはありません。トークナイザーのファイルがあるフォルダーを指定してください",
        )


def is_folder(source: str) -> bool:
    """Whether the tokenizer lies here, so that nobody has to be asked for it."""
    return Path(source).expanduser().is_dir()


def _folder(source: str) -> Path:
    check_source(source)
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError

    try:
        found = Path(hf_hub_download(source, FILES[0]))
        for name in FILES[1:]:
            with contextlib.suppress(EntryNotFoundError):  # no model has them all
                hf_hub_download(source, name)
    except (HfHubHTTPError, HFValidationError, EntryNotFoundError, OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise TokenizerError(
            f"{source} is no folder, and the Hub does not give it: {reason}",
            f"{source}というフォルダーはなく、Hubからも取得できません（{reason}）",
        ) from None
    return found.parent


def _template(folder: Path, settings: Mapping[str, Any]) -> jinja2.Template | None:
    source = _template_source(folder, settings)
    if source is None:
        return None
    import jinja2

    try:
        return _environment().from_string(source)
    except jinja2.TemplateError as error:
        raise TokenizerError(
            f"the chat template in {folder} can't be read: {error}",
            f"{folder}のチャットテンプレートを読み取れません（{error}）",
        ) from None


def _template_source(folder: Path, settings: Mapping[str, Any]) -> str | None:
    """In order: the file of its own, the older JSON file, the tokenizer's configuration; of several, the default one."""
    path = folder / "chat_template.jinja"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    found = _json(folder / "chat_template.json").get("chat_template") or settings.get("chat_template")
    if isinstance(found, list):
        named = {each.get("name"): each.get("template") for each in found if isinstance(each, dict)}
        found = named.get("default") or next(iter(named.values()), None)
    return found if isinstance(found, str) else None


def _environment() -> jinja2.Environment:
    import jinja2
    from jinja2 import nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.parser import Parser
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """`{% generation %}` marks what a model is trained on; for a prompt its content is what counts."""

        tags = {"generation"}  # noqa: RUF012  as Jinja declares it

        def parse(self, parser: Parser) -> list[nodes.Node]:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    def raise_exception(message: str) -> None:
        raise jinja2.TemplateError(message)

    def tojson(
        value: Any,
        ensure_ascii: bool = False,
        indent: int | None = None,
        separators: tuple[str, str] | None = None,
        sort_keys: bool = False,
    ) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def strftime_now(pattern: str) -> str:
        return datetime.now().astimezone().strftime(pattern)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, Generation]
    )
    environment.filters["tojson"] = tojson
    environment.globals.update(raise_exception=raise_exception, strftime_now=strftime_now)
    return environment


def _own_beginning(tokenizer: tokenizers.Tokenizer, bos: str) -> str:
    """The first special token, if the tokenizer puts it before any text by itself."""
    if not bos:
        return ""
    return bos if tokenizer.encode("a").ids[:1] == [tokenizer.token_to_id(bos)] else ""


def _token_text(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) else ""


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    return found if isinstance(found, dict) else {}


def _unreadable(path: Path, error: Exception) -> TokenizerError:
    return TokenizerError(f"{path} can't be read: {error}", f"{path}を読み取れません（{error}）")
