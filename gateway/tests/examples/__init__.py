"""Every program in examples/ runs against a real gateway."""
