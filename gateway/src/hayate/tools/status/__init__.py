"""`hayate status`: what runs, for people and for scripts."""
