"""The client's connection: what comes on it, what it may take, and the stream that an answer goes out on."""
