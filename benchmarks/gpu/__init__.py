"""What can be measured of ftdist on one GPU, in one command of ten minutes."""
