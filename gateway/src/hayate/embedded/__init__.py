"""The child engine of `hayate up`: llama.cpp's own server in a process of its own, and where its weights come from."""
