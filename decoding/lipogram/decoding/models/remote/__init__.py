"""An OpenAI-compatible server elsewhere as a model: what its API can carry, and nothing else."""

from lipogram.decoding.models.remote.model import RemoteModel, load

__all__ = ["RemoteModel", "load"]
