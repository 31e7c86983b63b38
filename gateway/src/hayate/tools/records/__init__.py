"""`hayate usage` and `hayate db …`: what the store has kept, and the store's file itself."""
