"""Judge answers and aggregate scores with confidence intervals."""
