"""Opening a model by its folder, or its name in the library's cache or on its hub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoTokenizer,
)

from lipogram.decoding.errors import UnsupportedModel
from lipogram.decoding.models.transformers.causal import TransformersCausal
from lipogram.decoding.models.transformers.masked import TransformersMasked, mask_of


def load(
    source: str,
    *,
    name: str,
    dtype: str = "auto",
    device: str = "",
    device_map: str = "",
    quantization: Mapping[str, object] | None = None,
    attention: str = "",
    revision: str = "main",
    trust_remote_code: bool = False,
    threads: int = 0,
    context_tokens: int = 0,
    cache_bytes: int = 1 << 30,
) -> TransformersCausal | TransformersMasked:
    """Open a causal language model, or one that fills masks: its configuration says which.

    `dtype` is `auto` (as stored), `float32`, `bfloat16` and the like. `device` is PyTorch's name,
    empty: a GPU if there is one; `device_map` spreads the model over several instead, and
    `quantization` loads it in fewer bits, both as the library has it (a table with
    `quant_method`; they need accelerate). `attention` is its `attn_implementation`. `threads` 0
    leaves PyTorch's number, `context_tokens` 0 the model's window. `cache_bytes` bound the kept
    keys and values of causal ones. Raises UnsupportedModel, UnsupportedTokenizer.
    """
    if threads:
        torch.set_num_threads(threads)
    settings: dict[str, Any] = {"revision": revision, "trust_remote_code": trust_remote_code}
    extra: dict[str, Any] = {}
    if attention:
        extra["attn_implementation"] = attention
    if quantization:
        extra["quantization_config"] = dict(quantization)
    if quantization or device_map:
        extra["device_map"] = device_map or device or "auto"
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **settings)
        family = _family(AutoConfig.from_pretrained(source, **settings))
        model = family.from_pretrained(
            source, dtype=dtype, low_cpu_mem_usage=True, **settings, **extra
        )
        if "device_map" not in extra:
            model = model.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    except (AttributeError, ImportError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise UnsupportedModel(f"{source}: transformers cannot open it: {error}") from error
    if family is not AutoModelForCausalLM:
        return TransformersMasked(
            model.eval(), tokenizer, name=name, context_tokens=context_tokens or None
        )
    return TransformersCausal(
        model.eval(),
        tokenizer,
        name=name,
        context_tokens=context_tokens or None,
        cache_bytes=cache_bytes,
    )


def _family(config: Any) -> Any:
    """The library's class for the model: masked-diffusion models are registered as bare ones."""
    if mask_of(config) is not None:
        return AutoModel
    names = getattr(config, "architectures", None) or ()
    is_masked = any(name.endswith("ForMaskedLM") for name in names)
    return AutoModelForMaskedLM if is_masked else AutoModelForCausalLM
