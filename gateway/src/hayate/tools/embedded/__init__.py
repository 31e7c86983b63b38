"""The engine of `hayate up`: llama.cpp's own server as a child process, its weights, and the first-run experience."""
