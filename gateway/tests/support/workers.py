"""`--workers N`: the tests of a run on N processes. All are collected once; then children are forked, each with all of them, so
that nobody imports and collects but the first.

- A child takes a scope at a time (`tests.support.quick.scope`: a file, or what shares something dear), in the order of the run, and
  keeps what it has started for the next one.
- What it reports, the parent passes on to whoever listens, as if it had run the test itself.
- One that dies has failed the test it was at; another child goes on where it stopped.
- A child ends when nobody listens to it any more, and ends what it has started first.
"""

from __future__ import annotations

import itertools
import os
import struct
import sys
import traceback
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any, NoReturn

import pytest

from tests.support import ports
from tests.support.quick import scope

SCOPE = struct.Struct("=I")
"""A scope's number, in the pipe from which the children take them: each read takes one, whoever reads."""
STARTED, REPORTED, TOOK, FAILED, ENDED = "started", "reported", "took", "failed", "ended"


@dataclass(slots=True)
class Child:
    """A process that runs tests, as its parent sees it."""

    pid: int
    number: int
    ours: Connection
    left: list[pytest.Item] = field(default_factory=list)
    """What it has taken and not done yet; the first of them is what it is at."""


class Teller:
    """In a child: says to the parent how the tests go."""

    def __init__(self, config: pytest.Config, parent: Connection) -> None:
        self._config, self.parent = config, parent

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        self.parent.send((STARTED, (nodeid, location)))

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self.parent.send((REPORTED, data))


class Workers:
    """Runs a session's tests on so many processes."""

    def __init__(self, session: pytest.Session, count: int) -> None:
        self._session, self._config = session, session.config
        scopes: defaultdict[str, list[pytest.Item]] = defaultdict(list)
        for item in session.items:
            scopes[scope(item.nodeid)].append(item)
        self._scopes = list(scopes.values())
        self._count = min(count, len(self._scopes))
        self._children: dict[Connection, Child] = {}
        self._next, writer = os.pipe()
        for number in range(len(self._scopes)):
            os.write(writer, SCOPE.pack(number))
        os.close(writer)

    def run(self) -> None:
        """Until every test has run, or one too many has failed."""
        terminal: Any = self._config.pluginmanager.getplugin("terminalreporter")
        terminal.showfspath = False  # dots alone: the files change with every one
        try:
            for number in range(self._count):
                self._fork(number, [])
            while self._children:
                for ours in wait(list(self._children)):
                    assert isinstance(ours, Connection)
                    self._listen(self._children[ours])
                if self._session.shouldfail:
                    raise self._session.Failed(self._session.shouldfail)
                if self._session.shouldstop:
                    raise self._session.Interrupted(self._session.shouldstop)
        finally:
            for child in self._children.values():
                child.ours.close()
            for child in self._children.values():
                os.waitpid(child.pid, 0)
            os.close(self._next)

    def _fork(self, number: int, left: list[pytest.Item]) -> None:
        ours, theirs = Pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            for other in (ours, *self._children):
                other.close()
            _work(self, number, left, theirs)
        theirs.close()
        self._children[ours] = Child(pid, number, ours, left)

    def _listen(self, child: Child) -> None:
        """What it says, once; or that it is gone."""
        hook = self._config.hook
        try:
            kind, what = child.ours.recv()
        except (EOFError, ConnectionResetError):
            self._gone(child)
            return
        if kind == TOOK:
            child.left += self._scopes[what]
        elif kind == STARTED:
            hook.pytest_runtest_logstart(nodeid=what[0], location=what[1])
        elif kind == REPORTED:
            report = hook.pytest_report_from_serializable(config=self._config, data=what)
            hook.pytest_runtest_logreport(report=report)
            if report.when == "teardown":
                done = child.left.pop(0)
                hook.pytest_runtest_logfinish(nodeid=done.nodeid, location=done.location)
        elif kind == FAILED:
            raise RuntimeError(f"a worker could not go on:\n{what}")
        elif kind == ENDED:
            self._ended(child)

    def _ended(self, child: Child) -> int:
        del self._children[child.ours]
        child.ours.close()
        return os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1])

    def _gone(self, child: Child) -> None:
        """A dead child's test has failed, and the rest of what it took is another's."""
        status = self._ended(child)
        if child.left:
            item = child.left.pop(0)
            said = f"the process that ran this test ended with {status}"
            report = pytest.TestReport(item.nodeid, item.location, {}, "failed", said, "call")
            self._config.hook.pytest_runtest_logreport(report=report)
        self._fork(child.number, child.left)

    def taken(self, left: list[pytest.Item], parent: Connection) -> Iterator[list[pytest.Item]]:
        """In a child: one scope after another, what another child has left first. None is taken before the last is done."""
        yield left
        while taken := os.read(self._next, SCOPE.size):
            (number,) = SCOPE.unpack(taken)
            parent.send((TOOK, number))
            yield self._scopes[number]

    def prepare(self, number: int, parent: Connection) -> pytest.Session:
        """In a child: nobody writes to the terminal or to the parent's files, and what is captured is captured here."""
        manager = self._config.pluginmanager
        for name in ("terminalreporter", "lfplugin", "nfplugin"):
            if manager.has_plugin(name):
                manager.unregister(name=name)
        manager.register(Teller(self._config, parent))
        capture: Any = manager.getplugin("capturemanager")
        capture.stop_global_capturing()
        capture.start_global_capturing()
        ports.use_those_of(number)
        return self._session


def _work(workers: Workers, number: int, left: list[pytest.Item], parent: Connection) -> NoReturn:
    """A child's life."""
    status = 1
    try:
        session = workers.prepare(number, parent)
        try:
            for items in workers.taken(left, parent):
                # After a scope's last test comes the session: all but what it shares is taken down.
                for item, following in itertools.pairwise((*items, session)):
                    session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        finally:
            session._setupstate.teardown_exact(None)
        parent.send((ENDED, None))
        status = 0
    except (KeyboardInterrupt, BrokenPipeError, ConnectionResetError):  # nobody listens any more
        pass
    except BaseException:  # noqa: BLE001  the parent raises it
        parent.send((FAILED, traceback.format_exc()))
    finally:
        os._exit(status)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The number of processes."""
    parser.addoption("--workers", type=int, default=0, help="processes to run the tests on; 0: this one")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """In place of pytest's own loop, where there is something to share out."""
    count = session.config.getoption("--workers")
    if count == 0 or session.testsfailed or session.config.option.collectonly or not session.items:
        return None
    Workers(session, count).run()
    return True
