"""What an ASGI server loads: `uvicorn main:app`. `hayate serve` is the better way in (it lends out the client's transport)."""

import os

from hayate.access.key_files import KeyFileError
from hayate.config.load import load_config
from hayate.config.mistakes import ConfigError
from hayate.language import terminal_language
from hayate.serve.app import create_app
from hayate.serve.data_folder import make_folder
from hayate.store.sqlite import StoreRefused
from hayate.telemetry.log_writer import take_standard_streams

take_standard_streams()
try:
    config = load_config()
    make_folder(config)
    app = create_app(config)
except (ConfigError, KeyFileError, StoreRefused) as error:
    raise SystemExit(error.text(terminal_language(os.environ))) from None
