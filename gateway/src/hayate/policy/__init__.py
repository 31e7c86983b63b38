"""Decisions: pure and synchronous; `now` is an argument, nothing here waits, logs or touches a socket."""
