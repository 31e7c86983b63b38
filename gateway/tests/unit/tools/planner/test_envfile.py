"""`.env` changed in place: what is set, what stays, and how the file is replaced."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.tools.planner.envfile import (
    HEADER,
    UnusableEnvFile,
    changed_lines,
    merged,
    read_env_file,
    read_values,
    replace_env_file,
    with_flags,
)
from tests.support.tables import table

MINE = """# my settings
HF_TOKEN=hf_abc # from the Hub
export MODEL="old/model"   # the model
#VLLM_DTYPE=auto

GREETING='two
lines, and MODEL=inside'
VLLM_MAX_MODEL_LEN = 4096
"""

names = st.from_regex(r"[A-Z][A-Z0-9_]{0,8}", fullmatch=True)
values = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x3100, exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=20
)
lines = st.one_of(
    st.builds(lambda name, value: f"{name}={value}", names, st.from_regex(r"[a-z0-9 ./:-]{0,12}", fullmatch=True)),
    st.builds(
        lambda name, value: f'export {name}="{value}" # why', names, st.from_regex(r"[a-z ]{0,8}", fullmatch=True)
    ),
    st.builds(lambda text: f"# {text}", st.from_regex(r"[A-Za-z= ]{0,12}", fullmatch=True)),
    st.just(""),
    st.just("not an assignment"),
)


def test_values_are_set_where_they_stand_and_the_rest_is_as_it_was() -> None:
    new = merged(MINE, {"MODEL": "new/model", "VLLM_MAX_MODEL_LEN": "8192", "VLLM_DTYPE": "half"})
    assert (
        new == MINE.replace('"old/model"', "new/model").replace("= 4096", "= 8192") + f"\n{HEADER}\nVLLM_DTYPE=half\n"
    )


def test_text_inside_a_quoted_value_is_no_assignment() -> None:
    assert read_values(MINE)["GREETING"] == "two\nlines, and MODEL=inside"
    assert "MODEL=inside" in merged(MINE, {"MODEL": "x"})


def test_a_value_that_is_so_already_keeps_its_spelling() -> None:
    assert merged(MINE, {"MODEL": "old/model", "HF_TOKEN": "hf_abc"}) == MINE


def test_of_several_assignments_all_are_set_because_the_last_counts() -> None:
    assert merged("A=1\nB=2\nA=3\n", {"A": "9"}) == "A=9\nB=2\nA=9\n"


def test_a_new_file_begins_with_a_heading() -> None:
    assert merged("", {"A": "1"}) == f"{HEADER}\nA=1\n"


def test_the_heading_is_written_once() -> None:
    once = merged("X=1\n", {"A": "1"})
    assert merged(once, {"B": "2"}) == once + "B=2\n"


def test_a_last_line_without_its_end_gets_one() -> None:
    assert merged("A=1", {"B": "2"}) == f"A=1\n\n{HEADER}\nB=2\n"


def test_lines_of_windows_stay_lines_of_windows() -> None:
    new = merged("\ufeffA=1\r\nB=2\r\n", {"A": "9", "C": "3"})
    assert new == f"\ufeffA=9\r\nB=2\r\n\r\n{HEADER}\r\nC=3\r\n"


@table("value", ["a b", "--x '{\"a\": 1}'", 'say "it"', "a#b", "$HOME", "it's `so`", "", "日本 語", "back\\slash"])
def test_values_are_quoted_so_that_they_are_read_again(value: str) -> None:
    assert read_values(merged("", {"A": value}))["A"] == value


@pytest.mark.parametrize("value", ["a b", "--x '{\"a\": 1}'", "a#b", "$HOME", "it's `so`", "日本 語"])
def test_a_shell_reads_the_same(tmp_path: Path, value: str) -> None:
    file = tmp_path / ".env"
    file.write_text(merged("", {"A": value}), encoding="utf-8")
    told = subprocess.run(["bash", "-c", '. "$1"; printf %s "$A"', "-", str(file)], capture_output=True, check=True)
    assert told.stdout.decode() == value


@given(st.lists(lines, max_size=12), st.dictionaries(names, values, max_size=4))
def test_merging_sets_what_it_should_and_nothing_else(present: list[str], wanted: dict[str, str]) -> None:
    old = "".join(f"{line}\n" for line in present)
    new = merged(old, wanted)
    before, after = read_values(old), read_values(new)
    assert {name: after[name] for name in wanted} == wanted
    assert {name: value for name, value in after.items() if name not in wanted} == {
        name: value for name, value in before.items() if name not in wanted
    }
    assert merged(new, wanted) == new
    others = [line for line in present if not any(f"{name}=" in line for name in wanted)]
    kept = iter(new.splitlines())
    assert all(any(line == found for found in kept) for line in others)


def test_flags_of_a_plan_take_their_places_among_the_users() -> None:
    users = "--api-key 'a b' --tensor-parallel-size 4 --tool-call-parser=hermes"
    assert (
        with_flags(users, {"--tensor-parallel-size": "2"})
        == "--api-key 'a b' --tool-call-parser=hermes --tensor-parallel-size 2"
    )
    assert with_flags(users, {"--tensor-parallel-size": None}) == "--api-key 'a b' --tool-call-parser=hermes"
    assert with_flags("-tp=4 -x", {"--tensor-parallel-size": None}) == "-x"
    assert with_flags("--tp 4 -x", {"--tp-size": "8"}) == "-x --tp-size 8"
    assert with_flags("", {"--tp-size": None}) == ""


def test_arguments_with_an_open_quote_are_not_touched() -> None:
    with pytest.raises(UnusableEnvFile):
        with_flags("--x 'open", {})


def test_what_changed_is_told_without_secrets_or_other_lines() -> None:
    old = "HF_TOKEN=hf_abc\nEXTRA='--api-key sk-1 --max-num-batched-tokens 2048'\nURL=http://me:word@host/\n"
    new = merged(
        old, {"EXTRA": "--api-key sk-1 --tp 2 --max-num-batched-tokens 2048", "URL": "http://you:secret@host/"}
    )
    told = "\n".join(changed_lines(old, new))
    assert "--api-key ***" in told
    assert "--max-num-batched-tokens 2048" in told
    assert not any(secret in told for secret in ("hf_abc", "sk-1", "word", "secret"))


def test_the_file_is_replaced_with_its_mode(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("A=1\n")
    file.chmod(0o640)
    replace_env_file(file, "A=2\n")
    assert file.read_text() == "A=2\n"
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


def test_a_new_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    replace_env_file(tmp_path / ".env", "A=1\n")
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real/env", tmp_path / ".env"
    target.write_text("A=1\n")
    link.symlink_to(target)
    replace_env_file(link, "A=2\n")
    assert link.is_symlink()
    assert target.read_text() == "A=2\n"


def test_a_folder_that_is_not_there_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(UnusableEnvFile):
        replace_env_file(tmp_path / "gone/.env", "A=1\n")
    (tmp_path / ".env").mkdir()
    with pytest.raises(UnusableEnvFile):
        replace_env_file(tmp_path / ".env", "A=1\n")
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


def test_a_missing_file_is_empty_and_a_broken_one_is_refused(tmp_path: Path) -> None:
    assert read_env_file(tmp_path / ".env") == ""
    (tmp_path / ".env").write_bytes(b"A=\xff\n")
    with pytest.raises(UnusableEnvFile):
        read_env_file(tmp_path / ".env")
