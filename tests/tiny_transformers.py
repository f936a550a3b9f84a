"""Models of the transformers library with random weights, and a tokenizer made on the spot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] | trim }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_TEXT = "def parse(text): return {'name': text.strip(), \"age\": 36}  # a parser of names\n"


def tokenizer(**settings: Any) -> Any:
    """A byte-level BPE of 320 tokens."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator([_TEXT] * 3, trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|im_end|>", bos_token="<|endoftext|>", **settings
    )


_SMALL = {
    "vocab_size": 328, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 48, "max_position_embeddings": 160, "bos_token_id": 0, "eos_token_id": 2,
    "pad_token_id": None,
}  # fmt: skip


def configuration(kind: str) -> Any:
    """Of a small model; `gemma2` has sliding windows, `mamba` and `bloom` name no window."""
    if kind == "gpt2":
        return transformers.GPT2Config(
            vocab_size=328, n_embd=32, n_layer=2, n_head=4, n_positions=160,
            bos_token_id=0, eos_token_id=2,
        )  # fmt: skip
    if kind == "mamba":
        return transformers.MambaConfig(
            vocab_size=328, hidden_size=32, num_hidden_layers=2, state_size=8, eos_token_id=2
        )
    if kind == "bloom":
        return transformers.BloomConfig(
            vocab_size=328, hidden_size=32, n_layer=2, n_head=4, bos_token_id=0, eos_token_id=2
        )
    if kind == "wide":  # heads as wide as vLLM wants them on a CPU
        return transformers.Qwen2Config(
            **{
                **_SMALL,
                "hidden_size": 64,
                "num_attention_heads": 2,
                "max_position_embeddings": 512,
            },
            num_key_value_heads=1,
        )
    if kind == "gemma2":
        return transformers.Gemma2Config(
            **_SMALL, head_dim=8, num_key_value_heads=2, sliding_window=8, query_pre_attn_scalar=8
        )
    made = {"llama": transformers.LlamaConfig, "qwen2": transformers.Qwen2Config}[kind]
    return made(**_SMALL, num_key_value_heads=2)


def model(kind: str, seed: int = 0) -> Any:
    """A model with weights of a spread that makes its scores differ."""
    torch.manual_seed(seed)
    made = transformers.AutoModelForCausalLM.from_config(configuration(kind))
    with torch.no_grad():
        for weight in made.parameters():
            if weight.dim() > 1:
                weight.normal_(0, 0.2)
    return made.eval()


def saved(folder: Path, kind: str = "llama", template: str | None = CHATML) -> Path:
    """A folder as it would come from a hub."""
    made = tokenizer()
    made.chat_template = template
    made.save_pretrained(folder)
    model(kind).save_pretrained(folder)
    return folder
