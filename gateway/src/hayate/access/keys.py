"""The form of a key: `sk-hy-<id>-<secret><checksum>`.

The id is public: it stands for the key in logs, listings and the store. The secret is 256 random bits, so that one hash
without salt is enough at rest, and only that is kept; a hash is never taken for a key. The checksum refuses typing
errors and noise before anything is looked up. Keys of older releases (`sk-hayate-…`) have none of this and are the
owner's alone (`key_files`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Final

INCORRECT: Final = "Incorrect API key provided"
"""OpenAI's words, by which clients sort errors: for a wrong key, an unknown one, and none at all."""
PREFIX: Final = "sk-hy-"
ID_BYTES: Final = 6
SECRET_BYTES: Final = 32
CHECKSUM_CHARS: Final = 6
"""Of base32: the low 30 bits of the CRC-32 of what stands before it."""
DIGEST_BYTES: Final = 32
_OF_NOTHING: Final = hashlib.blake2b(digest_size=DIGEST_BYTES)
_FORM: Final = re.compile(rb"sk-hy-([0-9a-f]{12})-[A-Za-z0-9_-]{43}([a-z2-7]{6})", re.ASCII)


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A key as it is shown, once."""

    id: str
    key: str

    @property
    def digest(self) -> bytes:
        """What is kept of it."""
        return digest_of(self.key.encode())


def make_key(key_id: str | None = None) -> MadeKey:
    """A new key, with an id of its own unless it takes another's place."""
    key_id = key_id or secrets.token_hex(ID_BYTES)
    body = f"{PREFIX}{key_id}-{secrets.token_urlsafe(SECRET_BYTES)}"
    return MadeKey(key_id, body + _checksum(body.encode()))


def id_in(presented: bytes) -> str | None:
    """The id of a well-formed key, whether or not there is such a key; None for anything else."""
    form = _FORM.fullmatch(presented)
    if form is None or _checksum(presented[:-CHECKSUM_CHARS]) != form[2].decode():
        return None
    return form[1].decode()


def digest_of(presented: bytes) -> bytes:
    """BLAKE2b of the whole key, 32 bytes; Python has it built in: the way to OpenSSL's SHA-256 costs several times that."""
    hashed = _OF_NOTHING.copy()  # to copy one costs less than to make one
    hashed.update(presented)
    return hashed.digest()


def _checksum(body: bytes) -> str:
    low = binascii.crc32(body) & 0x3FFF_FFFF
    return base64.b32encode((low << 2).to_bytes(4, "big")).decode()[:CHECKSUM_CHARS].lower()
