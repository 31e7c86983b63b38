"""One Japanese: the words that are not ours, and blanks where Japanese has none, in every text that the project shows to people.

`python -m tests.support.japanese` lists them. Code is passed over: fenced blocks, `inline`, what stands in braces
of an f-string, and names that only machines read (`data/api_key`, `HAYATE_LANG`, `--plot`), which may stand apart.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
LONG = (
    "サーバ|フォルダ|ユーザ|パラメータ|ブラウザ|ヘッダ|プロバイダ|ドライバ|ルータ|コンテナー|メモリ|プロキシ|トークナイザ|エンコーダ|デコーダ|"
    "スケジューラ|ディレクトリー|ライブラリ|マネージャ|コンピュータ|プリンタ|レイヤ|バッファー"
)
FORBIDDEN = {
    rf"(?<![ァ-ヶー])(?:{LONG})(?![ァ-ヶー])": "長音を付ける（サーバー、フォルダー、メモリー……）",
    r"別名": "エイリアス",
    r"複製": "レプリカ",
    r"鍵": "APIキー、キー",
    r"自前で": "セルフホスト型",
    r"じゃま": "邪魔",
    r"利用者が去": "クライアントが切断すれば",
    r"最初から閉じて": "初期状態で安全",
    r"契約テスト": "コントラクトテスト",
    r"トークン ?1 ?個の費用": "トークン1個あたりのコスト（CPU時間）",
    r"一括(?:応答|の?回答)": "非ストリーミング",
    r"生きているか": "稼働確認（liveness）",
    r"利用登録": "利用許諾が必要な（gated）",
    r"活性(?![化文])": "アクティベーション",
    r"注意ヘッド|線形注意": "アテンションヘッド、線形アテンション",
    r"1件なら最長": "単独時の最大長",
    r"余り": "不足 …（負の値にしない）",
    r"満員": "同時実行数の上限に達し",
    r"待ち行列": "キュー",
    r"本物の答え": "まともな回答",
    r"他の機器": "他の端末",
    r"ポートを他のプログラムに取られ": "ポートは別のプログラムに使用されています",
    r"倍の遅さ": "約…倍遅い",
    r"回答/秒": "リクエスト/秒",
    r"もう一度質問する": "再試行",
    r"長い文脈|文脈を扱": "コンテキスト",
    r"Errno": "OSの英語の文を文中に埋め込まない",
}
"""What is wrong, as an expression, and what a native engineer writes."""
_JA = r"[぀-ヿ一-鿿々〆ー]"
_WORD = r"[A-Za-z0-9]+"
_EDGE = r"[A-Za-z0-9_./=:$~`{}<>*\[\]…-]"
BLANK = re.compile(rf"{_JA} (?={_WORD}(?!{_EDGE}| --?\w))|(?<!{_EDGE}){_WORD} (?={_JA})")
"""A blank between Japanese and a plain word or number."""
NAME = re.compile("Hayate 疾風|疾風 Hayate")
CODE = re.compile(r"```.*?^```|`[^`\n]*`|\]\([^)]*\)|<[^>\n]*>|https?://[\w./:-]+", re.MULTILINE | re.DOTALL)


def faults(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a text for people and what is wrong there; a line without Japanese is in another language."""
    plain = CODE.sub(lambda code: "`" + "\n" * code[0].count("\n"), NAME.sub("疾風", text))
    for number, line in enumerate(plain.splitlines(), 1):
        if not re.search(_JA, line):
            continue
        for wrong, right in FORBIDDEN.items():
            if found := re.search(wrong, line):
                yield number, f"「{found[0]}」→ {right}"
        if found := BLANK.search(line):
            yield number, f"空白: …{line[max(0, found.start() - 8) : found.end() + 8]}…"


def spoken(code: str) -> Iterator[tuple[int, str]]:
    """Every text in Python code that is no docstring, with its line; what an f-string inserts is `{}`."""
    tree = ast.parse(code)
    passed_over = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            passed_over |= {id(each) for each in ast.walk(node) if each is not node}
    for node in ast.walk(tree):
        if id(node) in passed_over:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
        elif isinstance(node, ast.JoinedStr):
            yield (
                node.lineno,
                "".join(str(each.value) if isinstance(each, ast.Constant) else "{}" for each in node.values),
            )


def texts() -> Iterator[tuple[str, int, str]]:
    """Everything that people read: the file, the line before its first, the text."""
    source = REPOSITORY / "gateway/src/hayate"
    for file in sorted(source.rglob("*.py")):
        for line, text in spoken(file.read_text(encoding="utf-8")):
            yield _name(file), line - 1, text
    written = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs-llm_api/*.md"), *REPOSITORY.glob("examples/*.md")]
    written += [*REPOSITORY.glob("llm/**/*.md"), *REPOSITORY.glob("models/*.md"), *REPOSITORY.glob("bench/*.md")]
    shown = [each for each in (source / "static").rglob("*") if each.suffix in (".js", ".html")]
    others = [REPOSITORY / ".env.example", REPOSITORY / "gateway/scripts/setup"]
    for file in sorted({*written, *shown, *others}):
        yield _name(file), 0, file.read_text(encoding="utf-8")


def _name(file: Path) -> str:
    return file.relative_to(REPOSITORY).as_posix()


def complaints() -> Iterator[str]:
    """Everything that reads as if a foreigner had written it, a line each."""
    for name, before, text in texts():
        for line, wrong in faults(text):
            yield f"{name}:{before + line}: {wrong}"


if __name__ == "__main__":
    found = list(complaints())
    print("\n".join(found) or "one Japanese")
    sys.exit(bool(found))
