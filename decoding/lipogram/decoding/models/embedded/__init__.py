"""ONNX Runtime on the CPU: the small models shipped here, and any decoder export with a cache."""

from lipogram.decoding.models.embedded.causal import EmbeddedCausal
from lipogram.decoding.models.embedded.configuration import (
    Configuration,
    Infilling,
    UnreadableExport,
)
from lipogram.decoding.models.embedded.loading import DEFAULT, NAMES, load
from lipogram.decoding.models.embedded.masked import EmbeddedMasked

__all__ = [
    "DEFAULT",
    "NAMES",
    "Configuration",
    "EmbeddedCausal",
    "EmbeddedMasked",
    "Infilling",
    "UnreadableExport",
    "load",
]
