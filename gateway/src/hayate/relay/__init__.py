"""The life of one call: from a place in the queue to the last byte."""
