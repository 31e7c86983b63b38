"""`scripts/held`: the figures behind `test_held_loop`."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable

from tests.reliability.test_held_codecs import read_answer, read_chat, read_form, read_passed, yardstick_s
from tests.support.adversaries import ANSWERS, BODIES, FORMS, MB, Make, held_s

READERS: list[tuple[str, Callable[[bytes], None], dict[str, Make]]] = [
    ("passed", read_passed, BODIES),
    ("chat", read_chat, BODIES),
    ("form", read_form, FORMS),
    ("answer", read_answer, ANSWERS),
]


def main() -> None:
    """Prints one line for each kind of body."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    gc.collect()
    gc.freeze()
    found = []
    for kind, read, makes in READERS:
        for name, make in makes.items():
            body = make(megabytes * MB)
            found.append((held_s(lambda body=body, read=read: read(body)) * 1000 / megabytes, kind, name))  # type: ignore[misc]
    for ms, kind, name in sorted(found, reverse=True):
        print(f"{ms:7.2f} ms/MB  {kind:7} {name}")
    print(f"{yardstick_s() * 1000:7.2f} ms/MB  the yardstick: a megabyte of tokens, parsed")


if __name__ == "__main__":
    main()
