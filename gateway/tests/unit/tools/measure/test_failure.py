"""Why a call does not count, told on one bearable line that holds no key."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from hayate.tools.measure import failure
from hayate.tools.measure.failure import HOPELESS, MAX_DETAIL_CHARS, Failure
from hayate.tools.measure.words import REASONS
from tests.support.tables import table

DOCUMENTED = {line.split()[0] for line in (failure.__doc__ or "").splitlines() if re.match(r"[a-z_N]+ {2,}", line)}
secrets = st.from_regex(r"\Ask-[a-z0-9]{8,24}\Z")


@given(st.text(max_size=600), st.none() | secrets)
def test_what_a_server_said_is_told_on_one_line_of_bearable_length(said: str, secret: str | None) -> None:
    told = Failure("status_500", said).told(secret)
    assert told.reason == "status_500"
    assert len(told.detail) <= MAX_DETAIL_CHARS
    assert told.detail.isprintable()
    assert told.detail == told.detail.strip()
    assert "  " not in told.detail


@given(secrets, st.lists(st.text(max_size=80), min_size=2, max_size=5))
def test_a_key_that_the_server_repeats_is_never_told(secret: str, around: list[str]) -> None:
    assert secret not in Failure("status_401", secret.join(around)).told(secret).detail


@given(st.text(st.characters(categories=("L", "N")), min_size=1, max_size=MAX_DETAIL_CHARS))
def test_a_short_plain_sentence_is_told_as_it_is(said: str) -> None:
    assert Failure("cut", said).told(None) == Failure("cut", said)


def test_a_long_one_ends_in_an_ellipsis() -> None:
    assert Failure("cut", "x" * 300).told(None).detail == "x" * (MAX_DETAIL_CHARS - 1) + "…"


def test_telling_twice_changes_nothing() -> None:
    once = Failure("broken", "a\r\nb\x1b[31m\t" + "長" * 400).told("key")
    assert once.told("key") == once


@table("reason", sorted({*DOCUMENTED, *HOPELESS}))
def test_every_reason_has_words_or_is_a_status(reason: str) -> None:
    assert reason in REASONS or reason.startswith("status_")


def test_every_reason_with_words_is_documented() -> None:
    assert {name for name in REASONS if not name.startswith("status_")} == DOCUMENTED - {"status_NNN"}
