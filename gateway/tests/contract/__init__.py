"""One set of tests that every adapter passes: the client sees the same API whichever engine is behind."""
