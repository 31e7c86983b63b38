"""One vocabulary over the whole project, and that what looks for its faults finds them and nothing else."""

from __future__ import annotations

from tests.support.japanese import FORBIDDEN, complaints, faults, spoken
from tests.support.tables import table


def test_every_text_is_in_the_one_japanese() -> None:
    assert list(complaints()) == []


@table(
    "text",
    [
        *(
            "推論サーバです",
            "フォルダを",
            "ユーザの",
            "サーバ、フォルダー",
            "別名で",
            "鍵は",
            "満員です",
            "待ち行列（3件）",
            "1.95倍の遅さ",
        ),
        *("24 GBのメモリー 16 GB が", "OpenAI のSDK", "トークン 1個", "GPU なし", "（root で実行）", "Rust 製の"),
    ],
)
def test_what_is_not_ours_is_found(text: str) -> None:
    assert [line for line, _ in faults(f"# Title\n{text}\n")][:1] == [2]


@table(
    "text",
    [
        *(
            "サーバー、サーバーレス、ユーザー、パラメーター",
            "OpenAIのSDK、24GiBのGPU",
            "# Hayate 疾風",
            "a server, 3 of them",
        ),
        *(
            "`hayate key` で確認",
            "data/api_key に保存",
            "--plot を指定",
            "PowerShellで wsl --install を実行",
            "{} は空です",
        ),
        *("[説明](docs/サーバ.md)を", "```\nサーバ 1 本\n```", "メモリーマップ"),
    ],
)
def test_what_is_ours_and_what_is_code_is_left_alone(text: str) -> None:
    assert list(faults(text)) == []


def test_what_programs_say_is_read_and_what_programmers_say_is_not() -> None:
    code = '"""サーバ"""\nx = f"サーバ{1 + 1}台"\ny = "鍵"  # 別名\n'
    assert list(spoken(code)) == [(2, "サーバ{}台"), (3, "鍵")]
    assert FORBIDDEN
