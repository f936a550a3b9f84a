"""Held-out numbers of a shipped model: `python -m lipogram.decoding.train.evaluate NAME`."""

import argparse
import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lipogram.decoding.models.embedded import DEFAULT, NAMES, EmbeddedCausal, EmbeddedMasked, load
from lipogram.decoding.models.embedded.loading import folder_of
from lipogram.decoding.train import card, corpus, measures

EXTRACTION_ITEMS = 400
MASKED_WINDOWS = 200


def evaluate(model: EmbeddedCausal | EmbeddedMasked) -> Mapping[str, Any]:
    """All numbers of one model; minutes."""
    data = {
        "held_out_files": len(corpus.held_out_modules()),
        "held_out_sha256": corpus.fingerprint(corpus.held_out_modules()),
    }
    if isinstance(model, EmbeddedMasked):
        masked = (
            asyncio.run(measures.masked_loss(model, n))
            for n in (MASKED_WINDOWS, measures.SAMPLE_WINDOWS)
        )
        return {**data, **dict(zip(("masked", "masked_sample"), masked, strict=True))}
    numbers = {
        **data,
        "code": asyncio.run(measures.bits_per_byte(model, corpus.held_out_modules())),
        "xz": measures.xz_bits_per_byte(),
    }
    count = EXTRACTION_ITEMS if model.name == DEFAULT else EXTRACTION_ITEMS // 4
    return {**numbers, "extraction": asyncio.run(measures.extraction_rate(model, count))}


def run(name: str, folder: Path) -> None:
    """Writes `metrics.json` and `CARD.md` beside the weights."""
    model = load(folder)
    numbers = evaluate(model)
    model.close()
    training = json.loads((folder / "training.json").read_text())
    (folder / "metrics.json").write_text(json.dumps(numbers, indent=1) + "\n")
    text = card.write(name, training, numbers)
    heads = folder / "draft_heads.json"
    if heads.is_file():
        text += card.write_heads(name, json.loads(heads.read_text()))
    (folder / "CARD.md").write_text(text)


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=NAMES)
    for name in parser.parse_args().names:
        run(name, folder_of(name))


if __name__ == "__main__":
    main()
