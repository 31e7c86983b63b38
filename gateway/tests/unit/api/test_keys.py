"""The operator makes keys over HTTP and changes them; what is malformed is refused by name and changes nothing."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.access.keys import id_in
from hayate.access.terms import FREE, Defaults, Terms, terms_of, text_of
from hayate.api.keys import TermsBody
from hayate.settings import RateLimits
from tests.support.http import Reply, fetch
from tests.support.scene import CHAT_PATH, PLAIN, Stage
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

KEYS = "/admin/keys"


async def asked(stage: Stage, method: str, path: str, body: object = None, language: str = "en") -> Reply:
    headers = {"accept-language": language}
    return await fetch(stage.url, path, body, method=method, key=stage.operators_key, headers=headers)


def ahead(**length: float) -> str:
    return (datetime.now(UTC) + timedelta(**length)).isoformat()


async def shown(stage: Stage, wanted: str) -> dict[str, Any]:
    reply = await asked(stage, "GET", f"{KEYS}/{wanted}")
    assert reply.status == 200, reply.text
    found: dict[str, Any] = reply.json
    return found


async def test_a_key_is_shown_once_and_works_at_once(stage: Stage) -> None:
    made = await stage.new_key(project="games", models=["default"], limits={"requests_per_minute": 60}, weight=5)
    assert id_in(made["key"].encode()) == made["id"]
    assert (made["state"], made["project"], made["models"], made["weight"]) == ("active", "games", ["default"], 5)
    assert made["limits"] == {"requests_per_minute": 60}
    reply = await fetch(stage.url, CHAT_PATH, PLAIN, key=made["key"])
    assert (reply.status, reply.headers["x-ratelimit-limit-requests"]) == (200, "60")
    assert (await shown(stage, made["id"])) == {**made, "key": None}
    listed = (await asked(stage, "GET", f"{KEYS}?limit=1000")).text
    assert made["id"] in listed
    assert made["key"] not in listed
    assert (await stage.call())["key"] == made["id"]
    written = stage.gateway.stdout() + stage.gateway.stderr()
    assert made["key"] not in written


MALFORMED: list[tuple[dict[str, Any], str]] = [
    ({}, "name"),
    ({"name": ""}, "name"),
    ({"name": None}, "name"),
    ({"name": 7}, "name"),
    ({"name": "owner"}, "name"),
    ({"name": "a\nb"}, "name"),
    ({"name": "x" * 65}, "name"),
    ({"name": "x", "project": " "}, "project"),
    ({"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
    ({"name": "x", "expires_at": "2030-01-01T00:00:00"}, "expires_at"),
    ({"name": "x", "expires_at": "9999-12-31T23:59:59-14:00"}, "expires_at"),
    ({"name": "x", "expires_at": "90d"}, "expires_at"),
    ({"name": "x", "models": []}, "models"),
    ({"name": "x", "models": "fast"}, "models"),
    ({"name": "x", "models": [""]}, "models.0"),
    ({"name": "x", "models": ["\x1b[2J"]}, "models"),
    ({"name": "x", "areas": ["everything"]}, "areas.0"),
    ({"name": "x", "areas": []}, "areas"),
    ({"name": "x", "limits": {"rpm": 60}}, "limits.rpm"),
    ({"name": "x", "limits": {"requests_per_minute": 0}}, "limits.requests_per_minute"),
    ({"name": "x", "limits": {"requests_per_minute": -1}}, "limits.requests_per_minute"),
    ({"name": "x", "limits": {"requests_per_minute": 1.5}}, "limits.requests_per_minute"),
    ({"name": "x", "limits": {"strict": "perhaps"}}, "limits.strict"),
    ({"name": "x", "model_limits": {"fast": {"tokens": 1}}}, "model_limits.fast.tokens"),
    ({"name": "x", "model_limits": {"": {}}}, "model_limits..[key]"),
    ({"name": "x", "weight": 0}, "weight"),
    ({"name": "x", "weight": 101}, "weight"),
    ({"name": "x", "max_output_tokens": 0}, "max_output_tokens"),
    ({"name": "x", "defaults": {"temperature": 1}}, "defaults.temperature"),
    ({"name": "x", "defaults": {"model": ""}}, "defaults.model"),
    ({"name": "x", "key": "sk-hy-mine"}, "key"),
    ({"name": "x", "id": "a1b2c3d4e5f6"}, "id"),
    ({"name": "x", "version": 7}, "version"),
]


@pytest.mark.parametrize(("body", "param"), MALFORMED, ids=lambda each: str(each)[:60])
async def test_what_is_malformed_is_a_400_that_names_it_and_no_key_is_made(
    stage: Stage, body: dict[str, Any], param: str
) -> None:
    before = (await asked(stage, "GET", f"{KEYS}?limit=1000")).json
    reply = await asked(stage, "POST", KEYS, body)
    assert (reply.status, reply.json["error"]["param"]) == (400, param), reply.text
    assert reply.json["error"]["type"] == "invalid_request_error"
    japanese = await asked(stage, "POST", KEYS, body, language="ja")
    assert japanese.json["error"]["message"] != reply.json["error"]["message"]
    assert (await asked(stage, "GET", f"{KEYS}?limit=1000")).json == before


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"name":"' + b"x" * 70_000 + b'"}'])
async def test_what_is_no_json_object_or_too_long_is_refused(stage: Stage, body: bytes) -> None:
    assert (await asked(stage, "POST", KEYS, body)).status in (400, 413)


async def test_a_key_for_models_that_are_not_there_is_made_with_a_warning(stage: Stage) -> None:
    body = {"name": "warned", "models": ["llama", "ghost"], "defaults": {"model": "smaller"}}
    made = await asked(stage, "POST", KEYS, body)
    assert made.status == 201
    assert [each[:50] for each in made.json["warnings"]] == [
        "No alias, deployment or model is named 'ghost' at ",
        "The key may not call 'smaller', which its terms na",
    ]
    changed = await asked(stage, "PATCH", f"{KEYS}/warned", {"models": ["llama"]}, language="ja")
    assert changed.json["warnings"] == ["'smaller' は、このキーで使えるモデルに含まれていません。"]
    assert (await asked(stage, "PATCH", f"{KEYS}/warned", {"defaults": None})).json["warnings"] == []


async def test_what_is_sent_changes_null_frees_and_the_rest_stays(stage: Stage) -> None:
    made = await stage.new_key(weight=5, models=["default"], limits={"concurrency": 2, "strict": True})
    path = f"{KEYS}/{made['id']}"
    assert (await asked(stage, "PATCH", path, {})).json == {**made, "key": None}
    after = (await asked(stage, "PATCH", path, {"weight": 6})).json
    assert after == {**made, "key": None, "weight": 6}
    after = (await asked(stage, "PATCH", path, {"models": None, "limits": {"concurrency": 3}})).json
    assert (after["models"], after["limits"], after["weight"]) == (None, {"concurrency": 3}, 6)
    end = ahead(days=1)
    after = (await asked(stage, "PATCH", path, {"expires_at": end})).json
    assert abs(datetime.fromisoformat(after["expires_at"]).timestamp() - datetime.fromisoformat(end).timestamp()) < 0.01
    assert (await asked(stage, "PATCH", path, {"expires_at": None})).json["expires_at"] is None
    for body, param in MALFORMED[1:]:
        change = {name: value for name, value in body.items() if name != "name" or value != "x"}
        reply = await asked(stage, "PATCH", path, change)
        if change.get("name", "") is not None:
            assert (reply.status, reply.json["error"]["param"]) == (400, param), reply.text
    assert await shown(stage, made["id"]) == {**after, "expires_at": None}


async def test_a_change_of_terms_holds_in_the_running_gateway(stage: Stage) -> None:
    made = await stage.new_key()
    call = {**PLAIN, "model": "llama"}
    assert (await fetch(stage.url, CHAT_PATH, call, key=made["key"])).status == 200
    await asked(stage, "PATCH", f"{KEYS}/{made['id']}", {"models": ["default"], "areas": ["calls"]})

    async def holds() -> bool:
        return (await fetch(stage.url, CHAT_PATH, call, key=made["key"])).status == 404

    await eventually(holds)
    assert (await fetch(stage.url, "/v1/usage", key=made["key"])).status == 403


async def test_a_key_is_found_by_its_name_too_whatever_is_in_it(stage: Stage) -> None:
    made = await stage.new_key(name="ゲーム bot%2F1")
    for spelled in (made["id"], "%E3%82%B2%E3%83%BC%E3%83%A0%20bot%252F1"):
        assert (await shown(stage, spelled))["id"] == made["id"]
    for method, path, body in (
        ("GET", f"{KEYS}/nothing", None),
        ("PATCH", f"{KEYS}/nothing", {}),
        ("DELETE", f"{KEYS}/nothing", None),
        ("POST", f"{KEYS}/nothing/rotate", {}),
        ("GET", f"{KEYS}/{'x' * 10_000}", None),
    ):
        reply = await asked(stage, method, path, body)
        assert (reply.status, reply.json["error"]["code"]) == (404, "key_not_found")
    reply = await asked(stage, "GET", f"{KEYS}/{stage.key}")
    assert stage.key not in reply.text


async def test_pages_of_keys_follow_each_other(stage: Stage) -> None:
    made = [(await stage.new_key())["id"] for _ in range(5)]
    seen: list[str] = []
    after = ""
    while True:
        page = (await asked(stage, "GET", f"{KEYS}?limit=2{after}")).json
        seen += [each["id"] for each in page["data"]]
        assert len(page["data"]) <= 2
        if not page["has_more"]:
            break
        after = f"&after={seen[-1]}"
    assert [each for each in seen if each in made] == made
    assert len(seen) == len(set(seen))
    for query in ("limit=0", "limit=1001", "limit=x", "after=nothing"):
        reply = await asked(stage, "GET", f"{KEYS}?{query}")
        assert (reply.status, reply.json["error"]["param"]) == (400, query.partition("=")[0])


async def test_a_replaced_key_and_the_old_one_within_its_grace_are_one_and_the_same_caller(stage: Stage) -> None:
    old = await stage.new_key()
    assert (await fetch(stage.url, CHAT_PATH, PLAIN, key=old["key"])).status == 200
    new = (await asked(stage, "POST", f"{KEYS}/{old['id']}/rotate", {"grace_s": 600})).json
    assert new["id"] == old["id"]
    assert datetime.fromisoformat(new["old_key_until"]).timestamp() > time.time() + 500
    for key in (old["key"], new["key"]):
        assert (await fetch(stage.url, CHAT_PATH, PLAIN, key=key)).status == 200
    assert {call["key"] for call in await stage.calls(3)} == {old["id"]}
    newest = (await asked(stage, "POST", f"{KEYS}/{old['id']}/rotate", {"grace_s": 0})).json
    assert newest["old_key_until"] is None

    async def over() -> bool:
        return [(await fetch(stage.url, "/v1/models", key=each["key"])).status for each in (old, new)] == [401, 401]

    await eventually(over)
    assert (await fetch(stage.url, "/v1/models", key=newest["key"])).status == 200


@pytest.mark.parametrize("grace", [-1, 1e300, "inf", "nan", "24h", None, True, [], 1e10])
async def test_a_grace_is_a_number_of_seconds_with_an_end(stage: Stage, grace: object) -> None:
    made = await stage.new_key()
    reply = await asked(stage, "POST", f"{KEYS}/{made['id']}/rotate", {"grace_s": grace})
    if grace is not True:  # a second
        assert (reply.status, reply.json["error"]["param"]) == (400, "grace_s"), reply.text
        assert (await fetch(stage.url, "/v1/models", key=made["key"])).status == 200


async def test_a_revoked_key_stays_listed_and_can_not_come_back(stage: Stage) -> None:
    made = await stage.new_key()
    first = await asked(stage, "DELETE", f"{KEYS}/{made['id']}")
    again = await asked(stage, "DELETE", f"{KEYS}/{made['id']}")
    assert (first.status, first.json) == (again.status, again.json)
    assert (await shown(stage, made["id"]))["state"] == "revoked"
    for method, path, body in (("PATCH", "", {"expires_at": ahead(days=1)}), ("POST", "/rotate", {})):
        reply = await asked(stage, method, f"{KEYS}/{made['id']}{path}", body)
        assert (reply.status, "revoked" in reply.text) == (404, True)


async def test_an_expired_key_s_holder_alone_is_told_so(stage: Stage) -> None:
    made = await stage.new_key(expires_at=ahead(seconds=1.2))

    async def told() -> Reply | None:
        reply = await fetch(stage.url, CHAT_PATH, PLAIN, key=made["key"])
        return reply if reply.status == 401 else None

    await eventually(told)
    for _ in range(3):
        reply = await fetch(stage.url, CHAT_PATH, PLAIN, key=made["key"])
        assert (reply.status, "expired on" in reply.text) == (401, True)
    guess = made["key"][:-7] + ("a" if made["key"][-7] != "a" else "b") + made["key"][-6:]
    stranger, nobody = await fetch(stage.url, CHAT_PATH, PLAIN, key=guess), await fetch(stage.url, CHAT_PATH, PLAIN)
    assert (stranger.status, stranger.text) == (nobody.status, nobody.text)
    assert "expired" not in stranger.text


async def test_a_session_ends_with_its_key(stage: Stage) -> None:
    made = await stage.new_key()
    signed_in = await fetch(stage.url, "/session", {"key": made["key"]})
    assert signed_in.status == 204
    cookie = {"cookie": signed_in.headers["set-cookie"].partition(";")[0]}
    assert made["key"] not in cookie["cookie"]
    assert (await fetch(stage.url, CHAT_PATH, PLAIN, headers=cookie)).status == 200
    assert (await stage.call())["key"] == made["id"]
    await asked(stage, "DELETE", f"{KEYS}/{made['id']}")

    async def over() -> bool:
        return (await fetch(stage.url, CHAT_PATH, PLAIN, headers=cookie)).status == 401

    await eventually(over)
    assert (await fetch(stage.url, "/session", headers=cookie)).json == {"signed_in": False}
    assert (await fetch(stage.url, "/session", {"key": made["key"]})).status == 401


# What a body says, on what was said before.


def test_what_is_left_out_stays_and_null_is_free_again() -> None:
    before = Terms(models=("fast",), weight=5, limits=RateLimits(concurrency=2), defaults=Defaults(model="fast"))
    assert TermsBody().on(before) == before
    assert TermsBody(weight=6).on(before) == Terms(
        models=("fast",), weight=6, limits=RateLimits(concurrency=2), defaults=Defaults(model="fast")
    )
    assert (
        TermsBody(models=None, areas=None, limits=None, model_limits=None, weight=None, defaults=None).on(before)
        == FREE
    )


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**20) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
bodies = st.dictionaries(st.sampled_from(sorted(TermsBody.model_fields)), json_values)


@given(bodies)
def test_whatever_is_taken_can_be_kept_and_read_again(body: dict[str, Any]) -> None:
    try:
        terms = TermsBody.model_validate(body).on(FREE)
    except ValueError:
        return
    assert terms_of(text_of(terms)) == terms
