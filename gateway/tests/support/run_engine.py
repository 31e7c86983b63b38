"""A program to be run as an engine: python run_engine.py PORT [WHAT …], standard library only, up at once.

It answers 200 to everything, or does one of the things that real engines do and nobody wants.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

COMMAND = (sys.executable, "-S", "-E", str(Path(__file__)), "{port}")
SLEEPER = (sys.executable, "-S", "-E", "-c", "import time; time.sleep(600)")
STUBBORN = (*SLEEPER[:-1], "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(600)")
ANSWER = "Here."
BODY = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
).encode()
"""A chat's answer, whatever was asked."""


def main(port: int, *what: str) -> None:
    """Serves on 127.0.0.1 until somebody ends it."""
    for each in what:
        name, _, value = each.partition("=")
        if name == "ignore-term":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        elif name == "says":
            print(value, flush=True)
        elif name == "ends":
            sys.exit(int(value))
        elif name == "kills-itself":
            os.kill(os.getpid(), signal.Signals[value])
        elif name == "child":  # in our group
            print("child", subprocess.Popen(SLEEPER).pid, flush=True)
        elif name == "lost-child":  # in a session of its own, and its parent is gone
            print("child", lost_child(), flush=True)
        elif name == "stubborn-child":
            child = subprocess.Popen(STUBBORN, start_new_session=True, stdout=subprocess.PIPE)
            child.stdout.readline()  # type: ignore[union-attr]  # by then it ignores what it is told
            print("child", child.pid, flush=True)
        elif name == "megabytes":
            sys.stdout.buffer.write(b"x" * (int(value) << 20))
            sys.stdout.flush()
        elif name == "lives":  # so many seconds
            signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGSEGV))
            signal.setitimer(signal.ITIMER_REAL, float(value))
        elif name == "hangs":
            time.sleep(600)
        elif name == "takes":
            sys.stderr.write(f"{len(bytearray(int(value) << 20))} bytes\n")
    serve(port)


def lost_child() -> int:
    """The pid of a process whose parent has ended and that is in no group of ours."""
    ours, theirs = os.pipe()
    if os.fork() == 0:
        os.setsid()
        os.write(theirs, str(subprocess.Popen(SLEEPER, start_new_session=True).pid).encode())
        os._exit(0)
    os.wait()
    return int(os.read(ours, 32))


def serve(port: int) -> None:
    """One request a connection, one connection at a time."""
    with socket.create_server(("127.0.0.1", port), backlog=64) as listening:
        print(f"listening on {port}", flush=True)
        while True:
            connection, _ = listening.accept()
            with connection:
                connection.settimeout(10)
                try:
                    connection.recv(65536)
                    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(BODY)}\r\n"
                    connection.sendall(head.encode() + b"connection: close\r\n\r\n" + BODY)
                except OSError:
                    continue


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
