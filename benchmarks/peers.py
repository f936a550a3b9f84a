"""Other engines behind the same protocol: compile, compile_cfg, reset, mask, commit.

Each imports its package when made, and raises ImportError where that is not installed. `compile`
raises whatever the package raises for what it does not support.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np


class LLGuidance:
    name = "llguidance"

    def __init__(self, vocabulary: Any) -> None:
        import llguidance

        size = len(vocabulary.tokens)
        if vocabulary.pattern:
            self.tokenizer = llguidance.LLTokenizer.from_tiktoken(
                encoder={token: id for id, token in enumerate(vocabulary.tokens) if token},
                special_tokens={f"<|special {id}|>": id for id in vocabulary.special_ids},
                pattern=vocabulary.pattern,
                eos_token=vocabulary.eos,
                n_vocab=size,
            )
        else:
            self.tokenizer = llguidance.LLTokenizer(
                vocabulary.tokenizer_json, n_vocab=size, eos_token=vocabulary.eos
            )
        self.matcher_of = llguidance.LLMatcher
        self.out = np.zeros(-(-size // 32), np.int32)

    def compile(self, schema: Any) -> None:
        self._compile(json.dumps({"grammars": [{"json_schema": schema}]}))

    def compile_cfg(self, kind: str, text: str) -> None:
        if kind != "lark":
            raise ValueError(f"no {kind} grammars")
        self._compile(self.matcher_of.grammar_from_lark(text))

    def _compile(self, grammar: str) -> None:
        self.compiled = self.matcher_of(self.tokenizer, grammar, log_level=0)
        if self.compiled.is_error():
            raise ValueError(self.compiled.get_error())

    def reset(self) -> None:
        self.matcher = self.compiled.deep_copy()

    def mask(self) -> Any:
        self.matcher.unsafe_compute_mask_ptr(self.out.ctypes.data, self.out.nbytes)
        return self.out

    def commit(self, token_id: int) -> bool:
        return self.matcher.consume_token(token_id)


class XGrammar:
    """Any white space, and strict_mode off: its most faithful reading of JSON Schema."""

    name = "xgrammar"

    def __init__(self, vocabulary: Any) -> None:
        import torch
        import xgrammar

        torch.set_num_threads(1)
        size = len(vocabulary.tokens)
        info = xgrammar.TokenizerInfo(
            vocabulary.tokens,
            xgrammar.VocabType.RAW,
            vocab_size=size,
            stop_token_ids=[vocabulary.eos],
        )
        self.package = xgrammar
        self.compiler = xgrammar.GrammarCompiler(info, max_threads=1)
        self.bitmask = xgrammar.allocate_token_bitmask(1, size)
        self.out = self.bitmask.numpy()[0]

    def compile(self, schema: Any) -> None:
        text = json.dumps(schema)
        self.compiled = self.compiler.compile_json_schema(
            text, any_whitespace=True, strict_mode=False
        )

    def compile_cfg(self, kind: str, text: str) -> None:
        compile = self.compiler.compile_lark if kind == "lark" else self.compiler.compile_grammar
        self.compiled = compile(text)

    def reset(self) -> None:
        self.matcher = self.package.GrammarMatcher(self.compiled)

    def mask(self) -> Any:
        if not self.matcher.fill_next_token_bitmask(self.bitmask):
            self.out[:] = -1  # it says so where everything is allowed
        return self.out

    def commit(self, token_id: int) -> bool:
        return self.matcher.accept_token(token_id)


class OutlinesCore:
    name = "outlines-core"

    def __init__(self, vocabulary: Any) -> None:
        import outlines_core

        ids: dict[bytes, list[int]] = {}
        special = {*vocabulary.special_ids, vocabulary.eos}
        for id, token in enumerate(vocabulary.tokens):
            if token and id not in special:
                ids.setdefault(token, []).append(id)
        self.package = outlines_core
        self.vocabulary = outlines_core.Vocabulary(vocabulary.eos, ids)
        self.out = np.zeros((1, -(-len(vocabulary.tokens) // 32)), np.int32)

    def compile(self, schema: Any) -> None:
        from outlines_core.json_schema import build_regex_from_schema

        pattern = build_regex_from_schema(json.dumps(schema))
        self.index = self.package.Index(pattern, self.vocabulary)

    def compile_cfg(self, kind: str, text: str) -> None:
        raise ValueError("no context-free grammars")

    def reset(self) -> None:
        self.guide = self.package.Guide(self.index)

    def mask(self) -> Any:
        self.guide.write_mask_into(self.out.ctypes.data, self.out.size, self.out.itemsize)
        return self.out[0]

    def commit(self, token_id: int) -> bool:
        self.guide.advance(token_id, return_tokens=False)
        return True
