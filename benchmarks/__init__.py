"""ftdist measured against a bare DeepSpeed loop and against TRL; `make bench`."""
