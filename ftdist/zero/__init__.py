"""The rooms that import deepspeed: engine, load, save."""
