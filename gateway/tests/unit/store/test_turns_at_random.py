"""Whatever is done in whatever order: what is kept is what a list in memory would hold, each project's own, counted to the byte,
and what was deleted is gone.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hayate.errors import ConversationFull, RequestError
from hayate.settings import History
from hayate.store.branches import Branch, ResponseBranch
from hayate.store.conversation_changes import NewConversation, create, delete, delete_some, update
from hayate.store.conversation_items import prepared
from hayate.store.conversations import get, list_, load
from hayate.store.erasing import Erasing
from hayate.store.kept_items import add_items, delete_item, items_page
from hayate.store.kept_responses import NewResponse, delete_response, response
from hayate.store.migrate import open_file
from hayate.store.sizes import size_of
from hayate.store.sqlite import connect
from hayate.store.turns import Kept, Turn, keep
from hayate.store.turns_together import Keeping, keep_together
from hayate.wire.items import Item
from tests.support.quick import examples
from tests.unit.store.conftest import answered, pictured, said

PROJECTS = st.sampled_from(["shop", "bot"])
TEXTS = st.text('ab東京"\\\n😀', max_size=12)
ITEMS = st.builds(said, TEXTS) | st.builds(pictured, TEXTS, st.sampled_from([b"\x89PNG", b"other"]))
ANSWERS = st.builds(answered, TEXTS)
HEADS = st.none() | st.lists(st.builds(said, TEXTS, st.just("system")), max_size=2)
LIMITS = History(max_conversation_bytes=3000, max_project_bytes=12_000)


@dataclass
class Model:
    """A conversation as it should be."""

    project: str
    listed: bool = True
    notes: str = ""
    head: list[Item] = field(default_factory=list)
    turns: list[list[tuple[Item, bool]]] = field(default_factory=list)

    @property
    def items(self) -> list[Item]:
        return [*self.head, *(item for turn in self.turns for item, _ in turn)]

    @property
    def bytes(self) -> int:
        return sum(prepared(item).bytes for item in self.items) + len(self.notes.encode())


def together(connection: sqlite3.Connection, turn: Turn, now: float) -> Kept:
    """Keeps a turn as one of several. Raises RequestError, with what was done to be undone."""
    kept = keep_together(connection, [turn], now)
    if kept is None:
        raise ConversationFull("by itself it would say so, too")
    return kept[0]


class Conversations(RuleBasedStateMachine):
    """Everything that callers can do, in any order."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "hayate.db"
        open_file(path)[0].dispose()
        self.connection = connect(path)
        self.models: dict[str, Model] = {}
        self.now = 1_800_000_000.0
        self.clock = 0.0
        self.responses: dict[str, str] = {}

    def teardown(self) -> None:
        if hasattr(self, "connection"):
            self.connection.close()
            self.folder.cleanup()

    def made(self, how: Callable[[sqlite3.Connection], Any]) -> Any:
        """What it gives, kept; None, with nothing kept, when it is refused."""
        self.now += 1
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            result = how(self.connection)
        except RequestError:
            self.connection.execute("ROLLBACK")
            return None
        self.connection.execute("COMMIT")
        return result

    def keeping(self, turn: Turn) -> Callable[[sqlite3.Connection], Any]:
        """What keeps it; every second time as one of several that wait, where it can be."""
        plain = Keeping(turn, lambda c: keep(c, turn, self.now))
        return (lambda c: together(c, turn, self.now)) if self.now % 2 and plain.is_plain else plain

    def some(self, data: st.DataObject, *, listed: bool = False) -> str:
        """One that there is."""
        return data.draw(st.sampled_from([*(each for each, it in self.models.items() if it.listed or not listed)]))

    @rule(project=PROJECTS, listed=st.booleans(), head=HEADS, items=st.lists(ITEMS, max_size=3), answer=ANSWERS)
    def first_turn(self, project: str, listed: bool, head: Any, items: list[Item], answer: Item) -> None:
        new = None if listed else NewResponse(f"resp_{self.now}", {})
        turn = Turn(
            project=project,
            conversation=None,
            listed=listed,
            head=head,
            items=items,
            answer=[answer],
            response=new,
            limits=LIMITS,
        )
        kept = self.made(self.keeping(turn))
        if kept is not None:
            self.models[kept.conversation.id] = Model(
                project, listed, head=head or [], turns=[[*((item, False) for item in items), (answer, True)]]
            )
            if new is not None:
                self.responses[new.id] = kept.conversation.id

    @precondition(lambda self: self.models)
    @rule(data=st.data(), head=HEADS, items=st.lists(ITEMS, max_size=3), answers=st.lists(ANSWERS, max_size=2))
    def next_turn(self, data: st.DataObject, head: Any, items: list[Item], answers: list[Item]) -> None:
        wanted = self.some(data, listed=True) if any(it.listed for it in self.models.values()) else None
        if wanted is None:
            return
        model = self.models[wanted]
        how = data.draw(st.sampled_from(["new", "goes_on", "replaces_answer"]))
        flags: dict[str, Any] = {} if how == "new" else {how: True}
        items = [] if how == "replaces_answer" else items
        turn = Turn(
            project=model.project,
            conversation=wanted,
            known=get(self.connection, model.project, wanted),
            head=head,
            items=items,
            answer=answers,
            limits=LIMITS,
            **flags,
        )
        if self.made(self.keeping(turn)) is None:
            return
        model.head = model.head if head is None else head
        added = [*((item, False) for item in items), *((item, True) for item in answers)]
        if how == "replaces_answer" and model.turns:
            while model.turns[-1] and model.turns[-1][-1][1]:
                model.turns[-1].pop()
        if how == "new" or not model.turns:
            model.turns += [added] if added else []
        else:
            model.turns[-1] += added

    @rule(project=PROJECTS, notes=TEXTS, items=st.lists(ITEMS, max_size=3))
    def create(self, project: str, notes: str, items: list[Item]) -> None:
        new = NewConversation(notes=notes, items=items, limits=LIMITS)
        made = self.made(lambda c: create(c, project, new, self.now))
        if made is not None:
            turns = [[(item, False) for item in items]] if items else []
            self.models[made.id] = Model(project, notes=notes, turns=turns)

    @precondition(lambda self: any(it.listed for it in self.models.values()))
    @rule(data=st.data(), notes=TEXTS)
    def note(self, data: st.DataObject, notes: str) -> None:
        wanted = self.some(data, listed=True)
        project = self.models[wanted].project
        if self.made(lambda c: update(c, project, wanted, notes=notes, limits=LIMITS)):
            self.models[wanted].notes = notes

    @precondition(lambda self: any(it.listed for it in self.models.values()))
    @rule(data=st.data(), item=ITEMS, answer=st.booleans())
    def add(self, data: st.DataObject, item: Item, answer: bool) -> None:
        wanted = self.some(data, listed=True)
        model, item = self.models[wanted], answered("x") if answer else item
        if self.made(lambda c: add_items(c, model.project, wanted, [item], limits=LIMITS, now=self.now)) is None:
            return
        last = model.turns[-1][-1] if model.turns and model.turns[-1] else None
        before_is_answer = last[1] if last else None
        if not model.turns or before_is_answer is None or (before_is_answer and not answer):
            model.turns.append([(item, answer)])
        else:
            model.turns[-1].append((item, answer))

    @precondition(lambda self: any(it.items for it in self.models.values() if it.listed))
    @rule(data=st.data())
    def take_one(self, data: st.DataObject) -> None:
        wanted = data.draw(st.sampled_from([each for each, it in self.models.items() if it.listed and it.items]))
        model = self.models[wanted]
        found = items_page(self.connection, model.project, wanted, limit=1000, order="asc")
        index = data.draw(st.integers(0, len(found) - 1))
        self.made(lambda c: delete_item(c, model.project, wanted, found[index].id, limits=LIMITS))
        parts: list[list[Any]] = [model.head, *model.turns]
        for part in parts:
            if index < len(part):
                del part[index]
                return
            index -= len(part)

    @precondition(lambda self: self.models)
    @rule(data=st.data())
    def branch(self, data: st.DataObject) -> None:
        wanted = self.some(data)
        model = self.models[wanted]
        found = items_page(self.connection, model.project, wanted, limit=1000, order="asc")
        end = data.draw(st.integers(1, len(found))) if found else 0
        after = found[end - 1].id if end else None
        making = Branch(model.project, wanted, after=after, limits=LIMITS, now=self.now)
        made = self.made(making)
        if made is None:
            return
        branch = Model(model.project, model.listed, model.notes, head=model.head[: max(0, end)])
        left = end - len(branch.head)
        for turn in model.turns:
            if left > 0:
                branch.turns.append(turn[:left])
                left -= len(turn)
        if found and found[end - 1].turn == 0:
            branch.turns = []
        self.models[made.id] = branch

    @precondition(lambda self: self.responses)
    @rule(data=st.data(), question=ITEMS, answer=ANSWERS)
    def go_on(self, data: st.DataObject, question: Item, answer: Item) -> None:
        """From any response: from the last of its conversation in that, from another in a branch."""
        previous = data.draw(st.sampled_from([*self.responses]))
        model = self.models[self.responses[previous]]
        found = response(self.connection, model.project, previous)
        assert found is not None
        where, before = found.conversation.id, model
        if not found.is_last:
            made = self.made(ResponseBranch(found, limits=LIMITS, now=self.now))
            if made is None:
                return
            before = Model(model.project, listed=False, head=model.head, turns=[*model.turns[: made.turns]])
            where = made.id
            self.models[where] = before
        new = NewResponse(f"resp_{self.now}", {}, previous)
        turn = Turn(
            project=model.project, conversation=where, items=[question], answer=[answer], response=new, limits=LIMITS
        )
        if self.made(lambda c: keep(c, turn, self.now)) is not None:
            before.turns.append([(question, False), (answer, True)])
            self.responses[new.id] = where

    @precondition(lambda self: self.responses)
    @rule(data=st.data())
    def forget_last(self, data: st.DataObject) -> None:
        """The last response of a chain, with what it said."""
        wanted = data.draw(st.sampled_from([*self.responses]))
        where = self.responses[wanted]
        model = self.models[where]
        found = response(self.connection, model.project, wanted)
        assert found is not None
        if not found.is_last:
            return
        self.made(lambda c: delete_response(c, model.project, wanted, limits=LIMITS))
        del self.responses[wanted]
        if where not in self.responses.values():
            del self.models[where]
            return
        del model.turns[-1]

    @precondition(lambda self: self.models)
    @rule(data=st.data())
    def delete_one(self, data: st.DataObject) -> None:
        wanted = self.some(data)
        self.made(lambda c: delete(c, self.models[wanted].project, wanted))
        del self.models[wanted]
        self.responses = {each: where for each, where in self.responses.items() if where != wanted}

    @rule(project=PROJECTS)
    def delete_all(self, project: str) -> None:
        while self.made(lambda c: delete_some(c, project)):
            pass
        self.models = {each: it for each, it in self.models.items() if it.project != project}
        self.responses = {each: where for each, where in self.responses.items() if where in self.models}

    @rule()
    def erase(self) -> None:
        erasing = Erasing(lambda: self.clock)
        while erasing.step(self.connection):
            pass
        (hidden,) = self.connection.execute("SELECT count(*) FROM conversations WHERE project < '!'").fetchone()
        assert hidden == 0
        (items,) = self.connection.execute("SELECT count(*) FROM items").fetchone()
        assert items == sum(len(it.items) for it in self.models.values())
        digests = Counter(
            (it.project, digest) for it in self.models.values() for item in it.items for digest in pictures(item)
        )
        kept = self.connection.execute("SELECT project, digest FROM images").fetchall()
        assert sorted(kept) == sorted(digests)

    @invariant()
    def what_is_kept_is_what_should_be(self) -> None:
        if not hasattr(self, "connection"):
            return
        for project in ("shop", "bot"):
            its = {each: it for each, it in self.models.items() if it.project == project}
            assert size_of(self.connection, project) == sum(it.bytes for it in its.values())
            listed = list_(self.connection, project, limit=1000)
            assert {each.id for each in listed} == {each for each, it in its.items() if it.listed}
        for wanted, model in self.models.items():
            loaded = load(self.connection, model.project, wanted)
            assert loaded is not None
            assert [without_id(each.body) for each in loaded.items] == model.items
            assert loaded.conversation.bytes == model.bytes
            assert (loaded.conversation.notes or "") == model.notes
            other = "bot" if model.project == "shop" else "shop"
            assert get(self.connection, other, wanted) is None
        for wanted, where in self.responses.items():
            found = response(self.connection, self.models[where].project, wanted)
            assert found is not None
            assert found.conversation.id == where


def without_id(item: Item) -> Item:
    return {name: value for name, value in item.items() if name != "id"}


def pictures(item: Item) -> set[bytes]:
    return {digest for digest, *_ in prepared(item).images}


TestConversations = Conversations.TestCase
TestConversations.settings = settings(max_examples=examples(60), stateful_step_count=25, deadline=None)
