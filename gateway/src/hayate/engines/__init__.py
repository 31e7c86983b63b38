"""What runs a model: child processes of the gateway, and what is common to all engines that can be loaded and unloaded."""
