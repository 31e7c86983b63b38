"""Commands about the gateway itself: run it, check and show what it is told, show its key."""
