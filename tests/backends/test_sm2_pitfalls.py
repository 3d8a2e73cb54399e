"""The seven pitfalls of the method, each where it would do harm, and with proof that it would show."""

from __future__ import annotations

import dataclasses
import json
import random
from collections import Counter
from itertools import pairwise

import pytest
import torch

from backends.sm2.data import Batch
from backends.sm2.decode import likeliest, translate, translate_plainly
from backends.sm2.latency import latency
from backends.sm2.logs import line_of, make_log, read_line
from backends.sm2.model import Sm2
from backends.sm2.objective import Objective, Weights, best_confidence, confidence_loss, floor, modified
from backends.sm2.order_language import SOV, SVO
from backends.sm2.policy import Policy, Trace, replayed
from backends.sm2.requests import TrainRequest
from backends.sm2.states import Session
from backends.sm2.storage import Translator, open_translator
from backends.sm2.train import Training
from backends.sm2.translate import PRACTICE
from tests.backends.sm2_cases import batch_of, small, some
from workbench.contract import UserError

KINDS = [{}, {"norm": "post", "activation": "swish", "output_bias": True}, {"causal_encoder": True}]


@pytest.fixture(scope="module")
def practice() -> Translator:
    return open_translator(PRACTICE)


def sources(count: int = 8, seed: int = 3) -> list[tuple[int, ...]]:
    return [one.pair.source for one in some(count, seed)]


# 1: a leak through the encoder


@pytest.mark.parametrize("fields", KINDS, ids=str)
def test_1_all_states_before_a_change_are_the_same_to_the_bit(fields: dict) -> None:
    model, source = small(**fields), list(sources(1)[0])
    for j in range(1, len(source)):
        changed = [*source[:j], *(7 + i for i in range(len(source) - j - 1)), 2]
        if changed == source:
            continue
        one, two = Session(model, source), Session(model, changed)
        for written in ((), (20, 21), (30,)):
            first, second = one.column(written), two.column(written)
            assert first.tokens[:j] == second.tokens[:j] and first.confidence[:j] == second.confidence[:j]


def test_1_a_session_that_encodes_the_whole_source_would_be_found_out() -> None:
    model, source = small(), list(sources(1)[0])
    changed = [*source[:4], *([9] * (len(source) - 5)), 2]
    found = []
    for ids in (source, changed):
        session = Session(model, ids)
        whole = torch.tensor([ids])
        session.encoded = model.encode(whole, torch.ones_like(whole, dtype=torch.bool)).expand(len(ids), -1, -1)
        session.cross = model.cross_keys(session.encoded)
        found.append(session.column(()).confidence[:4])
    assert found[0] != found[1]


@pytest.mark.parametrize("fields", KINDS, ids=str)
def test_1_the_loss_of_the_prefix_does_not_look_beyond_it(fields: dict) -> None:
    model, batch = small(**fields), batch_of()
    objective = Objective(model, "sm2")
    ids = batch.source.clone()
    ids[:, 3:] = torch.where(batch.there[:, 3:], torch.full_like(ids[:, 3:], 11), ids[:, 3:])
    changed = Batch(ids, batch.there, batch.inputs, batch.labels, batch.wanted)
    one, two = objective(batch, [3] * 6), objective(changed, [3] * 6)
    assert torch.equal(one[2], two[2]) and torch.equal(one[4], two[4]), "prefix loss and confidence"
    assert not torch.equal(one[1], two[1]), "the full pass sees the change"


def test_1_neighbours_in_a_batch_do_not_matter() -> None:
    """A short sentence beside long ones is padded; its translation is the one it has alone."""
    model, policy = small(), Policy("sm2", threshold=0.5)
    short, long = min(sources(30), key=len), max(sources(30), key=len)
    (alone,) = translate(model, [short], policy)
    beside = translate(model, [short, long, long], policy)[0]
    assert (beside.tokens, beside.actions) == (alone.tokens, alone.actions)


# 2: mixing with the label instead of the full pass


def learned(prefix: list[float], full: list[float], alpha: float) -> float:
    """The confidence at which the loss of the gold token (the first) is least."""
    z = torch.zeros(1, 1, dtype=torch.float64, requires_grad=True)
    logs = [torch.tensor([[p]], dtype=torch.float64).log() for p in (prefix, full)]
    optimizer = torch.optim.LBFGS([z], max_iter=300, tolerance_grad=1e-12, tolerance_change=1e-15)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        there = torch.ones(1, 1, dtype=torch.bool)
        loss = -modified(*logs, z)[0, 0, 0] + alpha * confidence_loss(z, there)
        loss.backward()
        return loss

    optimizer.step(closure)
    return float(z.detach().sigmoid())


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.4])
@pytest.mark.parametrize(("p", "q"), [(0.01, 0.9), (0.2, 0.5), (0.3, 0.99), (0.5, 0.6)])
def test_2_the_confidence_is_held_against_the_full_pass(p: float, q: float, alpha: float) -> None:
    found = learned([p, 1 - p], [q, 1 - q], alpha)
    assert found == pytest.approx(best_confidence(p, q, alpha), abs=1e-3) and found >= floor(alpha) - 1e-3
    one_hot = learned([p, 1 - p], [1 - 1e-12, 1e-12], alpha)
    assert one_hot < found + 1e-6
    if p > 0.1 and q < 0.95 and found < 0.999:
        assert found - one_hot > 1e-3, "the label in place of the full pass asks for more doubt"


def test_2_the_objective_mixes_what_the_full_pass_says() -> None:
    """With a full pass that is wrong, mixing helps nothing; with the label it always would."""
    model, batch = small(), batch_of()
    with torch.no_grad():
        model.confidence.weight.zero_()
        model.confidence.bias.fill_(-30.0)  # c = 0: the mixture is the full pass alone
    found = Objective(model, "sm2", Weights(smoothing=0.0))(batch, [2] * 6).detach()
    assert torch.allclose(found[3], found[1], rtol=1e-5) and float(found[3]) > 1.0


# 3: pads in the loss, and the logarithm of 0


@pytest.mark.parametrize("bias", [-1e4, -90.0, 90.0, 1e4])
@pytest.mark.parametrize("detach", [True, False])
def test_3_a_confidence_of_0_or_1_has_finite_loss_and_gradients(bias: float, detach: bool) -> None:
    model = small()
    with torch.no_grad():
        model.confidence.weight.zero_()
        model.confidence.bias.fill_(bias)
    loss = Objective(model, "sm2", Weights(detach_omt=detach))(batch_of(), [3] * 6)[0]
    loss.backward()
    assert torch.isfinite(loss) and all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_3_padding_changes_no_gradient() -> None:
    grads = []
    for wider in (0, 11):
        model = small()
        Objective(model, "sm2")(batch_of(wider=wider), [2, 3, 4, 5, 6, 7])[0].backward()
        grads.append([p.grad.clone() for p in model.parameters()])
    assert all(torch.allclose(a, b, atol=2e-4, rtol=1e-3) for a, b in zip(*grads, strict=True))


def test_3_counting_pads_would_be_found_out() -> None:
    """The authors' sum over all positions differs as soon as one sentence is shorter."""
    model, batch = small(), batch_of(wider=5)
    source, there = batch.source, batch.there
    z = model.decode(batch.inputs, model.encode(source, there), there).confidence.detach()
    masked, all_of_them = (float(confidence_loss(z, m)) for m in (batch.wanted, torch.ones_like(batch.wanted)))
    assert all_of_them > masked + 1


# 4: average lagging


@pytest.mark.parametrize("k", [1, 3, 5])
def test_4_wait_k_lags_by_k_when_both_sides_are_as_long(practice: Translator, k: int) -> None:
    """The order word has no translation, so without it and with both end tokens the sides are as long."""
    model = practice.model
    for source in sources(6, 5):
        trace = translate(model, [source], Policy("wait-k", k=k))[0]
        assert list(trace.delays) == [min(k + i, len(source)) for i in range(len(trace.delays))]
        found = latency(trace.delays, len(source), len(trace.tokens))
        rate = len(trace.tokens) / len(source)
        steps = min(len(trace.delays), len(source) - k + 1)
        expected = sum(k + i - i / rate for i in range(steps)) / steps
        assert found.al == pytest.approx(expected)
        if len(trace.tokens) == len(source):
            assert found.al == pytest.approx(k)
        assert found.dal >= found.al - 1e-9


def test_4_the_full_sentence_lags_by_its_length(practice: Translator) -> None:
    for source in sources(6, 5):
        trace = translate(practice.model, [source], Policy("full"))[0]
        found = latency(trace.delays, len(source), 3)
        assert found.al == found.laal == found.cw == len(source) and found.ap == 1 and found.dal >= found.al - 1e-9


def test_4_waiting_longer_is_never_earlier(practice: Translator) -> None:
    lags = []
    for k in range(1, 12, 2):
        traces = translate(practice.model, sources(6, 5), Policy("wait-k", k=k))
        lags.append(sum(latency(t.delays, t.size, len(t.tokens)).ap for t in traces))
    assert lags == sorted(lags)


# 5: reads that are made up


def log_line(translator: Translator, source: tuple[int, ...], policy: Policy) -> str:
    trace = translate(translator.model, [source], policy)[0]
    text = translator.vocabulary.decode(source)
    return line_of(make_log(0, trace, source, text, "", translator.vocabulary, 2))


def retold(translator: Translator, line: dict) -> list[str]:
    """What the model writes when it is given just the prefixes that the log says, and nothing else."""
    model, vocabulary = translator.model, translator.vocabulary
    source = [*vocabulary.encode(line["source"])]
    tokens = [model.shape.begin]
    for read in line["token_delays"]:
        ids = torch.tensor([source[:read]])
        there = torch.ones_like(ids, dtype=torch.bool)
        logits = model.decode(torch.tensor([tokens]), model.encode(ids, there), there).logits[:, -1].detach()
        tokens.append(int(likeliest(logits, model.shape, [False])[0]))
    return vocabulary.pieces(tokens[1:])


@pytest.mark.parametrize("policy", [Policy("sm2", threshold=0.5), Policy("wait-k", k=2), Policy("full")], ids=str)
def test_5_the_log_alone_leads_to_the_same_words(practice: Translator, policy: Policy) -> None:
    for source in sources(5, 8):
        line = read_line(log_line(practice, source, policy), "log")
        assert retold(practice, line) == line["target_pieces"]


def test_5_made_up_reads_do_not_lead_to_the_same_words(practice: Translator) -> None:
    source = next(s for s in sources(20, 8) if s[0] == SOV)
    line = read_line(log_line(practice, source, Policy("sm2", threshold=0.5)), "log")
    faked = {**line, "token_delays": [min(2 + i, len(source)) for i in range(len(line["token_delays"]))]}
    assert retold(practice, faked) != line["target_pieces"], "the verb cannot be known so early"
    with pytest.raises(UserError, match="do not lead to the token delays"):
        read_line(json.dumps(faked), "log")


def test_5_the_order_decides_when_the_verb_is_written(practice: Translator) -> None:
    model = practice.model
    for source in sources(5, 9):
        trace = translate(model, [source], Policy("sm2", threshold=0.5))[0]
        verb = source.index(max(s for s in source if s < 45)) + 1
        place = next(i for i, token in enumerate(trace.tokens) if token >= 73)
        assert trace.delays[place] >= verb if source[0] == SOV else trace.delays[place] < len(source) - 1
        assert source[0] in (SOV, SVO)


# 6: keys and values that are out of date


class Stale(Policy):
    """A policy that keeps states over a READ with an encoder that looks both ways: the mistake itself."""

    @property
    def again(self) -> bool:
        return False


def test_6_states_that_are_out_of_date_would_be_found_out() -> None:
    model = small()
    right = translate(model, sources(3), Policy("wait-k", k=1))
    wrong = translate(model, sources(3), Stale("wait-k", k=1))
    plain = [translate_plainly(model, source, Policy("wait-k", k=1)) for source in sources(3)]
    assert [one.tokens for one in right] == [one.tokens for one in plain] != [one.tokens for one in wrong]


def uneven() -> list[tuple[int, ...]]:
    """Sentences of very different lengths, so that rows end at different times and make room."""
    generator = random.Random(4)
    return [(*(generator.randint(5, 60) for _ in range(size)), 2) for size in (1, 1, 2, 3, 5, 8, 13, 13)]


@pytest.mark.parametrize("rows", [2, 5, 64])
@pytest.mark.parametrize(
    "policy",
    [
        Policy("sm2", threshold=0.4, extra=1),
        Policy("sm2", threshold=0.9, ratio=0.2, extra=3, forbid_early_end=True),
        Policy("wait-k", k=2, ratio=1.0, extra=0),
        Policy("full", ratio=0.5, extra=1),
    ],
    ids=lambda p: p.label,
)
def test_6_rows_that_end_early_disturb_nobody(rows: int, policy: Policy) -> None:
    model = small()
    for one, source in zip(translate(model, uneven(), policy, rows), uneven(), strict=True):
        two = translate_plainly(model, source, policy)
        assert (one.tokens, one.actions, one.size) == (two.tokens, two.actions, two.size)
        assert [c for c in one.confidence if c] == pytest.approx([c for c in two.confidence if c], abs=1e-4)


@pytest.mark.parametrize("rows", [3, 64])
def test_6_paths_of_uneven_sentences(rows: int) -> None:
    model, policy = small(causal_encoder=True), Policy("multipath", k=3, extra=2)
    for one, source in zip(translate(model, uneven(), policy, rows), uneven(), strict=True):
        two = translate_plainly(model, source, policy)
        assert (one.tokens, one.actions) == (two.tokens, two.actions)


def test_6_a_translation_of_no_token_at_all() -> None:
    traces = translate(small(), sources(3), Policy("wait-k", k=1, ratio=0.01, extra=1))
    assert [len(trace.tokens) for trace in traces] == [1, 1, 1]


def test_6_the_prefill_of_one_position_is_the_state_of_that_position() -> None:
    """The last layer works at one position only; that must be the position that was asked for."""
    for fields in KINDS:
        model, batch = small(**fields), batch_of()
        encoded = model.encode(batch.source, batch.there)
        whole = model.decode(batch.inputs, encoded, batch.there)
        rows = torch.arange(6)
        for at in ([0] * 6, [0, 1, 2, 3, 4, 5], [batch.inputs.shape[1] - 1] * 6):
            states, cache = model.prefill(batch.inputs, encoded, batch.there, torch.tensor(at))
            assert torch.allclose(states.logits[:, 0], whole.logits[rows, at], atol=1e-5)
            assert torch.allclose(states.confidence[:, 0], whole.confidence[rows, at], atol=1e-5)
            assert cache.own[-1][0].shape[2] == batch.inputs.shape[1], "keys are there for every position"


def prefixes(count: int) -> list[tuple[int, ...]]:
    """Target prefixes that share beginnings, grow, shrink and change, in any order."""
    generator = random.Random(6)
    found: list[tuple[int, ...]] = [()]
    for _ in range(count):
        base = generator.choice(found)
        base = base[: generator.randint(0, len(base))]
        found.append((*base, *(generator.randint(5, 60) for _ in range(generator.randint(1, 9)))))
    generator.shuffle(found)
    return found


@pytest.mark.parametrize("fields", KINDS, ids=str)
def test_6_a_session_that_goes_back_and_on_has_the_states_from_scratch(fields: dict) -> None:
    model, source = small(**fields), sources(1)[0]
    session = Session(model, source)
    for written in prefixes(25):
        column = session.column(written)
        for j in (1, len(source) // 2, len(source)):
            ids = torch.tensor([source[:j]])
            there = torch.ones_like(ids, dtype=torch.bool)
            states = model.decode(torch.tensor([[1, *written]]), model.encode(ids, there), there)
            assert column.confidence[j - 1] == pytest.approx(
                float(states.confidence[0, -1].detach().sigmoid()), abs=1e-5
            )
            assert column.tokens[j - 1] == int(likeliest(states.logits[:, -1].detach(), model.shape, [False])[0])


def test_6_a_session_computes_new_positions_only(monkeypatch: pytest.MonkeyPatch) -> None:
    places, real = [], Sm2.step

    def step(self, token, place, cache):
        places.append(int(place[0]))
        return real(self, token, place, cache)

    monkeypatch.setattr(Sm2, "step", step)
    session = Session(small(), sources(1)[0])
    for written in ((), (9,), (9, 8), (9, 8, 7), (9, 8), (9, 5), (9, 8, 7, 6)):
        session.column(written)
    assert places == [0, 1, 2, 3, 2, 2, 3, 4], "a known one costs nothing, a turn is taken up where it parts"


def test_6_a_grid_of_known_states_is_the_grid_from_scratch() -> None:
    model, source = small(), sources(1)[0]
    session = Session(model, source)
    tokens = session.trace(Policy("sm2", threshold=0.6)).tokens
    scratch = Session(model, source).grid(tokens)
    assert [pytest.approx(row, abs=1e-5) for row in scratch] == session.grid(tokens)


# 7: prefix lengths


class Sampler(Training):
    """Only what chooses prefix lengths."""

    def __init__(self, **fields) -> None:
        self.request = TrainRequest(**fields)
        self.context = self

    @staticmethod
    def generator(seed: int) -> random.Random:
        return random.Random(seed)


def test_7_every_step_draws_anew_and_evenly() -> None:
    sampler, lengths = Sampler(prefix="batch"), [6, 8, 12]
    drawn = [sampler.prefix(lengths, step) for step in range(3000)]
    counts = Counter(row[0] for row in drawn)
    assert all(len(set(row)) == 1 for row in drawn) and set(counts) == set(range(1, 7))
    chi = sum((n - 500) ** 2 / 500 for n in counts.values())
    assert chi < 20.5, "5 degrees of freedom, p = 0.001"
    repeats = sum(one == two for one, two in pairwise(drawn))
    assert 350 < repeats < 650, "neighbouring steps are independent: a sixth agrees"


def test_7_each_sentence_of_its_own_draws_evenly_up_to_its_length() -> None:
    sampler = Sampler(prefix="sentence")
    drawn = [sampler.prefix([4, 10], step) for step in range(4000)]
    for column, length in ((0, 4), (1, 10)):
        counts = Counter(row[column] for row in drawn)
        share = 4000 / length
        assert set(counts) == set(range(1, length + 1))
        assert sum((n - share) ** 2 / share for n in counts.values()) < 28


def test_7_a_step_draws_the_same_after_it_was_cut_off() -> None:
    one, two, other = Sampler(seed=3), Sampler(seed=3), Sampler(seed=4)
    lengths = [9] * 12
    assert [one.prefix(lengths, s) for s in range(20)] == [two.prefix(lengths, s) for s in range(20)]
    assert [one.prefix(lengths, s) for s in range(20)] != [other.prefix(lengths, s) for s in range(20)]


def test_7_paths_draw_one_k_up_to_the_longest() -> None:
    sampler = Sampler(objective="multipath", encoder="causal")
    drawn = [sampler.prefix([3, 9], step) for step in range(2000)]
    assert all(len(set(row)) == 1 for row in drawn) and {row[0] for row in drawn} == set(range(1, 10))


# What the padding id must never be


def test_the_padding_is_never_written() -> None:
    """fairseq never selects it; Marian's checkpoints give it weight, and it is their begin token too."""
    model = small(output_bias=True, pad=60, begin=60)
    with torch.no_grad():
        model.output_bias[60] = 1e4
    for policy in (Policy("full"), Policy("wait-k", k=1), Policy("sm2", threshold=0.4, forbid_early_end=True)):
        traces = [*translate(model, sources(3), policy), translate_plainly(model, sources(1)[0], policy)]
        traces.append(Session(model, sources(1)[0]).trace(policy))
        assert all(60 not in trace.tokens for trace in traces)


def test_the_likeliest_word_of_each_row() -> None:
    shape = dataclasses.replace(small().shape, vocabulary=5, pad=0, end=2)
    logits = torch.tensor([[9.0, 1, 5, 4, 2], [9.0, 1, 5, 4, 2], [0.0, 3, 1, 1, 1]])
    assert likeliest(logits.clone(), shape, [False, True, False]).tolist() == [2, 3, 1]


def test_a_trace_keeps_the_confidence_of_what_was_written() -> None:
    trace = Trace((5, 2), (1, 3), "RWRRW", (None, 0.75, 0.1, 0.2, 0.5), 3)
    assert trace.written == (0.75, 0.5) and replayed(trace.actions) == [1, 3]


def test_the_practice_model_is_the_model_of_the_tests(practice: Translator) -> None:
    assert isinstance(practice.model, Sm2) and practice.ready and practice.alpha == 0.1
