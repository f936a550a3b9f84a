"""`lipogram train`: from nothing to a model folder with weights, tokenizer and numbers."""

import argparse
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import torch
from tokenizers import Tokenizer

from lipogram.decoding.train import corpus, draft_main, loop, optimizer
from lipogram.decoding.train.architecture import Transformer
from lipogram.decoding.train.package import package
from lipogram.decoding.train.probe import probe
from lipogram.decoding.train.recipes import RECIPES

SEED = 20


def run(
    model: str,
    out: Path,
    minutes: float | None = None,
    seed: int = SEED,
    threads: int = 1,
    initial: Path | None = None,
) -> None:
    """Trains one model into `out`, resuming there, and exports it so that it can be served.

    `initial` is a folder to start from.

    CPU time ends it, so that data and start repeat exactly, but not the weights.
    """
    recipe = RECIPES[model]
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    file = out / "tokenizer.json"
    if initial:
        shutil.copyfile(initial / "tokenizer.json", file)
    elif not file.exists():
        recipe.tokenizer(seed).save(str(file))
    tokenizer = Tokenizer.from_file(str(file))
    network = Transformer(recipe.shape)
    if initial:
        saved = torch.load(initial / "checkpoint.pt", weights_only=True)
        network.load_state_dict(saved["model"])
    measure = probe(network, tokenizer, recipe.length)
    data = recipe.batches(tokenizer, seed)
    chosen = optimizer.optimizers(network)
    progress = loop.train(network, chosen, data, minutes or recipe.minutes, out, measure)
    record = {
        "model": model,
        "seed": seed,
        "training_data_sha256": corpus.fingerprint(corpus.training_modules()),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        **asdict(progress),
    }
    (out / "training.json").write_text(json.dumps(record, indent=1))
    package(model, out)


def main(arguments: list[str] | None = None) -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(prog="lipogram train", description=__doc__)
    parser.add_argument("model", choices=sorted(RECIPES))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--initial", type=Path, help="start from the model in this folder")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--draft-heads", action="store_true", help="train heads that draft for the model, not it"
    )
    options = vars(parser.parse_args(arguments))
    if options.pop("draft_heads"):
        initial = options.pop("initial") or options["model"]
        draft_main.run(**options | {"model": initial})
    else:
        run(**options)


if __name__ == "__main__":
    main()
