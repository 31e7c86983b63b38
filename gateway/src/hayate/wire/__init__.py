"""Codecs: bytes in, bytes or values out. No I/O, no clock."""
