"""What clients of Mistral's endpoint for filling in send; it is answered like a conversation."""

from __future__ import annotations

from typing import Literal

from lipogram.server.wire.common import Count, CursorOptions, Fault, Sampling, Seed


class FimRequest(CursorOptions, Sampling):
    """Mistral's `/v1/fim/completions`, which is answered like a conversation."""

    model: str
    prompt: str
    suffix: str | None = None
    max_tokens: Count | None = None
    min_tokens: Literal[0] | None = None
    random_seed: Seed | None = None


class MistralError(Fault):
    """Mistral's error."""

    object: Literal["error"] = "error"
