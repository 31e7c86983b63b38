"""The engine's connection: the only sockets toward engines."""
