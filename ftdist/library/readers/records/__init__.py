"""Records: rows of JSONL, JSON, CSV, Parquet, Arrow and YAML files as numbered Python values."""
