"""`hayate check-config`: what is wrong with a configuration, and what is odd in it."""
