"""The model card, written from the numbers."""

import platform
from collections.abc import Mapping
from typing import Any

from lipogram.decoding.train import corpus, extraction
from lipogram.decoding.train.recipes import RECIPES, Recipe

_HEAD = """# {name}

{what}, for code and extraction.
It is small enough to ship with the package and to train on a CPU in about an hour; it makes every
feature run without a download. It is not a general assistant.

| | |
| --- | --- |
| Licence | Apache-2.0 (the weights and the tokenizer) |
| Parameters | {parameters:,} (int8, one scale a row; computed in float32) |
| Trained on | {tokens:,} tokens in {steps:,} steps, {minutes:.0f} minutes of one CPU core |
| Seed | {seed} (data and start repeat exactly; the clock ends training, so weights do not) |
| Training data | SHA-256 `{training_data_sha256}` |

## Data

- The source of the standard library of Python {python}, without tests, generated encoding tables
  and `pydoc` topics: {data_megabytes:.1f} MB in {data_files} files.
  It is under the PSF licence; its text is not shipped.
- Synthetic text-to-JSON items, made by `lipogram.decoding.train.extraction` from templates in the
  repository and invented names.

One file in {one_in} is held out, chosen by a hash of its path; one item in {items_in}, by a hash of
its object. Neither is ever trained on, for the tokenizer neither.

## Recipe

`lipogram train {name}`. {recipe}

A pre-norm transformer: rotary positions on half of each head, normalised queries and keys, keys
that look one token back, squared-ReLU layers, hashed n-gram embeddings. Muon for matrices, Adam for
the rest; the learning rate holds for 45 % of the time and then falls to zero in a straight line.

{note}

## Held-out numbers

{numbers}

## Loss curve

The held-out column is a small sample of held-out code ({unit}), the training loss is in nats a
weighted token over code and items.

| minutes | tokens | training loss | held out |
| ---: | ---: | ---: | ---: |
{curve}
"""

_MIXTURE = """Rows of {length} tokens, {rows} a step; {items:.0%} of the tokens are items,
whose answers weigh four times as much as their texts."""

_INFILLING = """
{share:.0%} of the code windows are infilling exercises cut at random characters, half of them
prefix-suffix-middle, half suffix first; what is to be filled in weighs three times as much."""

_MASKING = """
A uniformly drawn part of each text is masked."""

_CAUSAL_NUMBERS = """- Code: **{bits:.3f} bits a byte** on {files} held-out modules ({size:,}
  bytes), each coded on its own. `xz -9` needs {xz:.3f} for the files one by one (the model:
  {saved:.0%} less), {xz_stream:.3f} for all of them in one stream ({saved_stream:.0%} less), and
  {xz_after:.3f} for that stream right after the training data ({saved_after:.0%} less).
- Extraction: **{exact:.1%}** of {items} held-out items exactly right under their schema, greedy
  (95 % interval {low:.1%} to {high:.1%})."""

_HEADS = """
## Draft heads

`draft_heads.npz` guesses ahead of the model from its last hidden states (`docs/drafting.md`):
{parameters:,} parameters, int8 with one scale a row. `lipogram train {name} --draft-heads`,
seed {seed}: {tokens:,} tokens in {steps:,} steps, {minutes:.1f} minutes of CPU time, on the data
above with 60% items, each text used three times, to say what the model says. The graph's weights
are as before; it has one output more.

Without a grammar's help the likeliest guess is the model's likeliest token (held-out code and
answers, by the number of tokens after the last state that is known): {agreement}.

| minutes | tokens | training loss | agreement at 1 |
| ---: | ---: | ---: | ---: |
{curve}
"""

_MASKED_NUMBERS = """- {kind}: **{nats:.3f} nats** a masked token over {tokens:,.0f} tokens; token
  frequencies alone need {unigram:.3f}."""


def write(name: str, training: Mapping[str, Any], numbers: Mapping[str, Any]) -> str:
    """The card in Markdown."""
    recipe = RECIPES[name]
    causal = recipe.shape.causal
    points = training["curve"][:: -(len(training["curve"]) // 16 + 1)][::-1]
    curve = "\n".join(
        f"| {seconds / 60:.1f} | {tokens:,} | {loss:.3f} | {probe:.3f} |"
        for seconds, tokens, loss, probe in points
    )
    return _HEAD.format(
        **{key: training[key] for key in ("parameters", "tokens", "steps", "seed")},
        name=name,
        what=_describe(recipe),
        minutes=training["seconds"] / 60,
        training_data_sha256=training["training_data_sha256"],
        one_in=corpus.HELD_OUT_ONE_IN,
        items_in=extraction.HELD_OUT_ONE_IN,
        recipe=_mixture(recipe),
        numbers=_causal_numbers(numbers) if causal else _masked_numbers(numbers),
        note=training.get("note", ""),
        python=platform.python_version(),
        data_files=len(corpus.training_modules()),
        data_megabytes=sum(len(m.text.encode()) for m in corpus.training_modules()) / 1e6,
        unit="bits a byte" if causal else "weighted nats a masked token",
        curve=curve,
    )


def write_heads(name: str, training: Mapping[str, Any]) -> str:
    """The part of the card about the model's draft heads."""
    agreement = ", ".join(f"{rate:.1%} at {lag}" for lag, rate in training["agreement"].items())
    curve = "\n".join(
        f"| {seconds / 60:.1f} | {tokens:,} | {loss:.3f} | {probe:.1%} |"
        for seconds, tokens, loss, probe in training["curve"]
    )
    return _HEADS.format(
        name=name,
        parameters=training["parameters"],
        tokens=training["tokens"],
        steps=training["steps"],
        minutes=training["seconds"] / 60,
        seed=training["seed"],
        agreement=agreement,
        curve=curve,
    )


def _describe(recipe: Recipe) -> str:
    kind = "An autoregressive model" if recipe.shape.causal else "A masked-diffusion model"
    if recipe.pattern is None:
        return f"{kind} over single bytes"
    return f"{kind} over a byte-level BPE of {recipe.shape.vocabulary_size:,} tokens"


def _mixture(recipe: Recipe) -> str:
    mixture = _MIXTURE.format(length=recipe.length, rows=recipe.rows, items=recipe.item_share)
    if recipe.shape.causal:
        return mixture + _INFILLING.format(share=recipe.infill_share)
    return mixture + _MASKING


def _causal_numbers(numbers: Mapping[str, Any]) -> str:
    code, xz, items = numbers["code"], numbers["xz"], numbers["extraction"]
    bits = code["bits_per_byte"]
    return _CAUSAL_NUMBERS.format(
        bits=bits,
        files=numbers["held_out_files"],
        size=code["bytes"],
        xz=xz["files"],
        saved=1 - bits / xz["files"],
        xz_stream=xz["one_stream"],
        saved_stream=1 - bits / xz["one_stream"],
        xz_after=xz["after_training_data"],
        saved_after=1 - bits / xz["after_training_data"],
        **items,
    )


def _masked_numbers(numbers: Mapping[str, Any]) -> str:
    masked = numbers["masked"]
    lines = [
        _MASKED_NUMBERS.format(
            kind=kind.capitalize(),
            nats=masked[f"{kind}_nats"],
            tokens=masked[f"{kind}_masked_tokens"],
            unigram=masked[f"{kind}_unigram_nats"],
        )
        for kind in ("code", "items")
    ]
    return "\n".join(lines) + "\n\nFrom 5 to 100 % of each text is masked, uniformly."
