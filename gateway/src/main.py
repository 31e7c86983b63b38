"""What an ASGI server loads: `uvicorn main:app`. `hayate serve` is the better way in (it lends out the client's transport)."""

from hayate.access.key_files import KeyFileError, ensure_keys
from hayate.config.load import load_config
from hayate.config.yaml_file import ConfigError
from hayate.serve.app import create_app
from hayate.telemetry.log_writer import take_standard_streams

take_standard_streams()
try:
    config = load_config()
    ensure_keys(config.data)
    app = create_app(config)
except (ConfigError, KeyFileError) as error:
    raise SystemExit(str(error)) from None
