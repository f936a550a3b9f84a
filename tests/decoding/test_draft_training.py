"""Draft heads as they are trained, against the ones that draft; graphs that show their states."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from lipogram.decoding import Job, Place, Sampling, Vocabulary  # noqa: E402
from lipogram.decoding.course import Free  # noqa: E402
from lipogram.decoding.drafting.heads import Heads, HeadWeights  # noqa: E402
from lipogram.decoding.models.base import Query  # noqa: E402
from lipogram.decoding.models.embedded import EmbeddedCausal, load  # noqa: E402
from lipogram.decoding.models.embedded.loading import folder_of  # noqa: E402
from lipogram.decoding.train import graphs  # noqa: E402
from lipogram.decoding.train.documents import Document  # noqa: E402
from lipogram.decoding.train.draft_data import batches  # noqa: E402
from lipogram.decoding.train.draft_heads import Batch, DraftHeads, Shape  # noqa: E402
from lipogram.decoding.train.draft_main import save  # noqa: E402

SIZE, WIDTH = 60, 16
VOCABULARY = Vocabulary.from_tokens([*(bytes([byte]) for byte in range(1, SIZE)), b""], (SIZE - 1,))


def network(seed: int = 1) -> DraftHeads:
    torch.manual_seed(seed)
    made = DraftHeads(Shape(SIZE, WIDTH, heads=2, inner=24), torch.randn(SIZE, WIDTH), seed)
    for parameter in made.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return made


class Known:
    """A model whose states are given."""

    def __init__(self, rows: np.ndarray) -> None:
        self.rows = rows

    def states(self, prefix: tuple[int, ...]) -> np.ndarray:
        return self.rows[: len(prefix)]


@pytest.mark.parametrize(("place", "lag"), [(1, 1), (7, 1), (7, 3), (20, 1), (20, 12)])
def test_what_drafts_is_what_was_trained(tmp_path: Path, place: int, lag: int) -> None:
    made, rng = network(), np.random.default_rng(place)
    tokens = rng.integers(0, SIZE, 30).tolist()
    states = rng.normal(size=(30, WIDTH)).astype(np.float32)
    batch = Batch(torch.tensor([tokens]), torch.from_numpy(states)[None], torch.ones(1, 30))
    with torch.no_grad():
        scores = made(batch, torch.tensor([[place]]), torch.tensor([[lag]]))[0, 0].numpy()
    save(made, tmp_path / "draft_heads.npz")
    known = place - lag + 1
    heads = Heads(Known(states[:known]), HeadWeights.read(tmp_path / "draft_heads.npz", SIZE))
    reading = heads.open(Job((), sampling=Sampling(temperature=0)), ())
    before, draft = tokens[: known + 1], tokens[known + 1 : place + 1]
    guess = asyncio.run(reading.propose(Place(before, draft, Free(VOCABULARY, False), 0.5), 4))[0]
    shares = np.exp(scores - scores.max())
    shares /= shares.sum()
    assert guess.confidence == pytest.approx(shares[guess.token], rel=0.1)  # int8
    assert shares[guess.token] > 0.9 * shares.max()


def test_heads_learn_what_the_model_says() -> None:
    """What follows is a function of the token before: after some steps heads know it better."""
    torch.set_num_threads(1)
    made = network()
    table = torch.nn.functional.rms_norm(made.target, (WIDTH,))

    def states(ids: list[int]) -> np.ndarray:
        return table[[(3 * id + 1) % SIZE for id in ids]].numpy()

    def documents() -> Iterator[Document]:
        rng = np.random.default_rng(1)
        while True:
            ids = rng.integers(0, SIZE, 40).tolist()
            yield Document(ids, [1.0] * 40)

    data = batches(documents(), states, 400, 40, 1)
    probed = [next(data) for _ in range(2)]
    before = made.agreement(probed, 1)
    [chosen] = made.optimizers()
    for _ in range(60):
        made.loss(next(data)).backward()
        chosen.step()
        chosen.zero_grad()
    assert made.agreement(probed, 1) > 0.15 > 3 * before


def test_a_graph_that_shows_its_states_scores_as_before(tmp_path: Path) -> None:
    folder = folder_of("embedded-2k")
    graph = graphs.show_states(onnx.load(folder / "model.onnx"))
    assert graphs.show_states(graph) is graph
    for name in ("config.json", "tokenizer.json"):
        shutil.copyfile(folder / name, tmp_path / name)
    onnx.save(graph, tmp_path / "model.onnx")
    tokens = tuple(range(20, 60))
    rows = []
    for model in (load(folder), load(tmp_path)):
        assert isinstance(model, EmbeddedCausal)
        rows.append(asyncio.run(model.logits([Query(tokens[:1], tokens[1:])]))[0])
    assert np.array_equal(*rows)
    shown = model.states(tokens)
    assert shown.shape[0] == len(tokens)
    again = shown @ graphs.output_matrix(graph).T
    assert np.abs(again - rows[0]).max() < 0.05 * rows[0].std()
