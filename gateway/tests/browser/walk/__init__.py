"""A walk through everything that the page can do, before a real llama.cpp: in one language, one theme, on a desktop or a phone.

    python -m tests.browser.walk --all --screenshots .screens/walk

walks all eight and leaves a picture of every view, for people to look at. What the tiny model would not say by itself it is made to
say by a grammar, which llama.cpp keeps to; pictures alone are seen by a scripted engine, whose deployment says so by its name.
"""
