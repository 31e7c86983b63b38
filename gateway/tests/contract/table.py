"""The table of docs-llm_api/engines.md, in both languages, from what is declared: `python -m tests.contract.table --write`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.contract.declared import ENGINES, FEATURES, Depends, Refused, Support, Works

PAGE = Path(__file__).parents[3] / "docs-llm_api/engines.md"
SHOWN = {
    "vllm": "vLLM",
    "llamacpp": "llama.cpp",
    "sglang": "SGLang",
    "trtllm": "trtllm-serve",
    "triton": "Triton",
    "ollama": "Ollama",
}
HEADS = {"en": "What works", "ja": "機能"}


def table(language: str) -> str:
    """The table in `language`, "en" or "ja"."""
    rows = [[HEADS[language], *(SHOWN[engine] for engine in ENGINES)], ["---"] * (len(ENGINES) + 1)]
    for feature in FEATURES.values():
        title = feature.title_ja if language == "ja" else feature.title
        rows.append([title, *(_cell(feature.through(engine), language) for engine in ENGINES)])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def written(page: str) -> str:
    """The page with its tables as they should be."""
    for language in HEADS:
        begin, end = f"<!-- table: {language} -->\n", f"<!-- end of table: {language} -->\n"
        before, found, rest = page.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise SystemExit(f"{PAGE} lacks {begin.strip()} … {end.strip()}")
        page = before + begin + table(language) + end + after
    return page


def _cell(support: Support, language: str) -> str:
    if isinstance(support, Refused):
        return "400"
    if isinstance(support, Depends):
        return support.on_ja if language == "ja" else support.on
    if isinstance(support, Works):
        return f"✓ {support.note_ja if language == 'ja' else support.note}"
    return "✓" if support else "–"


if __name__ == "__main__":
    current = PAGE.read_text(encoding="utf-8")
    if "--write" in sys.argv:
        PAGE.write_text(written(current), encoding="utf-8")
    else:
        sys.stdout.write(table("en") + "\n" + table("ja"))
