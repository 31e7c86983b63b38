"""Connections to engines: kept, reused, given up; every way an answer can fail to come."""

from __future__ import annotations

import asyncio
import contextlib
import gc

import pytest

from hayate.upstream import connection_pool as transport
from hayate.upstream.bodies import MAX_BODY_BYTES
from hayate.upstream.connection import Connection
from hayate.upstream.connection_pool import ConnectionPool, api_bases
from hayate.upstream_errors import (
    AnswerTooLarge,
    ConnectFailed,
    StaleConnection,
    UpstreamBroke,
    UpstreamError,
    UpstreamTimeout,
)
from hayate.wire.upstream_request import UpstreamRequest
from tests.support.engine_faults import CLOSE_BEFORE_HEADERS, GARBAGE, HUGE_HEADER, NO_ANSWER, RESET_BEFORE_HEADERS
from tests.support.engine_script import Chat, Script, answer, body, cut, end, head, reset, silence, trickle
from tests.support.fake_engine import FakeEngine, unanswered_port
from tests.support.tables import table
from tests.support.waiting import LAST_RESORT_S, eventually
from tests.unit.upstream.fetching import ASKED, fetched

pytestmark = pytest.mark.anyio


async def test_a_request_is_sent_with_the_deployments_credentials(engine: FakeEngine, pool: ConnectionPool) -> None:
    assert await fetched(pool) == b'{"n": 1}'
    (request,) = engine.requests
    assert (request.method, request.path, request.body) == ("POST", "/v1/x", b'{"stream":false}')
    assert request.headers["authorization"] == "Bearer of-the-engine"
    assert request.headers["host"] == f"127.0.0.1:{engine.port}"


async def test_an_origin_may_have_a_path(engine: FakeEngine) -> None:
    pool = ConnectionPool(engine.url + "/engines/a/", connect_s=2.0)
    await fetched(pool)
    assert engine.requests[0].path == "/engines/a/v1/x"
    pool.close()


async def test_a_connection_is_used_again_and_again(engine: FakeEngine, pool: ConnectionPool) -> None:
    for _ in range(5):
        await fetched(pool)
    assert (engine.accepted, pool.open_connections) == (1, 1)


async def test_a_connection_that_is_not_to_be_kept_is_closed_after_its_answer(
    engine: FakeEngine, pool: ConnectionPool
) -> None:
    """As probes ask: more of them than a connection idles would pile up."""
    for _ in range(5):
        with contextlib.closing(await pool.send(ASKED, first_byte_s=5, fresh=True, keep=False)) as exchange:
            assert await exchange.read() == b'{"n": 1}'
        assert pool.open_connections == 0
    assert engine.accepted == 5
    await eventually(lambda: engine.connections == 0)


async def test_requests_at_the_same_time_have_a_connection_each(engine: FakeEngine, pool: ConnectionPool) -> None:
    engine.script = [0.1, *answer({})]
    await asyncio.gather(*(fetched(pool) for _ in range(5)))
    assert engine.accepted == 5
    assert pool.open_connections == 5


@pytest.mark.parametrize(
    "script",
    [
        [head(headers={"connection": "close"}, framing="length", length=2), b"{}", cut],
        [head(framing="close"), b"{}", cut],
        [head(version="HTTP/1.0", framing="length", length=2), b"{}", cut],
    ],
)
async def test_a_connection_that_will_not_stay_is_not_kept(
    engine: FakeEngine, pool: ConnectionPool, script: Script
) -> None:
    engine.script = script
    for _ in range(2):
        assert await fetched(pool) == b"{}"
    assert engine.accepted == 2
    assert pool.open_connections == 0


async def test_an_answer_that_is_not_read_to_its_end_takes_its_connection_with_it(
    engine: FakeEngine, pool: ConnectionPool
) -> None:
    engine.script = [head(), body(b"x"), silence]
    exchange = await pool.send(ASKED, first_byte_s=5)
    exchange.close()
    await eventually(engine.abandoned.is_set)
    assert pool.open_connections == 0


async def test_a_caller_that_leaves_before_the_head_takes_the_connection_with_it(
    engine: FakeEngine, pool: ConnectionPool
) -> None:
    engine.script = NO_ANSWER
    task = asyncio.create_task(fetched(pool))
    await eventually(lambda: engine.open == 1)
    task.cancel()
    await eventually(engine.abandoned.is_set)
    assert pool.open_connections == 0


@pytest.mark.parametrize("death", [[cut], [reset]], ids=["fin", "rst"])
async def test_a_kept_connection_that_dies_under_a_request_may_have_done_its_work(
    engine: FakeEngine, pool: ConnectionPool, death: Script
) -> None:
    """The engine may have begun to work: nobody may send it again."""
    await fetched(pool)
    engine.stale = death
    with pytest.raises(UpstreamBroke) as failed:
        await fetched(pool)
    assert not failed.value.safe_to_retry
    assert await fetched(pool, fresh=True) == b'{"n": 1}'


STREAMED = [head(), body(b"{}"), end]


async def test_a_connection_rests_after_a_stream_until_the_engine_is_known_to_keep_it(
    engine: FakeEngine, pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.script = STREAMED
    monkeypatch.setattr(transport, "REST_S", 3600)
    for accepted in (1, 2):
        assert await fetched(pool) == b"{}"
        assert engine.accepted == accepted
    monkeypatch.setattr(transport, "REST_S", 0)
    assert await fetched(pool) == b"{}"
    monkeypatch.setattr(transport, "REST_S", 3600)
    assert await fetched(pool) == b"{}"
    assert engine.accepted == 2


async def test_where_one_was_closed_after_its_stream_those_that_rest_are_given_up(
    engine: FakeEngine, pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "REST_S", 3600)
    monkeypatch.setattr(transport, "SOON_S", 3600)
    engine.script = STREAMED
    for _ in range(3):
        await fetched(pool)
    assert pool.open_connections == 3
    next(iter(engine._live)).close()
    await eventually(lambda: pool.open_connections == 0)


async def test_answers_with_a_length_leave_their_connection_free_at_once(
    engine: FakeEngine, pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "REST_S", 3600)
    for _ in range(3):
        await fetched(pool)
    assert engine.accepted == 1


async def test_an_engine_that_closes_after_a_stream_is_not_asked_on_that_connection(
    engine: FakeEngine, pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "SOON_S", 3600)
    engine.script = [*STREAMED, cut]
    assert await fetched(pool) == b"{}"
    await eventually(lambda: pool.open_connections == 0)
    monkeypatch.setattr(transport, "REST_S", 0)
    for _ in range(20):
        assert await fetched(pool) == b"{}"
        assert pool.open_connections == 0
    engine.script = answer({"n": 1})  # what is no stream, it keeps
    for _ in range(3):
        await fetched(pool)
    assert engine.accepted == 22


async def test_a_connection_is_not_kept_longer_than_the_engine_says(engine: FakeEngine, pool: ConnectionPool) -> None:
    engine.script = [head(headers={"keep-alive": "timeout=0"}), body(b"{}"), end]
    for _ in range(3):
        assert await fetched(pool) == b"{}"
    assert engine.accepted == 3


@table(
    ("path", "root", "api"),
    [
        ("", "", "/v1"),
        ("/", "", "/v1"),
        ("/llm", "/llm", "/llm/v1"),
        ("/v3", "", "/v3"),
        ("/v3/", "", "/v3"),
        ("/api/paas/v4", "/api/paas", "/api/paas/v4"),
        ("/v1beta/openai", "", "/v1beta/openai"),
        ("/vllm", "/vllm", "/vllm/v1"),
        ("/v1x/v2", "", "/v1x/v2"),
    ],
)
def test_a_url_with_a_version_is_the_api_as_it_stands(path: str, root: str, api: str) -> None:
    assert api_bases(path) == (root.encode(), api.encode())


@pytest.mark.parametrize(
    ("asked", "seen"),
    [("/v1/chat/completions", "/v3/chat/completions"), ("/health", "/health"), ("/v1/models", "/v3/models")],
)
async def test_paths_follow_the_version_of_the_url(engine: FakeEngine, asked: str, seen: str) -> None:
    pool = ConnectionPool(f"{engine.url}/v3", connect_s=5)
    with contextlib.closing(await pool.send(UpstreamRequest(asked), first_byte_s=5)) as exchange:
        await exchange.read()
    assert engine.requests[-1].path == seen
    pool.close()


async def test_a_kept_connection_that_was_closed_meanwhile_is_not_used(
    engine: FakeEngine, pool: ConnectionPool
) -> None:
    await fetched(pool)
    engine.drop_connections()
    await eventually(lambda: pool.open_connections == 0)
    assert await fetched(pool) == b'{"n": 1}'


async def test_a_kept_connection_on_which_an_engine_speaks_unasked_is_given_up(
    engine: FakeEngine, pool: ConnectionPool
) -> None:
    engine.script = [*answer({}), 0.05, b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n", silence]
    await fetched(pool)
    await eventually(lambda: pool.open_connections == 0)


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (CLOSE_BEFORE_HEADERS, UpstreamBroke),
        (RESET_BEFORE_HEADERS, UpstreamBroke),
        (GARBAGE, UpstreamBroke),
        (HUGE_HEADER, UpstreamBroke),
        ([b"HTTP/1.1 200 OK\r\ncontent-le", cut], UpstreamBroke),
        ([head(framing="length", length=9), b"{", cut], UpstreamBroke),
        ([head(framing="length", length=9), b"{", reset], UpstreamBroke),
        ([head(), body(b"{"), cut], UpstreamBroke),
        ([head(), b"xyz\r\n"], UpstreamBroke),
        (NO_ANSWER, UpstreamTimeout),
    ],
)
async def test_every_fault_has_its_error_and_leaves_nothing_behind(
    engine: FakeEngine, pool: ConnectionPool, script: Script, kind: type[UpstreamError]
) -> None:
    engine.script = script
    with pytest.raises(kind) as failed:
        await fetched(pool, first_byte_s=0.3)
    assert not failed.value.safe_to_retry
    await eventually(lambda: pool.open_connections == 0)


async def test_whose_head_comes_too_late_is_gone_without_a_collector(engine: FakeEngine, pool: ConnectionPool) -> None:
    """Whoever asked has done nothing but catch the error: no circle of connection, error and frame may be left."""
    engine.script = NO_ANSWER
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        with contextlib.suppress(UpstreamTimeout):
            await pool.send(ASKED, first_byte_s=0.1, fresh=True, keep=False)
        await eventually(lambda: pool.open_connections == 0)
        pool._connector._ask_for_life()  # who else holds it for a while
        await asyncio.sleep(0)
        gc.collect()
        circles = [type(each).__name__ for each in gc.garbage if isinstance(each, Connection | UpstreamTimeout)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert circles == []


async def test_an_engine_that_accepts_and_closes_is_broken_not_stale(engine: FakeEngine, pool: ConnectionPool) -> None:
    for step in (cut, reset):
        engine.on_connect = [step]
        for _ in range(20):
            with pytest.raises(UpstreamError) as failed:
                await fetched(pool)
            assert not isinstance(failed.value, StaleConnection)
    assert pool.open_connections == 0


async def test_a_refused_connection_may_be_tried_elsewhere(engine: FakeEngine, pool: ConnectionPool) -> None:
    await engine.refuse()
    with pytest.raises(ConnectFailed, match="connection refused") as failed:
        await fetched(pool)
    assert failed.value.safe_to_retry
    assert str(engine.port) not in failed.value.english


@pytest.mark.parametrize("origin", ["http://no-such-host.invalid:1", "https://127.0.0.1:{port}"])
async def test_a_host_that_is_not_there_or_speaks_no_tls_is_a_failed_connection(
    engine: FakeEngine, origin: str
) -> None:
    pool = ConnectionPool(origin.format(port=engine.port), connect_s=2.0)
    with pytest.raises(UpstreamError) as failed:
        await fetched(pool)
    assert "invalid" not in failed.value.english
    pool.close()


async def test_a_connection_that_is_not_taken_is_given_up_in_time() -> None:
    with unanswered_port() as url:
        pool = ConnectionPool(url, connect_s=0.1)
        with pytest.raises(ConnectFailed, match=r"0\.1 s"):
            await asyncio.wait_for(fetched(pool), LAST_RESORT_S)
        pool.close()


async def test_an_answer_byte_by_byte_is_the_same_answer(engine: FakeEngine, pool: ConnectionPool) -> None:
    engine.script = lambda request: [trickle(), *Chat(["こん"])(request)]
    assert b"\xe3\x81\x93\xe3\x82\x93" in await fetched(pool)


async def test_an_answer_without_bounds_is_cut_off(engine: FakeEngine, pool: ConnectionPool) -> None:
    piece = body(b"x" * (1 << 20))
    engine.script = [head(), *[piece for _ in range(MAX_BODY_BYTES // (1 << 20) + 1)], end]
    with pytest.raises(AnswerTooLarge, match=str(MAX_BODY_BYTES)):
        await fetched(pool)


async def test_a_closed_pool_keeps_nothing(engine: FakeEngine, pool: ConnectionPool) -> None:
    engine.script = [0.05, *answer({})]
    busy = asyncio.create_task(fetched(pool))
    await eventually(lambda: engine.open == 1)
    pool.close()
    assert await busy == b"{}"
    assert pool.open_connections == 0
