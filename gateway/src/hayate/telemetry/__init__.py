"""What is known of a call afterwards, and how it is written."""
