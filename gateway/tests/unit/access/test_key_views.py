"""A key as it is shown: everything that was said of it, nothing that was not, and its secret once or never."""

from __future__ import annotations

from datetime import UTC, datetime

from hayate.access.key_admin import KeyInfo
from hayate.access.key_views import answer_of, said
from hayate.access.keys import make_key
from hayate.access.terms import FREE, Defaults, Terms
from hayate.settings import RateLimits

NOW = 1_790_000_000.0
PLAIN = KeyInfo("a1b2c3d4e5f6", "game", "games", NOW - 5, None, None, None, FREE)


def test_a_plain_key_says_that_everything_is_open() -> None:
    shown = answer_of(PLAIN, NOW).model_dump()
    assert (shown["id"], shown["name"], shown["project"], shown["state"]) == (PLAIN.id, "game", "games", "active")
    assert shown["created_at"] == datetime.fromtimestamp(NOW - 5, UTC)
    assert shown["areas"] == ("calls", "history", "usage")
    assert (shown["limits"], shown["model_limits"], shown["defaults"], shown["weight"]) == ({}, {}, {}, 1)
    for name in ("expires_at", "revoked_at", "old_key_until", "models", "max_output_tokens", "key"):
        assert shown[name] is None


def test_what_was_said_is_shown_and_no_more() -> None:
    terms = Terms(
        models=("fast",),
        limits=RateLimits(requests_per_minute=60, strict=False),
        model_limits={"smart": RateLimits(concurrency=1)},
        weight=5,
        max_output_tokens=1024,
        defaults=Defaults(model="fast"),
    )
    shown = answer_of(KeyInfo("i", "n", "p", NOW, NOW + 60, None, None, terms), NOW).model_dump()
    assert shown["models"] == ("fast",)
    assert shown["limits"] == {"requests_per_minute": 60, "strict": False}
    assert shown["model_limits"] == {"smart": {"concurrency": 1}}
    assert (shown["weight"], shown["max_output_tokens"], shown["defaults"]) == (5, 1024, {"model": "fast"})
    assert said(RateLimits()) == {}


def test_its_state_follows_the_time_and_revoked_goes_before_expired() -> None:
    def state(**facts: float | None) -> str:
        times = {"expires_at": None, "revoked_at": None, "old_until": None, **facts}
        return answer_of(KeyInfo("i", "n", "p", NOW - 9, terms=FREE, **times), NOW).state

    assert state() == state(expires_at=NOW + 0.001) == "active"
    assert state(expires_at=NOW) == "expired"
    assert state(revoked_at=NOW - 1) == state(expires_at=NOW - 2, revoked_at=NOW - 1) == "revoked"


def test_the_old_key_is_told_while_it_is_good() -> None:
    def until(at: float | None) -> datetime | None:
        return answer_of(KeyInfo("i", "n", "p", NOW, None, None, at, FREE), NOW).old_key_until

    assert until(NOW + 60) == datetime.fromtimestamp(NOW + 60, UTC)
    assert until(NOW) is until(NOW - 60) is until(None) is None


def test_the_key_itself_is_shown_where_it_is_given_and_its_hash_nowhere() -> None:
    made = make_key()
    assert answer_of(PLAIN, NOW, key=made.key).key == made.key
    shown = answer_of(PLAIN, NOW, warnings=("odd",))
    assert shown.warnings == ("odd",)
    assert "sk-" not in shown.model_dump_json()
    assert not any("digest" in name or "hash" in name for name in type(shown).model_fields)
