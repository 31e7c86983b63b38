"""One module for each step; its name begins with the step's number."""
