"""BERTScore against a slow one by the formulas: matching, weights, padding, several references, layers, windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.common.mt import bertscore as module
from backends.common.mt.bertscore import Encoder, bertscore, frequencies, match, open_encoder, usual_layer
from tests.backends.mt_neural_cases import document_frequencies, make_encoder, slow_bertscore
from tests.tiny import make_tiny_lm
from workbench.contract import MissingResource, UserError

HYPOTHESES = ["the cat sat on the mat", "a dog", "我们去北京", "the house reads books.", "x"]
REFERENCES = ["the cat sat on a mat", "the dogs sat on the hill, on the mat", "我们去南京", "the house", "x"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_encoder(tmp_path_factory.mktemp("encoders") / "bert")


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Encoder:
    return open_encoder(folder)


@pytest.mark.parametrize("family", ["bert", "roberta", "t5"])
@pytest.mark.parametrize("idf", [False, True])
def test_it_is_the_papers_score(family: str, idf: bool, tmp_path: Path) -> None:
    encoder = open_encoder(make_encoder(tmp_path / family, family))
    found = bertscore(encoder, {"a": HYPOTHESES}, [REFERENCES], idf).systems["a"]
    weights, unseen = document_frequencies(encoder, REFERENCES) if idf else (None, 1.0)
    expected = [slow_bertscore(encoder, *pair, weights, unseen)
                for pair in zip(HYPOTHESES, REFERENCES, strict=True)]
    assert found == pytest.approx(np.array(expected), abs=2e-3)
    assert len({round(float(value), 2) for value in found[:, 2]}) > 2, "the segments score differently"


def test_the_same_text_scores_100_and_another_less(encoder: Encoder) -> None:
    found = bertscore(encoder, {"same": REFERENCES, "other": HYPOTHESES}, [REFERENCES]).systems
    assert found["same"] == pytest.approx(np.full((5, 3), 100.0), abs=1e-3)
    assert (found["other"][:4, 2] < 99.9).all() and found["other"][4, 2] == pytest.approx(100, abs=1e-3)


def test_precision_and_recall_are_not_swapped(encoder: Encoder) -> None:
    """What is left out costs recall, what is made up costs precision."""
    short = bertscore(encoder, {"a": ["the cat"]}, [["the cat sat on the hill, a house"]]).systems["a"][0]
    long = bertscore(encoder, {"a": ["the cat sat on the hill, a house"]}, [["the cat"]]).systems["a"][0]
    assert short[0] == pytest.approx(long[1], abs=1e-3) and short[1] == pytest.approx(long[0], abs=1e-3)
    assert short[0] > short[1] and long[1] > long[0]


def test_of_several_references_the_best_counts(encoder: Encoder) -> None:
    worse = ["g"] * len(HYPOTHESES)
    one, two = (bertscore(encoder, {"a": HYPOTHESES}, [lines]).systems["a"] for lines in (REFERENCES, worse))
    both = bertscore(encoder, {"a": HYPOTHESES}, [worse, REFERENCES]).systems["a"]
    expected = [a if a[2] >= b[2] else b for a, b in zip(one, two, strict=True)]
    assert both == pytest.approx(np.array(expected), abs=1e-3)


@pytest.mark.parametrize(("hypothesis", "reference"), [("", "the cat"), ("the cat", ""), ("", ""), ("   ", "a")])
def test_an_empty_text_scores_0_and_disturbs_nobody(encoder: Encoder, hypothesis: str, reference: str) -> None:
    found = bertscore(encoder, {"a": [hypothesis, "a dog"]}, [[reference, "the dogs"]]).systems["a"]
    alone = bertscore(encoder, {"a": ["a dog"]}, [["the dogs"]]).systems["a"]
    assert found[0].tolist() == [0, 0, 0] and found[1] == pytest.approx(alone[0], abs=1e-3)


def test_padding_batches_and_parts_change_nothing(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    made = {"a": HYPOTHESES * 3, "b": REFERENCES * 3, "c": ["the " * (i + 1) for i in range(15)]}
    whole = bertscore(encoder, made, [REFERENCES * 3], idf=True)
    monkeypatch.setattr(module, "HELD", 20)
    monkeypatch.setattr(module, "PADDED", {"cpu": 16})
    told: list[tuple[int, int]] = []
    parts = bertscore(encoder, made, [REFERENCES * 3], True, lambda done, total: told.append((done, total)))
    for name in made:
        assert parts.systems[name] == pytest.approx(whole.systems[name], abs=2e-3)
    assert len(told) > 5 and told[0] == (0, 15) and all(total == 15 for _, total in told)


def test_padding_is_never_matched() -> None:
    """Vectors that point away from each other: a match with padding (0) would be the better one."""
    x = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1.0, 0.0]]), dim=-1)
    y = -x[:1]
    long = torch.nn.functional.normalize(torch.tensor([[0.0, 1.0]] * 5), dim=-1)
    ones = [np.ones(2), np.ones(5)]
    found = match([x, long], [y, long], ones, [np.ones(1), np.ones(5)])
    assert found[0, 0] == pytest.approx(float((x @ y.T).mean())) and found[0, 0] < -0.9
    assert found[1].tolist() == pytest.approx([1, 1, 1])


def test_weights_decide() -> None:
    vectors = torch.eye(3)
    score = match([vectors], [vectors[:1]], [np.array([1.0, 0.0, 0.0])], [np.ones(1)])
    assert score[0].tolist() == [1, 1, 1], "pieces without a match weigh nothing here"
    assert match([vectors], [vectors[:1]], [np.ones(3)], [np.ones(1)])[0, 0] == pytest.approx(1 / 3)
    assert match([vectors], [vectors[:1]], [np.zeros(3)], [np.ones(1)])[0].tolist() == [0, 0, 0]


def test_rare_pieces_count_more_and_a_piece_of_every_reference_nothing(encoder: Encoder) -> None:
    weigh = frequencies([encoder.pieces(text) for text in ("the cat", "the dog", "the house")])
    the, cat, hill = (encoder.pieces(word).ids[1] for word in ("the", "cat", "hill"))
    low, middle, high = weigh([the, cat, hill])
    assert low == 0 and 0 < middle < high and high == pytest.approx(np.log(4))
    nothing = bertscore(encoder, {"a": ["the cat"]}, [["the cat"]], idf=True).systems["a"]
    assert nothing[0].tolist() == [0, 0, 0], "of one reference every piece is in all of them"


@pytest.mark.parametrize(("architecture", "depth", "vocabulary", "layer"), [
    ("bert", 12, 28996, 9), ("bert", 12, module.CHINESE, 8), ("bert", 24, 28996, 18), ("roberta", 12, 50265, 10),
    ("roberta", 24, 50265, 17), ("xlm-roberta", 12, 250002, 9), ("xlm-roberta", 24, 250002, 17),
    ("distilbert", 6, 30522, 5), ("made up", 4, 10, 3), ("made up", 1, 10, 1)])
def test_the_usual_layer_is_the_authors(architecture: str, depth: int, vocabulary: int, layer: int) -> None:
    assert usual_layer(architecture, depth, vocabulary) == layer


def test_layers_differ_and_what_lies_above_is_not_needed(folder: Path) -> None:
    scores = []
    for layer in (1, 2, 3):
        encoder = open_encoder(folder, layer)
        assert encoder.layer == layer and encoder.depth == 3 and len(encoder.network.encoder.layer) == layer
        scores.append(bertscore(encoder, {"a": HYPOTHESES}, [REFERENCES]).systems["a"])
    assert abs(scores[0] - scores[1]).max() > 0.1 and abs(scores[1] - scores[2]).max() > 0.1
    from transformers import BertModel

    whole = BertModel.from_pretrained(folder).eval()
    ids = torch.tensor([open_encoder(folder).pieces("the cat sat").ids])
    with torch.inference_mode():
        expected = whole(input_ids=ids, output_hidden_states=True).hidden_states[2][0]
    unit = torch.nn.functional.normalize(expected, dim=-1)
    encoder = open_encoder(folder, 2)
    assert torch.allclose(encoder.vectors([encoder.pieces("the cat sat")])[0], unit, atol=1e-5)
    for wrong in (4, -1):
        with pytest.raises(UserError, match=rf"neural_layer is {wrong}; bert has layers 1 to 3"):
            open_encoder(folder, wrong)


def test_a_text_longer_than_the_window_is_cut_and_counted(encoder: Encoder) -> None:
    long = "the cat " * 40
    found = bertscore(encoder, {"a": [long, "a"]}, [["the cat", "a"]])
    assert encoder.window == 64 and len(encoder.pieces(long).ids) == 64
    assert (found.cut, found.texts) == (1, 3)
    exact = " ".join(["the"] * 62)
    assert not encoder.pieces(exact).cut and encoder.pieces(exact + " the").cut


def test_a_roberta_reads_two_positions_less_than_it_has(tmp_path: Path) -> None:
    encoder = open_encoder(make_encoder(tmp_path / "r", "roberta", positions=20))
    assert encoder.window == 20 and encoder.space
    assert encoder.vectors([encoder.pieces("the cat " * 30)])[0].shape[0] == 20, "no position beyond the table"


def test_a_model_that_sees_one_side_is_told_apart(tmp_path: Path, encoder: Encoder) -> None:
    causal = open_encoder(make_tiny_lm(tmp_path / "llama"))
    assert causal.one_sided and not encoder.one_sided
    found = bertscore(causal, {"a": ["the cat", ""]}, [["a cat", "x"]]).systems["a"]
    assert 0 < found[0, 2] < 100 and found[1].tolist() == [0, 0, 0], "a tokenizer without pieces of its own works too"


def test_what_is_no_encoder(tmp_path: Path) -> None:
    with pytest.raises(MissingResource, match=r"holds no model"):
        open_encoder(tmp_path)
    folder = make_encoder(tmp_path / "broken")
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(UserError, match="broken cannot be read"):
        open_encoder(folder)
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(UserError, match="cannot be read"):
        open_encoder(folder)


def test_a_tick_can_end_it(encoder: Encoder) -> None:
    def tick(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bertscore(encoder, {"a": ["x"]}, [["x"]], tick=tick)


TEXT = st.text(alphabet="abc the,我们 \t", max_size=12)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=5), st.booleans())
def test_for_any_text(encoder: Encoder, pairs: list, idf: bool) -> None:
    made, wanted = (list(side) for side in zip(*pairs, strict=True))
    found = bertscore(encoder, {"a": made, "b": wanted}, [wanted], idf).systems
    back = bertscore(encoder, {"a": wanted}, [made]).systems["a"]
    assert np.isfinite(found["a"]).all() and (found["a"] <= 100 + 1e-3).all()
    plain = bertscore(encoder, {"a": made}, [wanted]).systems["a"]
    assert plain[:, [1, 0, 2]] == pytest.approx(back, abs=2e-3), "turning the pair swaps precision and recall"
    assert (found["b"][:, 2] >= found["a"][:, 2] - 1e-3).all(), "nothing is nearer to a text than itself"
