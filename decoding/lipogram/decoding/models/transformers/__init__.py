"""PyTorch, through the transformers library: any causal language model, on any of its devices."""

from lipogram.decoding.models.transformers.causal import TransformersCausal
from lipogram.decoding.models.transformers.loading import load

__all__ = ["TransformersCausal", "load"]
