"""PyTorch, through the transformers library: causal and masked models, on any of its devices."""

from lipogram.decoding.models.transformers.causal import TransformersCausal
from lipogram.decoding.models.transformers.loading import load
from lipogram.decoding.models.transformers.masked import TransformersMasked

__all__ = ["TransformersCausal", "TransformersMasked", "load"]
