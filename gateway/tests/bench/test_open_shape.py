"""What is asked of the open loop on the command line."""

from __future__ import annotations

import argparse

import pytest
from bench.open_shape import SPARE_FILES, Shape, add_options, shape


def _asked(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    add_options(parser)
    return parser.parse_args([*words])


def test_a_run_is_as_it_was_asked_for() -> None:
    assert shape(_asked("--open")) == Shape()
    asked = _asked("--open", "--rates", "5,7.5", "--seconds", "3", "--looks", "2", "--no-herds", "--interval", "0.1")
    assert shape(asked) == Shape((5.0, 7.5), 3.0, 2, herds=False, interval_s=0.1)
    assert [each.name for each in shape(asked).schedules()] == ["5/s", "7.5/s"]
    assert shape(_asked("--quick")).looks == 1


def test_streams_that_stand_are_measured_alone_and_need_two_descriptors_each() -> None:
    wanted = shape(_asked("--standing", "9500", "--seconds", "1800"))

    assert wanted == Shape((), 1800.0, 1, herds=False, interval_s=1.0, standing=9500)
    assert wanted.files == 2 * 9500 + SPARE_FILES
    assert [each.name for each in shape(_asked("--standing", "20", "--seconds", "1")).schedules()] == ["20 streams"]


@pytest.mark.parametrize(
    "words",
    [
        ["--rates", "ten"],
        ["--rates", "0"],
        ["--seconds", "0"],
        ["--looks", "0"],
        ["--interval", "2"],
        ["--standing", "-1"],
        ["--standing", "9", "--rates", "5"],
    ],
)
def test_what_can_not_be_is_refused_with_the_option_named(words: list[str]) -> None:
    with pytest.raises(SystemExit, match=words[0]):
        shape(_asked("--open", *words))
