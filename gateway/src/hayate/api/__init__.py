"""One file per dialect that clients speak; the only folder besides `app` that knows ASGI."""
