"""What an ASGI server loads: `uvicorn main:app`. `hayate serve` is the better way in (it lends out the client's transport)."""

from hayate.app import create_app
from hayate.config import load_config

app = create_app(load_config())
