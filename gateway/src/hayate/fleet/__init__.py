"""The replicas behind each name, and how they do."""
