"""What a start makes of its data folder, before anything serves: the keys and the store. Whatever is wrong with either is told
in a line, and where the store is refused no key has been made yet: a gateway that can't start leaves nothing behind.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from hayate.access.key_files import ensure_keys
from hayate.config.models import Config
from hayate.store.store import make_ready


def make_folder(config: Config, env: Mapping[str, str] = os.environ) -> tuple[str, bool]:
    """The callers' key, and whether it was made just now. Raises KeyFileError, StoreRefused."""
    is_there = os.path.lexists(config.store_file)
    if is_there:
        make_ready(config.store_file)
    main = ensure_keys(config.data, env)
    if not is_there:
        make_ready(config.store_file)
    return main
