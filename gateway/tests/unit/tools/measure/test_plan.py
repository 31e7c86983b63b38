"""What was typed becomes a checked plan, or one sentence in the reader's language."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.tools.measure.options import BenchOptions
from hayate.tools.measure.plan import MOST_AT_ONCE, MOST_CALLS, MOST_TOKENS, BenchPlan, check_plot, plan_of
from hayate.tools.measure.prompts import built_in
from hayate.tools.measure.refusal import CannotMeasure
from hayate.tools.measure.target import Target
from hayate.tools.running import Place
from tests.support.tables import table

URL = "http://127.0.0.1:9"
HERE = Place("http://127.0.0.1:8080", Path("/nowhere"))


def planned(env: dict[str, str] | None = None, **options: Any) -> BenchPlan:
    return plan_of(BenchOptions(**{"url": URL, **options}), "en", env or {}, lambda: HERE)


def refused(**options: Any) -> CannotMeasure:
    with pytest.raises(CannotMeasure) as error:
        planned(**options)
    return error.value


def test_nothing_typed_is_32_calls_of_the_built_in_prompts_to_the_gateway_of_this_machine() -> None:
    assert plan_of(BenchOptions(), "ja", {}, lambda: HERE) == BenchPlan(
        target=Target("http://127.0.0.1:8080", "openai", None),
        models=(),
        prompts=built_in(),
        concurrency=4,
        calls=32,
        max_tokens=128,
        temperature=None,
        warm_up=True,
        unique=False,
        timeout_s=600.0,
        language="ja",
    )


def test_every_option_reaches_the_plan(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("ひとつ\n", encoding="utf-8")
    plan = planned(
        models="fast",
        concurrency=7,
        calls=9,
        key="sk-typed",
        prompts=tmp_path / "p.txt",
        max_tokens=11,
        temperature=0.5,
        timeout_s=3.5,
        warm_up=False,
        unique=True,
        api="generate_stream",
    )
    assert plan.target == Target(URL, "generate_stream", "sk-typed")
    assert plan.prompts.prompts == (({"role": "user", "content": "ひとつ"},),)
    assert (plan.models, plan.concurrency, plan.calls, plan.max_tokens) == (("fast",), 7, 9, 11)
    assert (plan.temperature, plan.timeout_s, plan.warm_up, plan.unique) == (0.5, 3.5, False, True)
    assert plan.language == "en"


def test_the_key_comes_from_the_environment_when_none_is_typed() -> None:
    assert planned({"HAYATE_API_KEY": "sk-environment"}).target.key == "sk-environment"
    assert planned({"HAYATE_API_KEY": "sk-environment"}, key="sk-typed").target.key == "sk-typed"


@given(st.lists(st.text(st.characters(exclude_characters=","), max_size=12), max_size=8))
def test_models_are_named_once_each_in_the_order_they_were_typed_in(names: list[str]) -> None:
    models = planned(models=",".join(names)).models
    assert set(models) == {name.strip() for name in names} - {""}
    assert len(set(models)) == len(models)
    assert list(models) == sorted(models, key=[name.strip() for name in names].index)


def test_a_blank_between_commas_names_nothing() -> None:
    assert planned(models=" fast , ,smart,fast, ").models == ("fast", "smart")
    assert planned(models=" , ").models == ()


@table(
    ("option", "name", "least", "most"),
    [
        ("concurrency", "-c", 1, MOST_AT_ONCE),
        ("calls", "-n", 1, MOST_CALLS),
        ("max_tokens", "--max-tokens", 1, MOST_TOKENS),
        ("temperature", "--temperature", 0, 2),
        ("timeout_s", "--timeout", 0.1, 86_400),
    ],
)
def test_a_number_may_be_at_its_bounds_and_not_beyond(option: str, name: str, least: float, most: float) -> None:
    for value in (least, most):
        fine: dict[str, Any] = {option: value}
        assert getattr(planned(**fine), option) == value
    for value in (least - 1, most + 1, float("nan")):
        error = refused(**{option: value})
        assert error.text("en") == f"{name} {value}: from {least} to {most}."
        assert error.text("ja") == f"{name} {value}: {least}から{most}までの値にしてください。"


def test_a_conversation_that_the_dialect_can_not_take_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    file.write_text(
        '"ひとつ"\n{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},'
        '{"role":"user","content":"c"}]}\n',
        encoding="utf-8",
    )
    assert len(planned(prompts=file).prompts.prompts) == 2
    assert "several turns needs --api openai" in refused(prompts=file, api="generate_stream").text("en")


@pytest.mark.parametrize(
    ("options", "said"),
    [({"api": "grpc"}, "--api grpc"), ({"url": "nowhere"}, "--url nowhere"), ({"key": "a b"}, "printable ASCII")],
)
def test_what_a_target_refuses_a_plan_refuses(options: dict[str, str], said: str) -> None:
    assert said in refused(**options).text("en")


def test_no_plot_and_one_that_can_be_written_are_fine(tmp_path: Path) -> None:
    check_plot(None)
    for name in ("plot.html", "PLOT.HTML", "plot.png", "a.b.html"):
        check_plot(tmp_path / name)
    (tmp_path / "plot.html").write_text("an earlier one", encoding="utf-8")
    check_plot(tmp_path / "plot.html")


@pytest.mark.parametrize("name", ["plot", "plot.gif", "plot.html.txt", ".html"])
def test_a_plot_is_html_or_png(tmp_path: Path, name: str) -> None:
    with pytest.raises(CannotMeasure) as error:
        check_plot(tmp_path / name)
    assert error.value.text("en") == f"--plot {tmp_path / name}: a name ending in .html or .png."
    assert error.value.text("ja") == f"--plot {tmp_path / name}: .html か .png で終わる名前にしてください。"


@pytest.mark.parametrize("name", ["gone/plot.html", "file/plot.html", "folder.html"])
def test_a_plot_is_refused_where_no_file_can_be(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(CannotMeasure) as error:
        check_plot(tmp_path / name)
    assert error.value.text("en") == f"--plot {tmp_path / name}: no file can be written there."
    assert error.value.text("ja") == f"--plot {tmp_path / name}: そこにはファイルを書けません。"
