"""`hayate top`: who has the places and who waits, live in a terminal."""
