"""Whether a model and a library fit each other, checked before anything is trained."""
