"""`ftdist doctor`: look at a cluster, check what a run needs, and measure its nodes."""
