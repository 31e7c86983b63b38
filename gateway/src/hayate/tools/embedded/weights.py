"""The weights of the embedded engine: a local file, a file from the Hub, or, failing that, the tiny one in the package."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from hayate.language import Text, reason_of
from hayate.tools.embedded.download import obtain
from hayate.tools.embedded.reference import PART, HubModel, LocalModel, NoSuchFile, choose, parse_model, served_name
from hayate.tools.embedded.refusals import CannotStart, ModelRefused
from hayate.tools.embedded.speaker import Say
from hayate.tools.planner.facts import FactsMissing, ModelFacts
from hayate.tools.planner.gguf import facts_from_gguf

DEFAULT = HubModel("Qwen/Qwen2.5-0.5B-Instruct-GGUF", file="qwen2.5-0.5b-instruct-q4_k_m.gguf")

NOISE = (
    "Using the tiny built-in model: it knows a handful of sentences (say Hello) and answers anything else with noise."
    " For real answers mend this and start again."
)
NOISE_JA = (
    "内蔵の極小モデルを使います。覚えているのはわずかな文（「こんにちは」など）だけで、それ以外の答えは意味のない文字列です。"
    "まともな回答を得るには、これを解消してから再度起動してください。"
)


@dataclass(frozen=True, slots=True)
class Weights:
    """Files that are there and begin like a GGUF. llama.cpp is given the first and finds the other parts itself."""

    parts: tuple[Path, ...]
    facts: ModelFacts
    served_model: str

    @property
    def path(self) -> Path:
        """What llama.cpp is given: it finds the other parts beside it."""
        return self.parts[0]

    @property
    def size_bytes(self) -> int:
        """Of all parts together, which are in memory at once."""
        return sum(part.stat().st_size for part in self.parts)


def find_weights(model: str | None, say: Say) -> Weights:
    """The weights that `model` (MODEL) names, else the default's, else the tiny ones. Raises CannotStart when one was named."""
    if model is not None:
        named = parse_model(model)
        return _checked(_local_files(named.path) if isinstance(named, LocalModel) else obtain(named, say))
    try:
        return _checked(obtain(DEFAULT, say))
    except CannotStart as error:
        say(error.english, error.japanese)
        say(NOISE, NOISE_JA)
        return tiny()


def tiny() -> Weights:
    """The model that ships in the package (llm/tiny says how it is made)."""
    return _checked([Path(str(files("hayate.tools.embedded") / "model" / "tiny-qwen2.gguf"))])


def _local_files(path: Path) -> list[Path]:
    """The file, or all parts of a split one, or what a folder holds. Raises ModelRefused."""
    try:
        if not path.exists():
            raise _refused(path, "does not exist", "が存在しません")
        if path.is_file() and not PART.search(path.name):
            return [path]
        folder, wanted = (path, None) if path.is_dir() else (path.parent, path.name)
        names = choose((each.name for each in folder.iterdir()), HubModel("", file=wanted))
        return [folder / name for name in names]
    except NoSuchFile:
        if path.is_dir():
            raise _refused(path, "holds no whole GGUF file", "に完全なGGUFファイルがありません") from None
        why = "is one part of several, and others are missing beside it"
        raise _refused(path, why, "は分割ファイルの一部で、残りが同じフォルダーにありません") from None
    except OSError as error:
        said = reason_of(error)
        raise _refused(path, f"can't be read ({said.en})", f"を読み取れません（{said.ja}）") from None


def _checked(parts: list[Path]) -> Weights:
    try:
        return Weights(tuple(parts), facts_from_gguf(parts[0]), served_name(parts[0].name))
    except FactsMissing as error:
        other = Text(
            "Download it again, or name another: MODEL=…",
            "ダウンロードし直すか、別のファイルを指定してください: MODEL=…",
        )
        raise ModelRefused(f"{error.english}. {other.en}", f"{error.japanese}。{other.ja}") from None


def _refused(path: Path, english: str, japanese: str) -> ModelRefused:
    return ModelRefused(
        f"MODEL={path} {english}. Name a .gguf file that is whole, or leave MODEL out for the usual model.",
        f"MODEL={path}{japanese}。完全な.ggufファイルを指定するか、MODELを外してください（既定のモデルで起動します）。",
    )
