"""Training of the embedded models: data, loop, export, evaluation (needs the `train` extra)."""
