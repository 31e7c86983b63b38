"""Tests of what fits on a GPU."""
