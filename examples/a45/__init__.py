"""The library of a product that does not exist: the A-45 SuperWidget.

No model can know it, so whatever a tuned model answers rightly about it, training taught it.
"""
