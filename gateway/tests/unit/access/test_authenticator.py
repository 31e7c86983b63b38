"""Keys and sessions: one rule for every header, nothing kept but digests, nothing accepted twice removed."""

from __future__ import annotations

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.access.authenticator import SESSION_S, Authenticator
from hayate.access.keys import digest_of
from hayate.access.principals import OPERATOR, OWNER, Principal, Role
from hayate.errors import GatewayError, KeysUnknown, NotAllowed, NotAuthenticated
from tests.support.tables import table

KEY = "sk-hayate-0123456789abcdef"
COOKIE = "hayate_session_8080"


class Clock:
    now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


def headers(**values: str) -> list[tuple[bytes, bytes]]:
    return [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in values.items()]


def refused(auth: Authenticator, found: list[tuple[bytes, bytes]]) -> bool:
    try:
        auth.check(found)
    except NotAuthenticated:
        return True
    return False


@table(
    "found",
    [
        headers(authorization=f"Bearer {KEY}"),
        headers(authorization=f"bearer {KEY}"),
        headers(authorization=f"Bearer   {KEY} "),
        headers(x_api_key=KEY),
        headers(api_key=KEY),
        headers(authorization="Bearer wrong", x_api_key=KEY),
        headers(authorization="Bearer ", x_api_key=KEY),
        headers(authorization="Bearer", api_key=KEY),
    ],
)
def test_the_key_is_accepted_wherever_it_comes(found: list[tuple[bytes, bytes]]) -> None:
    assert Authenticator({KEY: OWNER}).check(found) is OWNER


@pytest.mark.parametrize("name", ["authorization", "x-api-key", "api-key"])
def test_a_field_that_comes_twice_must_say_the_same_twice(name: str) -> None:
    auth, start = Authenticator({KEY: OWNER}), "Bearer " if name == "authorization" else ""

    def twice(first: str, second: str) -> list[tuple[bytes, bytes]]:
        return [(name.encode(), f"{start}{value}".encode()) for value in (first, second)]

    assert auth.check(twice(KEY, KEY)) is OWNER
    assert auth.check(twice(KEY, f" {KEY} ")) is OWNER
    for other in ("wrong", "", KEY + "x"):
        assert refused(auth, twice(KEY, other))
        assert refused(auth, twice(other, KEY))
        assert refused(auth, [*twice(KEY, other), (b"cookie", f"{COOKIE}={auth.new_session(OWNER)}".encode())])
        assert (
            auth.check([*twice(KEY, KEY), (b"authorization" if start == "" else b"api-key", other.encode())]) is OWNER
        )


def test_two_schemes_disagree() -> None:
    found = headers(authorization=f"Bearer {KEY}") + headers(authorization="Basic aGVsbG86aGVsbG8=")
    assert refused(Authenticator({KEY: OWNER}), found)
    assert refused(Authenticator({KEY: OWNER}), found[::-1])
    assert not refused(Authenticator({KEY: OWNER}), found[:1] + headers(authorization=f"bearer  {KEY}"))


def test_the_words_are_the_same_for_every_key_that_is_not_ours() -> None:
    auth, words = Authenticator({KEY: OWNER}), set()
    for found in (
        [],
        headers(authorization="Bearer wrong"),
        headers(x_api_key="wrong"),
        headers(authorization="Basic x"),
    ):
        with pytest.raises(NotAuthenticated) as told:
            auth.check(found)
        words.add((told.value.english, told.value.japanese))
    ((english, japanese),) = words
    assert "Incorrect API key provided" in english
    assert "APIキーが正しくありません" in japanese


@table(
    "value",
    ["", " ", KEY[:-1], KEY + "x", KEY.upper(), KEY[:20], f"{KEY}\x00", "' OR 1=1 --", "null", "\xff", "Bearer"],
)
def test_what_is_not_the_key_is_refused_alike(value: str) -> None:
    auth = Authenticator({KEY: OWNER})
    for found in (headers(authorization=f"Bearer {value}"), headers(x_api_key=value), headers(api_key=value), []):
        assert refused(auth, found)


@given(st.binary(max_size=60))
def test_no_bytes_but_the_key_are_the_key(value: bytes) -> None:
    auth = Authenticator({KEY: OWNER})
    assert (auth.identify(value) is OWNER) == (value == KEY.encode())
    assert refused(auth, [(b"authorization", b"Bearer " + value)])
    assert refused(auth, [(b"cookie", value)])


@pytest.mark.parametrize("value", [f"Basic {KEY}", f"Token {KEY}", KEY, f"Bearer{KEY}"])
def test_another_scheme_is_no_key(value: str) -> None:
    assert refused(Authenticator({KEY: OWNER}), headers(authorization=value))


def test_the_key_itself_is_not_kept() -> None:
    auth = Authenticator({KEY: OWNER})
    assert KEY not in repr(vars(auth))


# Sessions.


def test_a_session_lasts_a_week() -> None:
    clock = Clock()
    auth = Authenticator({KEY: OWNER}, wall_clock=clock)
    found = headers(cookie=f"{COOKIE}={auth.new_session(OWNER)}")
    assert auth.check(found) is OWNER
    clock.now += SESSION_S - 1
    assert auth.check(found) is OWNER
    clock.now += 1
    assert refused(auth, found)


def test_another_key_ends_every_session() -> None:
    session = Authenticator({KEY: OWNER}).new_session(OWNER)
    assert refused(Authenticator({KEY + "x": OWNER}), headers(cookie=f"{COOKIE}={session}"))


@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=80))
def test_a_made_up_session_is_refused(value: str) -> None:
    auth = Authenticator({KEY: OWNER})
    assert refused(auth, headers(cookie=f"{COOKIE}={value}"))
    assert refused(auth, headers(cookie=value))


def test_a_session_that_was_touched_is_refused() -> None:
    auth = Authenticator({KEY: OWNER})
    key_id, version, expires, signature = auth.new_session(OWNER).split(".")
    other = "0" if signature[-1] != "0" else "1"
    for touched in (
        f"{key_id}.{version}.{int(expires) + 1}.{signature}",
        f"admin.{version}.{expires}.{signature}",
        f"{key_id}.1.{expires}.{signature}",
        f"{key_id}.{version}.{expires}.{signature[:-1]}{other}",
        f"{key_id}.{version}.{expires}.",
        f"{expires}.{signature}",
        signature,
        f"{key_id}.{version}.{expires}.x",
    ):
        assert refused(auth, headers(cookie=f"{COOKIE}={touched}"))


class Issued:
    """One key that was made for a project."""

    def __init__(self, principal: Principal | None) -> None:
        self.principal = principal

    def find(self, presented: bytes, digest: bytes) -> Principal | None:
        return self.principal if presented == b"issued" else None

    def by_id(self, key_id: str) -> Principal | None:
        return self.principal if self.principal is not None and self.principal.id == key_id else None

    def project_of(self, key_id: str) -> str | None:
        return self.principal.project if self.principal is not None and self.principal.id == key_id else None


GAME = Principal("a1b2c3d4e5f6", "games", version=3)


def test_a_key_that_was_made_for_a_project_is_found_after_the_gateway_s_own() -> None:
    auth = Authenticator({KEY: OWNER, "operator": OPERATOR}, Issued(GAME))
    assert auth.check(headers(x_api_key="issued")) is GAME
    assert auth.check(headers(x_api_key=KEY)) is OWNER
    assert auth.identify(b"operator") is OPERATOR
    assert refused(auth, headers(x_api_key="other"))


def test_whose_a_key_is_that_calls_is_told_without_a_look_up() -> None:
    auth = Authenticator({KEY: OWNER, "operator": OPERATOR}, Issued(GAME))
    assert [auth.project_of(each) for each in (OWNER.id, GAME.id, "forgotten")] == ["default", "games", ""]
    assert Authenticator({KEY: OWNER}).project_of(GAME.id) == ""


def test_a_session_is_that_of_the_key_it_was_bought_with_and_ends_with_its_version() -> None:
    issued = Issued(GAME)
    auth = Authenticator({KEY: OWNER}, issued)
    found = headers(cookie=f"{COOKIE}={auth.new_session(GAME)}")
    assert auth.check(found) is GAME
    for after in (Principal(GAME.id, "games", version=4), None):
        issued.principal = after
        with pytest.raises(NotAuthenticated, match="revoked, has expired or was changed") as told:
            auth.check(found)
        assert told.value.param == "session", "by which the page knows that this is to be shown"
        assert auth.check([*found, *headers(x_api_key=KEY)]) is OWNER


class Unsure(Issued):
    """Keys of which nothing good can be said: expired, or not to be looked up."""

    def __init__(self, why: GatewayError) -> None:
        super().__init__(None)
        self.why = why

    def find(self, presented: bytes, digest: bytes) -> Principal | None:
        raise self.why


@pytest.mark.parametrize("why", [NotAuthenticated("expired"), KeysUnknown("unreadable")])
def test_a_key_that_is_no_good_spoils_no_better_one_beside_it(why: GatewayError) -> None:
    auth = Authenticator({KEY: OWNER, "operator": OPERATOR}, Unsure(why))
    assert auth.check(headers(authorization="Bearer issued", x_api_key=KEY)) is OWNER
    assert auth.check(headers(x_api_key="issued", api_key=KEY)) is OWNER
    assert auth.check(headers(x_api_key="issued", cookie=f"{COOKIE}={auth.new_session(OWNER)}")) is OWNER
    assert auth.check(headers(x_api_key="issued", api_key="operator"), None, Role.OPERATOR) is OPERATOR
    with pytest.raises(type(why)) as told:
        auth.check(headers(x_api_key="issued"))
    assert told.value is why


def test_the_signature_covers_whose_session_it_is() -> None:
    auth = Authenticator({KEY: OWNER}, Issued(GAME))
    mine = auth.new_session(Principal("f" * 12, "games", version=3)).split(".")
    assert refused(auth, headers(cookie=f"{COOKIE}={'.'.join([GAME.id, *mine[1:]])}"))


def test_a_session_of_an_older_release_is_refused() -> None:
    secret = hmac.digest(digest_of(KEY.encode()), b"hayate session", "sha256")
    expires = str(int(Clock.now) + 1000)
    signed = hmac.new(secret, expires.encode(), "sha256").hexdigest()
    assert refused(Authenticator({KEY: OWNER}, wall_clock=Clock()), headers(cookie=f"{COOKIE}={expires}.{signed}"))


def test_other_cookies_beside_it_do_no_harm() -> None:
    auth = Authenticator({KEY: OWNER})
    session = auth.new_session(OWNER)
    for cookie in (f"a=b; {COOKIE}={session}; c=d", f'x="y"; {COOKIE}={session}', f"{COOKIE}={session};"):
        assert auth.check(headers(cookie=cookie)) is OWNER


@table(
    "found",
    [
        {"sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none"},
        {"origin": "http://gateway:8080"},
        {"origin": "https://gateway:8080", "sec_fetch_site": "same-origin"},
        {},
    ],
)
def test_a_session_serves_our_own_page(found: dict[str, str]) -> None:
    auth = Authenticator({KEY: OWNER})
    assert auth.check(headers(host="gateway:8080", cookie=f"{COOKIE}={auth.new_session(OWNER)}", **found)) is OWNER


@table(
    "found",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "anything"},
        {"origin": "http://evil.example"},
        {"origin": "http://gateway:8081"},
        {"origin": "http://gateway"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://evil.example", "sec_fetch_site": "same-origin"},
        {"origin": "http://gateway:8080", "sec_fetch_site": "cross-site"},
    ],
)
def test_a_session_serves_no_other_site(found: dict[str, str]) -> None:
    auth = Authenticator({KEY: OWNER})
    with pytest.raises(NotAllowed):
        auth.check(headers(host="gateway:8080", cookie=f"{COOKIE}={auth.new_session(OWNER)}", **found))


def test_a_key_serves_every_site() -> None:
    found = headers(host="gateway", origin="http://evil.example", sec_fetch_site="cross-site", x_api_key=KEY)
    assert Authenticator({KEY: OWNER}).check(found) is OWNER
