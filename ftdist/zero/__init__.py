"""The only importer of deepspeed: the engine, what builds it, and its state in shards."""
