"""`hayate ps`, `load`, `unload` and `logs`: the models that come and go on a gateway."""
