"""The two languages that a person is spoken to in, and a text in both.

Which one: at a terminal HAYATE_LANG, else the locale, as every program has it; over HTTP what Accept-Language puts
first. Who says nothing is spoken to in English.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Language = Literal["en", "ja"]
VARIABLES = ("HAYATE_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
"""The first of them that is set decides: ours, then the locale's in POSIX's order."""


@dataclass(frozen=True, slots=True)
class Text:
    """Whole sentences in both languages; what can be computed of them (a number, a name) stands in both already."""

    en: str
    ja: str

    def of(self, language: Language) -> str:
        """What to show whoever reads `language`."""
        return self.ja if language == "ja" else self.en


class BilingualError(Exception):
    """An error that a person reads: `english` and `japanese` are whole sentences that say what to do, and nothing else
    of it is shown. What has no Japanese yet is told in English.
    """

    def __init__(self, english: str, japanese: str = "") -> None:
        super().__init__(english)
        self.texts = Text(english, japanese or english)

    @property
    def english(self) -> str:
        """For logs, which are in English, and for programs that look for a word in it."""
        return self.texts.en

    @property
    def japanese(self) -> str:
        """For a sentence that goes on from this one."""
        return self.texts.ja

    def text(self, language: Language = "en") -> str:
        """What to show whoever reads `language`; English where nobody has said."""
        return self.texts.of(language)


_REASONS: Mapping[int, Text] = {
    errno.EACCES: Text("permission denied", "アクセス権がありません"),
    errno.EPERM: Text("this is not allowed", "許可されていません"),
    errno.EROFS: Text("the disk is read-only", "読み取り専用のディスクです"),
    errno.ENOSPC: Text("the disk is full", "ディスクに空きがありません"),
    errno.EDQUOT: Text("the disk quota is used up", "ディスクの割り当てを使い切っています"),
    errno.EFBIG: Text("files may not grow that large here", "ファイルサイズの制限を超えています"),
    errno.ENOENT: Text("it does not exist", "存在しません"),
    errno.EEXIST: Text("a file is in its place", "同じ名前のファイルがあります"),
    errno.ENOTDIR: Text("a part of this path is a file", "パスの途中がフォルダーではなくファイルです"),
    errno.EISDIR: Text("it is a folder", "ファイルではなくフォルダーです"),
    errno.ENAMETOOLONG: Text("the name is too long", "名前が長すぎます"),
    errno.EMFILE: Text("too many files are open", "開いているファイルが多すぎます"),
    errno.ENOMEM: Text("memory is used up", "メモリーが足りません"),
    errno.ECONNREFUSED: Text("nothing listens there", "待ち受けているプログラムがありません"),
    errno.ENETUNREACH: Text("the network can't be reached", "ネットワークに接続できません"),
    errno.EHOSTUNREACH: Text("the host can't be reached", "ホストに到達できません"),
    errno.ECONNRESET: Text("the connection was cut", "接続が切断されました"),
    errno.ETIMEDOUT: Text("there was no answer in time", "時間内に応答がありませんでした"),
}


def reason_of(error: OSError) -> Text:
    """What the system said, as part of a sentence; what is not known here stays in the system's words, in brackets."""
    said = error.strerror or type(error).__name__
    return _REASONS.get(error.errno or 0, Text(said, f"OSのエラー（{said}）"))


def one_line(text: str) -> str:
    """Somebody else's words on one line: whatever a terminal would act on is a blank."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def terminal_language(env: Mapping[str, str]) -> Language:
    """What to speak at a terminal with this environment."""
    said = next((env[name] for name in VARIABLES if env.get(name)), "")
    return "ja" if said.lower().startswith("ja") else "en"


def accepted_language(value: str) -> Language:
    """The one that an Accept-Language field puts first, the earlier of two that it likes alike."""
    best: Language = "en"
    best_q = 0.0
    for part in value.split(","):
        tag, _, rest = part.strip().partition(";")
        try:
            q = float(rest.strip().removeprefix("q=") or 1)
        except ValueError:
            q = 0.0
        if q > best_q and tag[:2].lower() in ("en", "ja"):
            best, best_q = "ja" if tag[:2].lower() == "ja" else "en", q
    return best
