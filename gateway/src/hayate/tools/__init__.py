"""Commands beside the gateway: the planner, the embedded engine, measuring."""
