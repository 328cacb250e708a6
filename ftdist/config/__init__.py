"""What a run is: schema, composition, plan, and DeepSpeed's dictionary. Loads no torch."""
