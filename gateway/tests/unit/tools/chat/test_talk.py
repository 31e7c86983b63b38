"""What goes along with each question, whether the gateway keeps the conversation or not."""

from __future__ import annotations

import pytest

from hayate.tools.chat.talk import Talk

SYSTEM = {"role": "system", "content": "Be brief."}


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def turn(talk: Talk, question: str, answer: str, conversation: str | None = "conv_1") -> None:
    talk.ask(question)
    talk.began(conversation)
    talk.answered(answer)


def test_where_it_is_kept_each_call_says_only_what_is_new() -> None:
    talk = Talk("fast", "Be brief.")
    talk.ask("a")
    assert (talk.fields["messages"], talk.fields["conversation"]) == ([SYSTEM, user("a")], "new")
    talk.began("conv_1")
    talk.answered("A")
    talk.ask("b")
    assert (talk.fields["messages"], talk.fields["conversation"]) == ([SYSTEM, user("b")], "conv_1")
    talk.model = "smart"
    assert talk.fields["model"] == "smart"


def test_the_last_answer_is_made_anew_there() -> None:
    talk = Talk("fast")
    assert not talk.ask_again()
    turn(talk, "a", "A")
    assert talk.ask_again()
    assert (talk.fields["messages"], talk.fields["conversation"]) == ([], {"id": "conv_1", "regenerate": True})
    talk.began("conv_1")
    talk.answered("A2")
    assert talk.ask_again()
    assert not talk.goes_on_without(500, "overloaded", "history")
    assert talk.goes_on_without(404, "conversation_not_found", "")
    assert talk.fields["messages"] == [user("a")]


def test_where_it_is_not_kept_all_of_it_goes_along() -> None:
    talk = Talk("fast", keep=False)
    turn(talk, "a", "A", None)
    turn(talk, "b", "B", None)
    talk.ask("c")
    assert talk.fields["messages"] == [user("a"), said("A"), user("b"), said("B"), user("c")]
    assert "conversation" not in talk.fields
    talk.answered("C")
    talk.ask_again()
    assert talk.fields["messages"] == [user("a"), said("A"), user("b"), said("B"), user("c")]
    talk.answered("C2")
    talk.ask("d")
    assert talk.fields["messages"][-2:] == [said("C2"), user("d")]


def test_a_server_that_keeps_nothing_is_asked_that_once_only() -> None:
    talk = Talk("fast")
    talk.ask("a")
    assert not talk.goes_on_without(400, "context_length_exceeded", "too long")
    assert talk.goes_on_without(400, "unsupported_parameter", "There is no field 'conversation'.")
    assert "conversation" not in talk.fields
    assert not talk.goes_on_without(400, "unsupported_parameter", "There is no field 'conversation'.")
    talk.anew()
    talk.ask("b")
    assert "conversation" not in talk.fields


@pytest.mark.parametrize("code", ["conversation_full", "history_unavailable", "conversation_not_found"])
def test_a_conversation_that_is_lost_there_goes_on_from_here_and_a_new_one_is_tried_there_again(code: str) -> None:
    talk = Talk("fast")
    turn(talk, "a", "A")
    talk.ask("b")
    assert talk.goes_on_without(400, code, "")
    assert talk.fields["messages"] == [user("a"), said("A"), user("b")]
    talk.anew()
    talk.ask("c")
    assert (talk.fields["messages"], talk.fields["conversation"]) == ([user("c")], "new")


def test_a_server_that_does_not_name_a_conversation_keeps_none() -> None:
    talk = Talk("fast")
    turn(talk, "a", "A", None)
    talk.ask("b")
    assert talk.fields["messages"] == [user("a"), said("A"), user("b")]


def test_a_question_that_had_no_answer_is_asked_again_as_it_was() -> None:
    talk = Talk("fast")
    turn(talk, "a", "A")
    talk.ask("b")
    assert talk.ask_again()
    assert (talk.fields["messages"], talk.fields["conversation"]) == ([user("b")], "conv_1")
