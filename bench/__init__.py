"""The side-by-side benchmark: a stub engine, a load client, and the gateways between them. README.md has the method."""
