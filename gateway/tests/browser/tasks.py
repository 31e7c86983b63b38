"""What a page's browser does, task by task, as its trace tells.

await browser.start_tracing(page=page, categories=[*CATEGORIES])
...
longest = max(tasks_ms(await browser.stop_tracing()))
"""

from __future__ import annotations

import json
from bisect import bisect
from typing import Final

CATEGORIES: Final = ("toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline")


def tasks_ms(trace: bytes) -> list[float]:
    """The processor time of each task of a trace of these categories, but for those in which it answers whoever drives it:
    to read a long table's text takes longer than to show it.
    """
    events = json.loads(trace)["traceEvents"]
    asked = sorted(
        (event["pid"], event["tid"], event["ts"])
        for event in events
        if event["name"] == "Receive mojo message" and "DevTools" in json.dumps(event["args"])
    )
    tasks = [event for event in events if event["name"] == "RunTask" and "tdur" in event]
    assert asked, "they are known by another name"
    return [
        task["tdur"] / 1000
        for task in tasks
        if bisect(asked, (task["pid"], task["tid"], task["ts"]))
        == bisect(asked, (task["pid"], task["tid"], task["ts"] + task["dur"]))
    ]
