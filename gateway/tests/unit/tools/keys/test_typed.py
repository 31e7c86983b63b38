"""What is typed for a key is understood, and each mistake names its option and the form."""

from __future__ import annotations

import pytest

from hayate.access.terms import FREE, Defaults, Terms
from hayate.settings import RateLimits
from hayate.tools.keys.options import CreateOptions, UpdateOptions
from hayate.tools.keys.typed import Mistyped, check_some, expiry, grace, number, terms_of
from tests.support.tables import table

NOW = 1_800_000_000.0


def test_nothing_typed_is_free() -> None:
    assert terms_of(CreateOptions(name="x")) == FREE


def test_everything_that_can_be_typed() -> None:
    options = CreateOptions(
        name="x",
        models="fast, smart,fast",
        areas="usage,calls",
        rpm="60",
        tpm="100_000",
        input_tpm="50,000",
        output_tpm="7",
        concurrency="4",
        strict=True,
        model_limit=["qwen2.5:7b:rpm=1,output-tpm=20", "smart:concurrency=1"],
        weight=5,
        max_output="1024",
        default_model="fast",
        system="あなたは猫です",
        default_max_tokens="50",
        store=False,
    )
    assert terms_of(options) == Terms(
        models=("fast", "smart"),
        areas=("calls", "usage"),
        limits=RateLimits(
            requests_per_minute=60,
            tokens_per_minute=100_000,
            input_tokens_per_minute=50_000,
            output_tokens_per_minute=7,
            concurrency=4,
            strict=True,
        ),
        model_limits={
            "qwen2.5:7b": RateLimits(requests_per_minute=1, output_tokens_per_minute=20),
            "smart": RateLimits(concurrency=1),
        },
        weight=5,
        max_output_tokens=1024,
        defaults=Defaults(model="fast", system="あなたは猫です", max_tokens=50, store=False),
    )


def test_what_is_not_typed_stays_and_everything_can_be_taken_back() -> None:
    before = terms_of(
        CreateOptions(
            name="x", models="a", rpm="1", tpm="2", strict=True, max_output="3", model_limit=["a:rpm=1", "b:rpm=2"]
        )
    )
    after = terms_of(UpdateOptions(key="x", rpm="none", strict=False, model_limit=["a:none"]), before)
    assert after.models == ("a",)
    assert after.limits == RateLimits(tokens_per_minute=2)
    assert after.model_limits == {"b": RateLimits(requests_per_minute=2)}
    everything = UpdateOptions(key="x", models="all", tpm="none", max_output="None", model_limit=["b:rpm=none"])
    assert terms_of(everything, after) == FREE
    defaults = terms_of(CreateOptions(name="x", default_model="a", system="s", default_max_tokens="1"))
    nothing = UpdateOptions(key="x", default_model="", system="", default_max_tokens="none")
    assert terms_of(nothing, defaults) == FREE


MISTAKES = {
    "no number": ({"rpm": "many"}, "--rpm"),
    "nought": ({"tpm": "0"}, "--tpm"),
    "below": ({"input_tpm": "-1"}, "--input-tpm"),
    "a fraction": ({"output_tpm": "1.5"}, "--output-tpm"),
    "too many": ({"concurrency": "9" * 400}, "--concurrency"),
    "thousands of digits": ({"rpm": "0" * 14 + "1" + "9" * 5000}, "--rpm"),
    "digits of another script": ({"rpm": "６０"}, "--rpm"),
    "no names": ({"models": " , "}, "--models"),
    "no such area": ({"areas": "calls,admin"}, "--areas"),
    "no area": ({"areas": ""}, "--areas"),
    "no model": ({"model_limit": [":rpm=1"]}, "--model-limit"),
    "no limit": ({"model_limit": ["smart"]}, "--model-limit"),
    "no such limit": ({"model_limit": ["smart:rps=1"]}, "--model-limit"),
    "no number for a model": ({"model_limit": ["smart:rpm=x"]}, "--model-limit rpm"),
    "no largest answer": ({"max_output": "all"}, "--max-output"),
    "no default": ({"default_max_tokens": "0"}, "--default-max-tokens"),
}


@table(("given", "names"), MISTAKES.values())
def test_a_mistake_names_its_option(given: dict[str, object], names: str) -> None:
    with pytest.raises(Mistyped) as told:
        terms_of(CreateOptions(name="x", **given))  # type: ignore[arg-type]
    assert told.value.english.startswith(f"{names}: ")
    assert told.value.japanese.startswith(f"{names}: ")
    assert told.value.japanese != told.value.english


def test_a_key_ends_ahead_or_never() -> None:
    assert expiry("90d", NOW) == NOW + 90 * 86_400
    assert expiry(" Never ", NOW) is None
    assert expiry("2099-12-31", NOW) == 4_102_358_400.0
    for text in ("yesterday", "2020-01-01", "0s", "", "90"):
        with pytest.raises(Mistyped, match="--expires"):
            expiry(text, NOW)


def test_a_grace_is_a_length_of_time() -> None:
    assert grace("0s") == 0
    assert grace("24h") == 86_400
    for text in ("soon", "2027-01-01", "-1h"):
        with pytest.raises(Mistyped, match="--grace"):
            grace(text)


def test_a_number_may_be_as_large_as_anybody_needs() -> None:
    assert number("--rpm", "1000000000000") == 10**12
    with pytest.raises(Mistyped):
        number("--rpm", "1000000000001")


def test_an_update_without_anything_is_a_mistake() -> None:
    with pytest.raises(Mistyped, match="hayate key update -h"):
        check_some(UpdateOptions(key="x", json=True))
    for options in (UpdateOptions(key="x", strict=False), UpdateOptions(key="x", name="y")):
        check_some(options)
