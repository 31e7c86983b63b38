"""Builds the process and runs it: the only place that knows everything."""
