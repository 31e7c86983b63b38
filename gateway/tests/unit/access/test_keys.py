"""The form of keys: what is made is known again, what is not whole is refused before any look-up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hayate.access.keys import digest_of, id_in, make_key

MADE = make_key()


def test_a_key_has_the_form_that_is_documented() -> None:
    prefix, scheme, key_id, *rest = MADE.key.split("-", 3)
    assert (prefix, scheme, key_id) == ("sk", "hy", MADE.id)
    assert len(MADE.id) == 12
    assert len("".join(rest)) == 43 + 6
    assert MADE.key.isascii()


def test_what_is_made_is_known_again_and_each_is_another() -> None:
    made = [make_key() for _ in range(1000)]
    assert all(id_in(each.key.encode()) == each.id for each in made)
    assert len({each.id for each in made}) == len({each.key for each in made}) == 1000


@given(place=st.integers(0, len(MADE.key) - 1), byte=st.integers(0, 255))
def test_one_wrong_byte_anywhere_is_noticed(place: int, byte: int) -> None:
    presented = bytearray(MADE.key.encode())
    if presented[place] != byte:
        presented[place] = byte
        assert id_in(bytes(presented)) is None


@given(first=st.integers(6, len(MADE.key) - 2))
def test_two_neighbours_swapped_are_noticed(first: int) -> None:
    swapped = bytearray(MADE.key.encode())
    swapped[first], swapped[first + 1] = swapped[first + 1], swapped[first]
    if swapped != MADE.key.encode():
        assert id_in(bytes(swapped)) is None


@given(st.binary(max_size=200))
def test_noise_has_no_id(noise: bytes) -> None:
    assert id_in(noise) is None


@given(st.sampled_from([b"\n", b" ", b"\x00", b"A"]))
def test_nothing_may_stand_around_a_key(extra: bytes) -> None:
    assert id_in(MADE.key.encode() + extra) is None
    assert id_in(extra + MADE.key.encode()) is None


def test_a_digest_is_no_key() -> None:
    digest = digest_of(MADE.key.encode())
    assert MADE.digest == digest
    assert id_in(digest) is None
    assert id_in(digest.hex().encode()) is None
