"""`hayate bench`: a user's own measurement, before and after, through a gateway or against any server that streams."""
