"""The JSON that is spoken over HTTP, as pydantic models and nothing else."""
