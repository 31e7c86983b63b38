"""`asleep.py PORT LEVEL FILE`: once the vLLM at PORT has loaded its model, puts it to sleep, and makes FILE. Ends with its parent."""

import os
import sys
import time
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

PORT, LEVEL, FILE = sys.argv[1:]
LOOK_S, ANSWER_S, SLEEP_S = 1, 5, 300
vllm = build_opener(ProxyHandler({}))
parent = os.getppid()
healthy = False

while os.getppid() == parent:
    try:
        vllm.open(f"http://127.0.0.1:{PORT}/health", timeout=ANSWER_S).close()
        healthy = True
        vllm.open(Request(f"http://127.0.0.1:{PORT}/sleep?level={LEVEL}&mode=wait", method="POST"), timeout=SLEEP_S).close()
    except OSError as error:
        if healthy:
            print(f"vLLM is not put to sleep yet: {error}", file=sys.stderr)
            healthy = False
        time.sleep(LOOK_S)
    else:
        Path(FILE).touch()
        break
