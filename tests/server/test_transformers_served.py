"""A model of the transformers library behind the server, opened by settings."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

pytest.importorskip("torch", reason="needs lipogram[transformers]")
pytest.importorskip("transformers", reason="needs lipogram[transformers]")

import tiny_transformers as tiny
from lipogram.decoding.models.transformers import TransformersCausal
from lipogram.server import loading
from lipogram.server.prompts import ScriptTemplate, Turn
from lipogram.server.settings import ModelSettings, SettingsError
from server_under_test import serving

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def test_a_conversation_becomes_the_tokens_that_the_tokenizer_makes_of_it() -> None:
    tokenizer = tiny.tokenizer(chat_template=tiny.CHATML)
    model = TransformersCausal(tiny.model("llama"), tokenizer, name="tiny")
    turns = [Turn("system", "be brief"), Turn("user", "name: x"), Turn("assistant", "y")]
    assert model.chat is not None
    rendered = ScriptTemplate(model.chat).render(turns, model.vocabulary)
    wanted = tokenizer.apply_chat_template(
        [{"role": turn.role, "content": turn.text} for turn in turns],
        add_generation_prompt=True,
        return_dict=False,
    )
    assert list(rendered) == wanted


def test_it_is_served_by_settings(tmp_path: Path) -> None:
    folder = str(tiny.saved(tmp_path))
    settings = ModelSettings(
        "tiny", "transformers", folder, options={"dtype": "float32", "threads": 1}
    )
    (model,) = loading.load((settings,))
    with serving([model]) as address:
        reply = httpx.post(
            f"{address}/v1/chat/completions",
            json={
                "model": "tiny",
                "messages": [{"role": "user", "content": "hi <|im_end|>"}],
                "structured_outputs": {"regex": "[ab]{3}"},
            },
        )
    assert reply.status_code == 200
    assert set(reply.json()["choices"][0]["message"]["content"]) <= {"a", "b"}


def test_what_cannot_be_opened_is_a_setting_at_fault(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="has no option 'layers'"):
        loading.load((ModelSettings("tiny", "transformers", str(tmp_path), options={"layers": 2}),))
    with pytest.raises(SettingsError, match="cannot open it"):
        loading.load((ModelSettings("tiny", "transformers", str(tmp_path / "none")),))
