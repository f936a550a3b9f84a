"""How the tests open vLLM's engine: small, on a CPU."""

from typing import Any

SETTINGS: dict[str, Any] = {
    "dtype": "float32", "enforce_eager": True, "block_size": 32, "max_model_len": 256,
    "max_num_seqs": 16, "disable_log_stats": True,
}  # fmt: skip
