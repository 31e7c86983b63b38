"""`hayate chat`: a talk with a model in a terminal, over the API that everybody has."""
