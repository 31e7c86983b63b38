"""The client side of each engine, one adapter per engine behind the protocol in `base`."""
