"""Starts an engine as late as if it had read large weights: python slow_start.py SECONDS PROGRAM [ARGUMENT ...]."""

from __future__ import annotations

import os
import sys
import time

if __name__ == "__main__":
    time.sleep(float(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
