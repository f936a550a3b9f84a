"""vLLM, in this process: continuous batching on GPUs, with the masks of this engine."""

from lipogram.decoding.models.vllm.loading import load
from lipogram.decoding.models.vllm.model import VllmModel

__all__ = ["VllmModel", "load"]
