"""The conditioning experiment: the split, the bigram by hand, the arms, the claims; found only where planted."""

from __future__ import annotations

import dataclasses
import itertools
import math
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from backends.common.loading import open_weights
from backends.common.training.examples import CONTEXT, GIVEN, TEXT, pack
from backends.common.training.plan import Plan
from backends.sweetiechat import conditioning_models, conditioning_ngram, conditioning_small
from backends.sweetiechat.conditioning_claims import claims, conditions
from backends.sweetiechat.conditioning_data import (
    NEUTRAL,
    apart_from,
    letters,
    load_corpus,
    neutral,
    planted,
    usable,
)
from backends.sweetiechat.conditioning_models import Arm, beginnings, none_losses, strategy_losses
from backends.sweetiechat.conditioning_ngram import END, START, Bigram, Smoothing, choose, wrong_strategy
from backends.sweetiechat.conditioning_small import Size, make_model, tokenizer_for, whole
from backends.sweetiechat.reproduce_conditioning import Scale, conditioning, lora_arm, on_planted
from backends.sweetiechat.reproduce_counselor import counselor, own_labels
from backends.sweetiechat.train_text import lines_of, replies_of
from tests.backends.training_cases import tokenizer_of
from workbench.settings import Settings


def talks(count: int = 12, seed: int = 1, strength: float = 0.5):
    return planted(random.Random(seed), count, strength)


def test_planted_dialogues_are_what_they_say() -> None:
    strong = talks(40, strength=1.0)
    for dialogue in strong:
        for turn in dialogue.said_by("supporter"):
            own = (turn.strategy or "").replace("-", "")
            assert all(word.rstrip("0123456789") == own for word in turn.text.split())
    assert talks(3) == talks(3) != talks(3, seed=2)
    weak = [w for d in talks(40, strength=0.0) for t in d.said_by("supporter") for w in t.text.split()]
    assert sum(w.startswith("word") for w in weak) / len(weak) == pytest.approx(60 / 140, abs=0.05)


def test_the_neutral_arm_has_the_same_words_and_one_mark() -> None:
    (dialogue,) = talks(1)
    blank = neutral(dialogue)
    assert [t.text for t in blank.turns] == [t.text for t in dialogue.turns]
    assert {r.head for r in replies_of(blank, "given")} == {"[Reply]"}
    assert blank.strategy_set is NEUTRAL and len(replies_of(blank, "given")) == len(replies_of(dialogue, "given"))
    missing = dataclasses.replace(dialogue, turns=tuple(dataclasses.replace(t, strategy=None) for t in dialogue.turns))
    assert replies_of(neutral(missing), "given") == []


def test_a_test_dialogue_in_another_spelling_is_not_trained_on() -> None:
    test = talks(4, seed=1)
    shouted = tuple(dataclasses.replace(t, text=t.text.upper() + " !") for t in test[0].turns)
    copy = dataclasses.replace(test[0], id="copy", turns=shouted, scenario=dataclasses.replace(
        test[0].scenario, id="else", situation="A situation that is told in quite other words here."))
    half = dataclasses.replace(copy, id="half", turns=(*talks(1, seed=9)[0].turns[:6], *test[1].turns[6:]))
    fresh = tuple(dataclasses.replace(d, id=f"f{n}", scenario=dataclasses.replace(
        d.scenario, id=f"fresh-{n}", situation=f"Fresh situation number {n}, unlike any other one."))
        for n, d in enumerate(talks(3, seed=5)))
    kept = apart_from([copy, half, *fresh, fresh[0]], test)
    assert kept == fresh, "copies, half copies and repeated dialogues are left out"
    assert letters("It's  ME!") == "itsme"


def test_only_dialogues_with_something_to_learn_are_used() -> None:
    (dialogue,) = talks(1)
    short = dataclasses.replace(dialogue, turns=dialogue.turns[:3])
    bare = dataclasses.replace(dialogue, turns=tuple(dataclasses.replace(t, strategy=None) for t in dialogue.turns))
    assert usable([dialogue, short, bare]) == (dialogue,)


def test_the_bigram_by_hand() -> None:
    (base,) = talks(1)
    turns = [dataclasses.replace(base.turns[1], idx=n, text=text, strategy=key)
             for n, (text, key) in enumerate((("a b", "question"), ("a a b", "others")))]
    seeker = dataclasses.replace(base.turns[0], text="x")
    dialogue = dataclasses.replace(base, turns=(seeker, turns[0], seeker, turns[1]))
    model = Bigram.of([dialogue])
    s = Smoothing(a=10.0, b=4.0, c=5.0)
    assert model.vocabulary == {"a", "b"} and model.before[START] == 2 and model.one[END] == 2
    base_p = {w: (c + 1) / (7 + 4) for w, c in {"a": 3, "b": 2, END: 2}.items()}
    path = [(START, "a", 2, 2), ("a", "b", 2, 3), ("b", END, 2, 2)]
    plain = sum(-math.log((pair + 4.0 * base_p[w]) / (before + 4.0)) for _, w, pair, before in path)
    assert model.nll(["a", "b"], "", s) == pytest.approx(plain)
    informed = 0.0
    for _last, word, pair, before in path:
        back = (1 + 10.0 * base_p[word]) / (3 + 10.0)
        chance = (pair + 4.0 * back) / (before + 4.0)
        informed -= math.log((1 + 5.0 * chance) / (1 + 5.0))
    assert model.nll(["a", "b"], "question", s) == pytest.approx(informed)


def test_the_bigram_is_a_probability() -> None:
    model = Bigram.of(talks(10))
    everything = [*model.vocabulary, "never-seen"]
    for strategy in ("", "question"):
        first = sum(math.exp(-_first(model, word, strategy)) for word in everything)
        assert first == pytest.approx(1 - math.exp(-_first(model, None, strategy)), abs=1e-9)


def _first(model: Bigram, word: str | None, strategy: str) -> float:
    """-log p of the first word (None: the end) under the default smoothing."""
    whole_ = model.nll([word] if word else [], strategy, Smoothing())
    if word is None:
        return whole_
    known = word if word in model.vocabulary else "<rare>"
    s = Smoothing()
    total, size = model.one.total(), len(model.vocabulary) + 2
    base = (model.one[END] + 1) / (total + size)
    if strategy:
        base = (model.by[strategy, END] + s.a * base) / (model.strategies[strategy] + s.a)
    chance = (model.pair[known, END] + s.b * base) / (model.before[known] + s.b)
    if strategy:
        chance = (model.triple[strategy, known, END] + s.c * chance) / (model.start[strategy, known] + s.c)
    return whole_ + math.log(chance)


def test_smoothing_is_chosen_without_the_test_dialogues_and_uses_what_helps() -> None:
    strong, weak = choose(talks(60, strength=0.9)), choose(talks(60, strength=0.0))
    assert (strong.a, strong.c) <= (weak.a, weak.c), "where strategies tell nothing, trust the back-off"
    assert strong != weak
    assert choose(talks(60)) == choose(talks(60))


def test_a_wrong_strategy_is_another_one_as_often_as_it_occurs() -> None:
    counts = Counter({"a": 60, "b": 30, "c": 10})
    generator = random.Random(0)
    drawn = Counter(wrong_strategy("a", counts, generator) for _ in range(2000))
    assert set(drawn) == {"b", "c"} and drawn["b"] / 2000 == pytest.approx(0.75, abs=0.04)


def test_the_effect_is_found_where_it_is_planted_and_only_there() -> None:
    found = on_planted(0)
    assert len(found) == 4 and all(claim.holds for claim in found)
    assert all(claim.interval is not None and claim.interval[0] > 0 for claim in found[:3])
    nothing = conditioning_ngram.run(talks(80, 3, 0.0), talks(40, 4, 0.0), 0)
    assert not claims(nothing, 0)[0].holds


def test_claims_state_perplexities_and_fail_where_they_should() -> None:
    rows = [(100.0 + n, 110.0 + n, 130.0 + n, 50.0) for n in range(20)]
    good = conditions("learner", [*rows, (0.0, 0.0, 0.0, 0.0)], 3.0)
    assert len(good.tokens) == 20, "a dialogue without a reply is left out"
    made = claims(good, 0)
    assert [c.holds for c in made] == [True] * 3
    assert [c.value for c in made] == pytest.approx([0.2, 0.6, 0.4])
    assert f"{good.perplexity('oracle'):.3f} < none {good.perplexity('none'):.3f}" in made[0].what
    assert good.perplexity("oracle") == pytest.approx(math.exp(sum(100 + n for n in range(20)) / 1000))
    noisy = [(100.0 + (-1) ** n * 30, 100.0 - (-1) ** n * 30, 100.0, 50.0) for n in range(20)]
    assert not claims(conditions("l", noisy), 0)[0].holds
    turned = conditions("l", [(b, a, c, t) for a, b, c, t in rows])
    assert not claims(turned, 0)[0].holds and claims(turned, 0)[0].value < 0
    alone = claims(conditions("l", rows[:1]), 0)[0]
    assert alone.interval is None and not alone.holds


ARM = Arm("tiny", "full", 700, Plan(epochs=3.0, batch=4, learning_rate=3e-3, loss_per="token", clip=1.0, seed=1))


def test_both_arms_predict_the_same_tokens(tiny_lm: Path) -> None:
    tokenizer = tokenizer_of(tiny_lm)
    dialogues = talks(3)
    for dialogue in dialogues:
        ((seeing,), (blind,)) = (beginnings(tokenizer, [d], 2000) for d in (dialogue, neutral(dialogue)))
        learned = [[i for i, k in zip(e.ids, e.kinds, strict=True) if k not in (CONTEXT, GIVEN)]
                   for e in (seeing, blind)]
        assert learned[0] == learned[1] and GIVEN in seeing.kinds
    short = beginnings(tokenizer, dialogues, 700)
    assert all(e.cut == 0 and len(e.ids) <= 700 and 0 < e.replies < 6 for e in short)


def test_losses_of_the_conditions_equal_one_pass_each(tiny_lm: Path, tmp_path: Path) -> None:
    import torch

    from backends.common.training.weights import open_trainee

    trainee = open_trainee(tiny_lm, "full", seed=1)
    trainee.model.eval()
    (dialogue,) = talks(1)
    oracle, wrong = strategy_losses(trainee, dialogue, ARM, Counter({"question": 1, "others": 1}), random.Random(0))
    alone = none_losses(trainee, dialogue, ARM)
    (example,) = beginnings(trainee.tokenizer, [dialogue], 700)
    assert len(oracle) == len(wrong) == example.replies <= len(alone)
    with torch.no_grad():
        scores = trainee.model(input_ids=torch.tensor([example.ids])).logits[0].log_softmax(-1)
    total = -sum(float(scores[n - 1, example.ids[n]]) for n, k in enumerate(example.kinds) if k not in (CONTEXT, GIVEN))
    assert sum(loss for loss, _ in oracle) == pytest.approx(total, rel=1e-4)
    assert [size for _, size in oracle] == [size for _, size in wrong] == [size for _, size in alone][:len(oracle)]
    assert all(a != b for (a, _), (b, _) in zip(oracle, wrong, strict=True)), "another strategy gives another loss"


def test_the_arms_run_from_start_to_claims_and_repeat(tiny_lm: Path, tmp_path: Path) -> None:
    train, test, said = talks(8), talks(3, seed=2), []
    arm = dataclasses.replace(ARM, plan=dataclasses.replace(ARM.plan, epochs=1.0))
    found = conditioning_models.run(tiny_lm, arm, train, [], test, tmp_path / "a", 0, said.append)
    assert len(found.tokens) == 3 and found.learner == "tiny" and any("loss" in line for line in said)
    again = conditioning_models.run(tiny_lm, arm, train, [], test, tmp_path / "b", 0, lambda line: None)
    assert np.array_equal(found.oracle, again.oracle) and np.array_equal(found.wrong, again.wrong)
    assert np.array_equal(found.none, again.none) and not np.array_equal(found.none, found.oracle)
    said.clear()
    resumed = conditioning_models.run(tiny_lm, arm, train, [], test, tmp_path / "a", 0, said.append)
    assert np.array_equal(resumed.oracle, found.oracle)
    assert not any("loss" in line for line in said), "finished arms are not trained again"


def test_the_small_model_reads_strategies_as_one_token_and_everything_else_exactly(tmp_path: Path) -> None:
    dialogues = talks(4)
    tokenizer = tokenizer_for(dialogues, Size(vocabulary=500))
    for dialogue in dialogues:
        (example,) = pack(tokenizer, "d", replies_of(dialogue, "given"), 4000)
        assert sum(k == GIVEN for k in example.kinds) == example.replies, "one token a strategy"
        assert tokenizer.decode(example.ids).count("<|reply|>") == example.replies
    assert len(tokenizer) <= 520
    folder = make_model(tmp_path / "m", tokenizer, Size(width=32, layers=1, vocabulary=500), 3)
    same = make_model(tmp_path / "n", tokenizer, Size(width=32, layers=1, vocabulary=500), 3)
    one, two = (dict(open_weights(p, "float32", "cpu").named_parameters()) for p in (folder, same))
    assert all((one[n] == two[n]).all() for n in one)
    assert make_model(folder, tokenizer, Size(width=64), 9) == folder, "what is there is taken up"


def test_pre_training_learns_both_speakers_and_never_a_strategy(tmp_path: Path) -> None:
    tokenizer = tokenizer_for(talks(3), Size(vocabulary=500))
    for example in whole(tokenizer, talks(3), 4000):
        assert example.kinds[0] == CONTEXT and set(example.kinds[1:]) == {TEXT}
        assert "[Question]" not in tokenizer.decode(example.ids) and "[Reply]" in tokenizer.decode(example.ids)


def test_the_small_experiment_runs_from_text_to_claims(tmp_path: Path) -> None:
    size = Size(width=32, layers=1, vocabulary=400, length=600, read_epochs=1.0, arm_epochs=1.0)
    said = []
    found = conditioning_small.run(talks(10), talks(4, 7), talks(4, 8), tmp_path / "s", 0, size, said.append)
    assert len(found.tokens) == 4 and found.tokens.min() > 20
    assert any("pre-training" in line for line in said)
    assert (tmp_path / "s" / "read" / "config.json").is_file()
    assert "1 layers, width 32" in found.learner


def test_the_reproduction_without_data_says_that_it_is_synthetic(tmp_path: Path) -> None:
    found = conditioning(Settings(home=tmp_path), True, tmp_path / "absent")
    assert found.holds and all("synthetic" in c.what for c in found.claims)
    assert counselor(Settings(home=tmp_path), True, tmp_path / "absent").holds
    assert load_corpus(tmp_path / "absent") is None


def test_the_scale_reaches_the_plan() -> None:
    arm = lora_arm(Scale(seed=4, epochs=2.0, rate=1e-3, length=99, precision="float32"))
    assert (arm.plan.seed, arm.plan.epochs, arm.plan.learning_rate, arm.length, arm.precision, arm.plan.precision) == (
        4, 2.0, 1e-3, 99, "float32", "float32")


def test_the_whole_reproduction_with_tiny_models(tiny_lm: Path, tmp_path: Path, monkeypatch) -> None:
    from backends.sweetiechat import reproduce_conditioning as rc
    from backends.sweetiechat.conditioning_data import Corpus

    monkeypatch.setattr(rc, "load_corpus", lambda folder: Corpus(talks(8), talks(4, 2), talks(2, 3), False, "planted"))
    scale = Scale(small=Size(width=32, layers=1, vocabulary=400, length=400, read_epochs=0.5, arm_epochs=0.5), train=4,
                  test=2, length=600, epochs=0.5, precision="float32")
    settings = Settings(home=tmp_path, default_model=f"path:{tiny_lm}")
    found = rc.conditioning(settings, False, tmp_path, scale, lambda line: None)
    assert len(found.claims) == 9
    assert [c.what.split(":")[0] for c in found.claims[::3]] == [
        "word bigram with strategy back-off", "Transformer from scratch (1 layers, width 32)",
        "LoRA on the default language model"]


def test_the_real_split_shares_nothing_and_the_quick_claims_hold(shared: Path, tmp_path: Path) -> None:
    corpus = load_corpus(shared / "dialogue")
    if corpus is None:
        pytest.skip("the ESConv files are not in ../shared")
    assert len(corpus.train) > 150 and len(corpus.test) == 130
    test = {letters(t.text) for d in corpus.test for t in d.said_by("supporter") if len(letters(t.text)) > 60}
    for d in itertools.chain(corpus.train, corpus.more):
        copied = sum(letters(t.text) in test for t in d.said_by("supporter"))
        assert copied <= 0.2 * len(d.said_by("supporter"))
    assert not {d.scenario.id for d in corpus.train} & {d.scenario.id for d in corpus.test}
    found = conditioning(Settings(home=tmp_path), True, shared / "dialogue")
    assert found.holds, [c.what for c in found.claims if not c.holds]
    assert all(c.interval is not None and c.interval[0] > 0 for c in found.claims)


def test_the_counselor_beats_its_baselines_on_real_dialogues(shared: Path, tmp_path: Path) -> None:
    path = shared / "dialogue" / "multiesc_valid.jsonl"
    if not path.is_file():
        pytest.skip("multiesc_valid.jsonl is not in ../shared")
    cases = own_labels(path)
    assert len(cases) == 2156 and len({c.label for c in cases}) == 8 and len({c.dialogue for c in cases}) == 195
    found = counselor(Settings(home=tmp_path), True, shared / "dialogue")
    assert found.holds, [c.what for c in found.claims if not c.holds]
    assert found.claims[0].value >= 0.25 and found.claims[1].control == pytest.approx(0.049, abs=0.001)
    assert found.claims[2].control == pytest.approx(0.22, abs=0.02)
    assert len(lines_of(planted(random.Random(0), 1)[0])) == 12
