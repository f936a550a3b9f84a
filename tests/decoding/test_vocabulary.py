"""Tokens are bytes: what files say, what text becomes, and that no text becomes a special token."""

import json
import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)

from conformance import datasets
from lipogram.decoding.errors import Unspellable, UnsupportedTokenizer
from lipogram.decoding.trie import TokenTrie
from lipogram.decoding.vocabulary import Vocabulary

PROSE = (
    Path(__file__).read_text(encoding="utf-8") + " naïve café ▁ 東京 🜁 don't WON'T 1234567\r\n\n  x"
)
SINGLE_BYTES = [bytes([byte]) for byte in range(256)]
PATTERN = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+"
SPECIALS = ["<|endoftext|>", "<|fim_prefix|>"]


def byte_level(text: str = PROSE) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=alphabet, special_tokens=SPECIALS, show_progress=False
    )
    tokenizer.train_from_iterator([text], trainer)
    tokenizer.add_tokens([AddedToken("<tool>", special=False)])
    return tokenizer


def sentence_piece(extra: dict[str, object] | None = None) -> str:
    """A Llama-like file: ▁ for spaces, byte pieces, a dummy space in front."""
    pieces = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    pieces += ["▁", "h", "e", "l", "o", "s", "<", ">", "/", "he", "ll", "▁he", "▁hell"]
    merges = [["h", "e"], ["l", "l"], ["▁", "he"], ["▁he", "ll"]]
    specials = [("<unk>", 0), ("<s>", 1), ("</s>", 2)]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return json.dumps(
        {
            "version": "1.0",
            "added_tokens": [
                {"id": id, "content": content, "special": True, **flags} for content, id in specials
            ],
            "normalizer": {
                "type": "Sequence",
                "normalizers": [
                    {"type": "Prepend", "prepend": "▁"},
                    {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
                ],
            },
            "decoder": None,
            "model": {
                "type": "BPE",
                "vocab": {piece: id for id, piece in enumerate(pieces)},
                "merges": merges,
                "unk_token": "<unk>",
                "byte_fallback": True,
                "fuse_unk": True,
            },
            **(extra or {}),
        }
    )


def random_bytes(rng: random.Random, size: int) -> bytes:
    return bytes(rng.choice(b"ab \xc3\xa9\xff\xf0<|") for _ in range(size))


class TestFromTokens:
    def test_specials_have_no_text(self) -> None:
        vocabulary = Vocabulary.from_tokens([b"a", b"</s>", b"[MASK]"], eos_ids=(1,), mask_id=2)
        assert vocabulary.tokens == (b"a", b"", b"")
        assert vocabulary.decode([0, 1, 0, 2]) == b"aa"
        assert len(vocabulary) == 3

    def test_ids_out_of_range_are_refused(self) -> None:
        with pytest.raises(ValueError, match="7 is not one of the 1 tokens"):
            Vocabulary.from_tokens([b"a"], eos_ids=(7,))

    def test_encodes_with_the_fewest_tokens(self) -> None:
        vocabulary = Vocabulary.from_tokens([b"a", b"b", b"ab", b"bcd", b"abc", b"d"])
        assert vocabulary.encode(b"abcd") == [4, 5]
        assert vocabulary.encode(b"abab") == [2, 2]
        assert vocabulary.encode(b"") == []

    def test_duplicates_spell_with_the_later_one(self) -> None:
        assert Vocabulary.from_tokens([b"a", b"b", b"a"]).encode(b"aba") == [2, 1, 2]

    def test_what_cannot_be_spelled_is_an_error(self) -> None:
        vocabulary = Vocabulary.from_tokens([b"ab", b"c"])
        assert not vocabulary.spells_all
        with pytest.raises(Unspellable, match="aab"):
            vocabulary.encode(b"aab")

    def test_spelling_agrees_with_brute_force(self) -> None:
        rng = random.Random(5)
        for _ in range(300):
            tokens = sorted({random_bytes(rng, rng.randint(1, 3)) for _ in range(8)})
            trie, text = TokenTrie.build(enumerate(tokens)), random_bytes(rng, rng.randint(0, 9))
            fewest = {len(text): 0}
            for begin in reversed(range(len(text))):
                ends = [begin + len(t) for t in tokens if text.startswith(t, begin)]
                counts = [1 + fewest[end] for end in ends if end in fewest]
                if counts:
                    fewest[begin] = min(counts)
            ids = trie.spell(text)
            assert (ids is not None) == (0 in fewest)
            if ids is not None:
                assert b"".join(tokens[id] for id in ids) == text
                assert len(ids) == fewest[0]


class TestTrie:
    def test_layout(self) -> None:
        trie = TokenTrie.build(enumerate([b"ab", b"", b"b", b"ac", b"a", b"ab"]))
        assert bytes(trie.byte) == b"abcb"
        assert trie.depth.tolist() == [1, 2, 2, 1]
        assert trie.skip.tolist() == [3, 2, 3, 4]
        assert trie.token_offsets.tolist() == [0, 1, 3, 4, 5]
        assert trie.token_ids.tolist() == [4, 0, 5, 3, 2]
        assert trie.roots[ord("a")] == 0
        assert trie.roots[ord("b")] == 3
        assert trie.roots[ord("c")] == -1

    def test_no_tokens(self) -> None:
        trie = TokenTrie.build(enumerate([b"", b""]))
        assert trie.token_offsets.tolist() == [0]
        assert trie.spell(b"") == []
        assert trie.spell(b"a") is None

    def test_every_token_is_at_the_end_of_its_path(self) -> None:
        rng = random.Random(1)
        tokens = [random_bytes(rng, rng.randint(0, 4)) for _ in range(500)]
        trie = TokenTrie.build(enumerate(tokens))
        path: list[int] = []
        found = 0
        for node, (byte, depth) in enumerate(zip(trie.byte, trie.depth, strict=True)):
            path[depth - 1 :] = [byte]
            ids = trie.token_ids[trie.token_offsets[node] : trie.token_offsets[node + 1]].tolist()
            assert ids == [id for id, token in enumerate(tokens) if token == bytes(path)]
            found += len(ids)
        assert found == sum(map(bool, tokens))


class TestTokenizerJson:
    def test_byte_level_tokens_join_to_the_text(self) -> None:
        tokenizer = byte_level()
        vocabulary = Vocabulary.from_tokenizer_json(tokenizer.to_str())
        assert len(vocabulary) == tokenizer.get_vocab_size()
        assert vocabulary.spells_all
        ids = vocabulary.encode(PROSE.encode())
        tokenizer.encode_special_tokens = True
        assert ids == tokenizer.encode(PROSE, add_special_tokens=False).ids
        assert vocabulary.decode(ids) == PROSE.encode()
        assert vocabulary.text_start == b""

    def test_special_tokens_without_a_score_are_left_out_and_others_refused(self) -> None:
        tokenizer = byte_level()
        count = tokenizer.get_vocab_size()
        tokenizer.add_special_tokens(["<|late|>"])
        vocabulary = Vocabulary.from_tokenizer_json(tokenizer.to_str(), size=count)
        assert len(vocabulary) == count
        assert "<|late|>" not in vocabulary.specials
        with pytest.raises(UnsupportedTokenizer, match=f"at most {count - 1} tokens"):
            Vocabulary.from_tokenizer_json(tokenizer.to_str(), size=count - 1)

    def test_names_of_specials_are_plain_text_to_users(self) -> None:
        tokenizer = byte_level()
        vocabulary = Vocabulary.from_tokenizer_json(tokenizer.to_str())
        text = b"a<|endoftext|>b <|fim_prefix|>"
        assert 0 in tokenizer.encode(text.decode()).ids
        ids = vocabulary.encode(text)
        assert not set(ids) & set(vocabulary.specials.values())
        assert vocabulary.decode(ids) == text
        assert dict(vocabulary.specials) == {"<|endoftext|>": 0, "<|fim_prefix|>": 1}
        assert vocabulary.eos_ids == (0,)

    def test_added_tokens_with_text_stay_tokens(self) -> None:
        vocabulary = Vocabulary.from_tokenizer_json(byte_level().to_str())
        [id] = vocabulary.encode(b"<tool>")
        assert vocabulary.tokens[id] == b"<tool>"
        named = Vocabulary.from_tokenizer_json(byte_level().to_str(), specials=["<tool>"])
        assert named.tokens[id] == b""
        assert named.specials["<tool>"] == id
        assert named.decode(named.encode(b"<tool>")) == b"<tool>"

    def test_control_tokens_are_special_though_the_file_denies_it(self) -> None:
        tokenizer = byte_level()
        tokenizer.add_tokens([AddedToken("<|im_end|>", special=False)])
        vocabulary = Vocabulary.from_tokenizer_json(tokenizer.to_str())
        id = tokenizer.token_to_id("<|im_end|>")
        assert vocabulary.specials["<|im_end|>"] == id
        assert id in vocabulary.eos_ids
        assert id not in vocabulary.encode(b"x<|im_end|>")

    def test_any_bytes_round_trip(self) -> None:
        vocabulary = Vocabulary.from_tokenizer_json(byte_level().to_str())
        rng = random.Random(2)
        for _ in range(200):
            text = random_bytes(rng, rng.randint(0, 12))
            assert vocabulary.decode(vocabulary.encode(text)) == text
        decomposed = "cafe\u0301".encode()
        assert vocabulary.decode(vocabulary.encode(decomposed)) == decomposed

    def test_sentence_piece(self) -> None:
        vocabulary = Vocabulary.from_tokenizer_json(sentence_piece())
        tokens = vocabulary.tokens
        assert tokens[3 + 0x41] == b"A"
        assert tokens[-1] == b" hell"
        assert tokens[:3] == (b"", b"", b"")
        assert vocabulary.eos_ids == (2,)
        assert vocabulary.text_start == b" "
        assert [tokens[id] for id in vocabulary.encode(b"hello hello")] == [
            *(b"he", b"ll", b"o"),
            *(b" hell", b"o"),
        ]
        assert vocabulary.decode(vocabulary.encode("</s>é\u2581 hell".encode())) == (
            "</s>é\u2581 hell".encode()
        )
        assert vocabulary.decode(vocabulary.encode(b"\xff<s>\xc3")) == b"\xff<s>\xc3"

    def test_metaspace_unigram_spells_specials_out(self) -> None:
        pieces = [("<unk>", 0.0), ("</s>", 0.0), ("▁", -2.0), ("a", -1.0), ("▁a", -1.5)]
        tokenizer = Tokenizer(models.Unigram([*pieces, *((c, -9.0) for c in "</s>")], 0, False))
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
        tokenizer.decoder = decoders.Metaspace()
        tokenizer.add_special_tokens(["<unk>", "</s>"])
        vocabulary = Vocabulary.from_tokenizer_json(tokenizer.to_str())
        assert vocabulary.text_start == b" "
        ids = vocabulary.encode(b"a a</s>")
        assert vocabulary.decode(ids) == b"a a</s>"
        assert 1 not in ids
        with pytest.raises(Unspellable):
            vocabulary.encode(b"b")

    def test_text_that_would_be_rewritten_is_spelled_instead(self) -> None:
        tokenizer = byte_level()
        tokenizer.normalizer = normalizers.Lowercase()
        vocabulary = Vocabulary.from_tokenizer_json(tokenizer.to_str())
        assert vocabulary.decode(vocabulary.encode(b"Hello THERE")) == b"Hello THERE"

    def test_word_piece_bytes(self) -> None:
        model = models.WordPiece({"[UNK]": 0, "un": 1, "##able": 2}, unk_token="[UNK]")
        vocabulary = Vocabulary.from_tokenizer_json(Tokenizer(model).to_str())
        assert vocabulary.tokens == (b"", b" un", b"able")

    def test_padding_names_and_paths(self, tmp_path: Path) -> None:
        path = tmp_path / "tokenizer.json"
        path.write_text(byte_level().to_str(), encoding="utf-8")
        vocabulary = Vocabulary.from_tokenizer_json(path, eos_ids=(1,), mask_id=0, size=1024)
        assert len(vocabulary) == 1024
        assert vocabulary.tokens[1023] == b""
        assert (vocabulary.eos_ids, vocabulary.mask_id) == ((1,), 0)
        assert Vocabulary.from_tokenizer_json(str(path)).tokens == vocabulary.tokens[:601]

    @pytest.mark.parametrize("text", ['{"model": 1}', "{]", '{"model": {"vocab": [1]}}'])
    def test_other_files_are_refused(self, text: str) -> None:
        with pytest.raises(UnsupportedTokenizer):
            Vocabulary.from_tokenizer_json(text)


def merged_naively(piece: bytes, ranks: dict[bytes, int]) -> list[int]:
    parts = [bytes([byte]) for byte in piece]
    while True:
        pairs = [(ranks.get(a + b, 1 << 30), at) for at, (a, b) in enumerate(pairwise(parts))]
        if not pairs or min(pairs)[0] == 1 << 30:
            return [ranks[part] for part in parts]
        at = min(pairs)[1]
        parts[at : at + 2] = [parts[at] + parts[at + 1]]


class TestTiktoken:
    def test_merges_like_the_definition(self) -> None:
        rng = random.Random(3)
        for _ in range(100):
            texts = dict.fromkeys(random_bytes(rng, rng.randint(2, 4)) for _ in range(30))
            ranks = {text: id for id, text in enumerate([*SINGLE_BYTES, *texts])}
            vocabulary = Vocabulary.from_tiktoken(ranks, r"\S+|\s+", {"<|e|>": 999}, eos_ids=(999,))
            piece = bytes(rng.choice(b"ab<|") for _ in range(rng.randint(1, 80)))
            whole = [ranks[piece]] if piece in ranks else merged_naively(piece, ranks)
            assert vocabulary.encode(piece) == whole

    def test_specials_are_text(self) -> None:
        ranks = {text: id for id, text in enumerate(SINGLE_BYTES)}
        vocabulary = Vocabulary.from_tiktoken(ranks, PATTERN, {"<|e|>": 256}, eos_ids=(256,))
        assert vocabulary.encode(b"<|e|>\xff") == list(b"<|e|>\xff")
        assert vocabulary.tokens[256] == b""

    def test_long_pieces_take_no_quadratic_time(self) -> None:
        ranks = {text: id for id, text in enumerate([*SINGLE_BYTES, b"aa", b"aaaa"])}
        vocabulary = Vocabulary.from_tiktoken(ranks, PATTERN, {})
        assert vocabulary.encode(b"a" * 100_001) == [257] * 25_000 + [ord("a")]


def stored(name: str) -> tuple[list[bytes], dict]:
    """A real vocabulary; skips the test where there is none."""
    with np.load(datasets.path(f"vocabularies/{name}.npz")) as file:
        data, offsets = file["data"].tobytes(), file["offsets"].tolist()
        meta = json.loads(file["meta"].tobytes())
    return [data[begin:end] for begin, end in pairwise(offsets)], meta


@pytest.mark.parametrize("name", ["cl100k_base", "tekken_131k"])
def test_real_byte_pair_vocabularies(name: str) -> None:
    tokens, meta = stored(name)
    ranks = {token: id for id, token in enumerate(tokens) if token}
    vocabulary = Vocabulary.from_tiktoken(ranks, meta["pat_str"], meta["special"], (meta["eos"],))
    ids = vocabulary.encode(PROSE.encode())
    assert vocabulary.decode(ids) == PROSE.encode()
    assert len(ids) < len(PROSE) / 2
    for id in range(1000, 3000):
        assert vocabulary.decode([id]) == tokens[id]
    trie = vocabulary.trie
    assert sorted(trie.token_ids.tolist()) == [
        id for id, token in enumerate(vocabulary.tokens) if token
    ]
    if name == "cl100k_base":
        assert vocabulary.encode(b"hello world") == [15339, 1917]


def test_real_sentence_piece_vocabulary() -> None:
    tokens, meta = stored("mistral_spm_32000")
    vocabulary = Vocabulary.from_tokens(tokens, (meta["eos"],), specials=meta["special"])
    text = PROSE.encode() + b"\xff\xfe"
    assert vocabulary.decode(vocabulary.encode(text)) == text
