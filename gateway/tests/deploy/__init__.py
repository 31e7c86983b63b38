"""The image, the compose files, the launch scripts and the example configuration."""
