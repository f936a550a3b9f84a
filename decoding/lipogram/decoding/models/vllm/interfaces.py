"""All that is used of vLLM, in one place, because its interfaces move.

`check` compares what is installed with what the rest of this folder was written for, so that a
version that differs is refused when a model is opened, and not found out by a request.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
from typing import Any, Final

# One process owns engine, masks and scores; the runner is the one whose processors see every row.
os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
os.environ["VLLM_USE_V2_MODEL_RUNNER"] = "0"
os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")

import vllm
from llvmlite.binding import ffi
from vllm import EngineArgs, SamplingParams
from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams
from vllm.v1.engine.llm_engine import LLMEngine
from vllm.v1.sample.logits_processor import LogitsProcessor
from vllm.v1.sample.logits_processor.interface import BatchUpdate, MoveDirectionality
from vllm.v1.structured_output import StructuredOutputManager
from vllm.v1.structured_output.backend_types import (
    StructuredOutputBackend,
    StructuredOutputGrammar,
)

__all__ = [
    "BatchUpdate",
    "EngineArgs",
    "LLMEngine",
    "LogitsProcessor",
    "MoveDirectionality",
    "RequestOutputKind",
    "SamplingParams",
    "StructuredOutputBackend",
    "StructuredOutputGrammar",
    "StructuredOutputsParams",
    "differences",
    "manager_of",
    "repair",
]

_VERSIONS: Final = ("0.32.", "0.33.")
_ABSTRACT: Final[dict[type, set[str]]] = {
    StructuredOutputBackend: {"compile_grammar", "allocate_token_bitmask", "destroy"},
    StructuredOutputGrammar: {
        *("accept_tokens", "validate_tokens", "rollback", "fill_bitmask", "is_terminated", "reset"),
    },
    LogitsProcessor: {"__init__", "apply", "is_argmax_invariant", "update_state"},
}
_ARGUMENTS: Final[dict[Any, set[str]]] = {
    StructuredOutputBackend.compile_grammar: {"request_type", "grammar_spec", "stop_token_ids"},
    StructuredOutputGrammar.fill_bitmask: {"bitmask", "batch_index"},
    StructuredOutputGrammar.accept_tokens: {"request_id", "tokens"},
    LLMEngine.add_request: {"request_id", "prompt", "params"},
    LLMEngine.abort_request: {"request_ids"},
    LogitsProcessor.update_state: {"batch_update"},
    SamplingParams: {
        *("max_tokens", "temperature", "top_p", "top_k", "min_p", "seed", "logit_bias", "logprobs"),
        *("presence_penalty", "frequency_penalty", "repetition_penalty", "stop_token_ids"),
        *("ignore_eos", "detokenize", "output_kind", "structured_outputs", "extra_args"),
        "flat_logprobs",
    },
    StructuredOutputsParams: {"regex"},
}
_FIELDS: Final = {
    EngineArgs: {"model", "logits_processors", "max_logprobs", "enable_prefix_caching"},
    BatchUpdate: {"removed", "added", "moved"},
}


def differences() -> list[str]:
    """What is not as this backend needs it; empty where all is."""
    found = []
    if not vllm.__version__.startswith(_VERSIONS):
        known = " and ".join(f"{version}x" for version in _VERSIONS)
        found.append(f"expected vLLM {known}, found {vllm.__version__}")
    for kind, names in _ABSTRACT.items():
        own: frozenset[str] = getattr(kind, "__abstractmethods__", frozenset())
        if own != names:
            found.append(f"{kind.__name__} has the methods {sorted(own)}")
    for function, names in _ARGUMENTS.items():
        missing = names - inspect.signature(function).parameters.keys()
        if missing:
            found.append(f"{function.__qualname__} does not take {sorted(missing)}")
    for kind, names in _FIELDS.items():
        missing = names - {each.name for each in dataclasses.fields(kind)}
        if missing:
            found.append(f"{kind.__name__} has no {sorted(missing)}")
    return found


def manager_of(engine: LLMEngine) -> StructuredOutputManager:
    """What asks the backend of constraints for its masks; raises AttributeError where it is not."""
    manager = engine.engine_core.engine_core.structured_output_manager
    if not isinstance(manager, StructuredOutputManager) or not hasattr(manager, "backend"):
        raise AttributeError("the engine's structured_output_manager")
    return manager


def repair() -> None:
    """Make llvmlite's library say that it has no `__dict__`.

    vLLM 0.32 on CPUs looks into those of all objects that any module holds, and the library has a
    function for every name it is asked for.
    """
    library: Any = type(ffi.lib)
    found = library.__getattr__

    def attribute(self: Any, name: str) -> Any:
        if name == "__dict__":
            raise AttributeError(name)
        return found(self, name)

    library.__getattr__ = attribute
