"""The first start, and what is wrong around it: every mistake told in one line, and the cure as told cures it."""
