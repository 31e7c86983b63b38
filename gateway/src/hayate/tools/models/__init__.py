"""`hayate pull` and `hayate rm`: the folder with the models."""
