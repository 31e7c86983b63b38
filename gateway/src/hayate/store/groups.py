"""By what usage can be added up: apart, so that the command line knows it without what does the adding."""

from __future__ import annotations

from typing import Literal

By = Literal["key", "project", "model", "deployment", "path", "day", "hour"]
