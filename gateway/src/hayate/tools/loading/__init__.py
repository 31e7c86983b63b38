"""What a gateway tells of the models that come and go, read and shown: for `hayate ps` and `hayate status`."""
