"""What the operator says, read and validated whole."""
