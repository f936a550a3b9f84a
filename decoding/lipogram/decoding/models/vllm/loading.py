"""Opening a model with the engine's own arguments."""

from __future__ import annotations

from typing import Any, Final

from lipogram.decoding.errors import UnsupportedModel
from lipogram.decoding.models import hugging_face
from lipogram.decoding.models.vllm.engine import Engine
from lipogram.decoding.models.vllm.interfaces import (
    EngineArgs,
    LLMEngine,
    differences,
    manager_of,
    repair,
)
from lipogram.decoding.models.vllm.model import VllmModel
from lipogram.decoding.models.vllm.rules import Rules

_CAPTURE: Final = "lipogram.decoding.models.vllm.capture:Capture"


def load(source: str, *, name: str, **arguments: object) -> VllmModel:
    """Open a model; `arguments` are the engine's, by the names that `EngineArgs` has for them.

    `vllm serve --tensor-parallel-size 4` is `tensor_parallel_size = 4`. Raises UnsupportedModel,
    UnsupportedTokenizer.
    """
    moved = differences()
    if moved:
        raise UnsupportedModel(f"this vLLM is not one that is known here: {'; '.join(moved)}")
    speculates = bool(arguments.get("speculative_config"))
    settings: dict[str, Any] = {"enable_prefix_caching": True, "max_logprobs": -1, **arguments}
    if not speculates:  # the engine takes no processors beside a drafter
        settings.setdefault("logits_processors", []).append(_CAPTURE)
    repair()
    try:
        engine = LLMEngine.from_engine_args(EngineArgs(model=source, **settings))
        config = engine.vllm_config
        tokenizer = engine.get_tokenizer()
        size = config.model_config.get_vocab_size()
        manager_of(engine).backend = Rules(config, tokenizer, size)
    except Exception as error:  # the engine raises whatever its parts do
        raise UnsupportedModel(f"{source}: vLLM cannot open it: {error}") from error
    ends = config.model_config.try_get_generation_config().get("eos_token_id")
    if ends is None:
        ends = getattr(config.model_config.hf_config, "eos_token_id", None)
    eos = [ends] if isinstance(ends, int) else list(ends or ())
    return VllmModel(
        Engine(engine, name),
        hugging_face.read(tokenizer, eos, size),
        name=name,
        window=config.model_config.max_model_len,
        captures=not speculates and config.parallel_config.world_size == 1,
        speculates=speculates,
    )
