"""What masks cost inside of vLLM: its own backends and ours, in one run, at batch 1, 32 and 256.

`python -m benchmarks.vllm_masks` in the environment that `make test-vllm` makes. Each request walks
a text that its schema accepts; at every step the engine's own manager fills the batch's masks and
then takes the tokens. What is timed is the two together, a token and request.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.texts import cases, find

BATCHES = (1, 32, 256)


def make_tokenizer(name: str, folder: Path) -> None:
    """The public vocabulary of this name as a tokenizer of the transformers library."""
    import transformers
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    path = find(f"vocabularies/{name}.npz")
    if path is None:
        raise SystemExit(f"vocabularies/{name}.npz is not here; set LIPOGRAM_TEST_DATA")
    archive = np.load(path)
    data, offsets = archive["data"].tobytes(), archive["offsets"]
    meta = json.loads(archive["meta"].tobytes())
    tokens = [data[a:b] for a, b in pairwise(offsets)]
    alphabet = {byte: char for char, byte in _byte_names().items()}
    ranks = {token: id for id, token in enumerate(tokens) if token}
    names = {token: "".join(alphabet[byte] for byte in token) for token in ranks}
    vocab = {names[token]: id for token, id in ranks.items()}
    special = {f"<special {id}>": id for id, token in enumerate(tokens) if not token}
    vocab |= special
    backend = Tokenizer(models.BPE(vocab, _merges(ranks, names)))
    split = pre_tokenizers.Split(Regex(meta["pat_str"]), "isolated")
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.pre_tokenizer = pre_tokenizers.Sequence([split, level])
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(list(special))
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token=f"<special {meta['eos']}>"
    )
    made.save_pretrained(folder)
    transformers.Qwen2Config(
        vocab_size=len(tokens), hidden_size=64, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, intermediate_size=64, architectures=["Qwen2ForCausalLM"],
        eos_token_id=meta["eos"], bos_token_id=None, pad_token_id=None,
    ).save_pretrained(folder)  # fmt: skip


def _byte_names() -> dict[str, int]:
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    return {chr(b): b for b in printable} | {chr(0x100 + i): b for i, b in enumerate(others)}


def _merges(ranks: dict[bytes, int], names: dict[bytes, str]) -> list[tuple[str, str]]:
    merges: list[tuple[str, str]] = []
    for token in ranks:
        pairs = [(token[:cut], token[cut:]) for cut in range(1, len(token))]
        pairs = [(a, b) for a, b in pairs if a in ranks and b in ranks]
        pairs.sort(key=lambda pair: (ranks[pair[0]], ranks[pair[1]]))
        merges += [(names[a], names[b]) for a, b in pairs]
    return merges


class Walks:
    """Requests in vLLM's manager, each with the tokens it will take."""

    def __init__(self, config: Any, backend: Any) -> None:
        from vllm.v1.structured_output import StructuredOutputManager

        self.manager = StructuredOutputManager(config)
        self.manager.backend = backend

    def timed(self, grammars: list[Any], walks: list[list[int]]) -> tuple[float, int]:
        """CPU seconds of all steps of one batch, and how many tokens that were."""
        requests = {
            str(index): SimpleNamespace(
                structured_output_request=SimpleNamespace(
                    grammar=grammar, reasoning_ended=True, reasoner=None
                )
            )
            for index, grammar in enumerate(grammars)
        }
        cpu_s, count = time.process_time(), 0
        for step in range(max(map(len, walks))):
            running = [i for i, walk in enumerate(walks) if step < len(walk)]
            self.manager.grammar_bitmask(requests, [str(i) for i in running], {})
            for index in running:
                assert grammars[index].accept_tokens(str(index), [walks[index][step]])
            count += len(running)
        return time.process_time() - cpu_s, count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vocabulary", default="tekken_131k")
    parser.add_argument("--schemas", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make_tokenizer(options.vocabulary, Path(folder))
        print(json.dumps(_measured(folder, options), indent=1))


def _measured(folder: str, options: Any) -> dict[str, Any]:
    from vllm.tokenizers import cached_tokenizer_from_config
    from vllm.v1.structured_output.backend_guidance import GuidanceBackend
    from vllm.v1.structured_output.backend_types import StructuredOutputOptions
    from vllm.v1.structured_output.backend_xgrammar import XgrammarBackend

    from lipogram.decoding import Masker
    from lipogram.decoding.masking import warm_up
    from lipogram.decoding.models import hugging_face
    from lipogram.decoding.models.vllm.interfaces import EngineArgs, repair
    from lipogram.decoding.models.vllm.rules import RULES, Rule, Rules, bits
    from lipogram.grammars import Error, compile, json_schema

    repair()
    config = EngineArgs(
        model=folder, max_num_seqs=256, max_model_len=2048, dtype="float32"
    ).create_engine_config()
    tokenizer = cached_tokenizer_from_config(model_config=config.model_config)
    size = config.model_config.get_vocab_size()
    reading = hugging_face.read(tokenizer, (), size)
    warm_up(reading.vocabulary)
    backends = {
        "lipogram": Rules(config, tokenizer, size),
        "xgrammar": XgrammarBackend(config, tokenizer, size),
        "guidance": GuidanceBackend(config, tokenizer, size),
    }
    free = bits(reading.vocabulary.has_text)
    tasks: list[tuple[Any, list[int]]] = []
    for case in cases(4 * options.schemas, 0, None):
        if case.kind != "json_schema" or len(tasks) == options.schemas:
            continue
        text = next(text for text, valid in case.texts if valid)
        walk = reading.vocabulary.encode(text.encode())
        try:
            masker = Masker(compile(json_schema.parse(case.source)), reading.vocabulary)
        except Error:
            continue
        number = str(len(tasks))
        RULES[number] = Rule(
            reading.vocabulary, free, masker, masker.start(), frozenset(reading.vocabulary.eos_ids)
        )
        spec = json.dumps(case.source)
        made = {"lipogram": (StructuredOutputOptions.REGEX, number)}
        made |= dict.fromkeys(("xgrammar", "guidance"), (StructuredOutputOptions.JSON, spec))
        try:
            for name, backend in backends.items():
                grammar = backend.compile_grammar(*made[name], stop_token_ids=None)
                if not grammar.accept_tokens("x", walk[:400]):
                    raise ValueError(name)
        except Exception:
            del RULES[number]
            continue  # only what all three take, so that they do the same
        tasks.append((made, walk[:400]))
    found: dict[str, Any] = {"schemas": len(tasks), "vocabulary": size, "us": {}}
    managers = {name: Walks(config, backend) for name, backend in backends.items()}
    rng = random.Random(0)
    for batch in BATCHES:
        order = [rng.randrange(len(tasks)) for _ in range(batch)] if batch > 1 else None
        times: dict[str, list[float]] = {name: [] for name in backends}
        for _ in range(options.repeats):
            for name, backend in backends.items():
                spent, count = 0.0, 0
                groups = [[i] for i in range(len(tasks))] if order is None else [order]
                for group in groups:
                    grammars = [
                        backend.compile_grammar(*tasks[i][0][name], stop_token_ids=None)
                        for i in group
                    ]
                    seconds, tokens = managers[name].timed(grammars, [tasks[i][1] for i in group])
                    spent, count = spent + seconds, count + tokens
                times[name].append(1e6 * spent / count)
        found["us"][batch] = {
            name: [round(min(each), 1), round(statistics.median(each), 1), round(max(each), 1)]
            for name, each in times.items()
        }
    return found


if __name__ == "__main__":
    main()
