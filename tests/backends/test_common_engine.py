"""The engine against transformers' own ``generate`` and forward pass, on random models of several families."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
import torch

from backends.common.cache import Store
from backends.common.language import Decoding, Message, Prompt
from tests.backends.engine_cases import (
    FAMILIES,
    TEXTS,
    chat,
    greedy,
    greedy_ids,
    log_probabilities,
    make,
    open_local,
    reference,
    whole,
)
from workbench.contract import Cancelled, UserError

GREEDY = Decoding(temperature=0.0, max_new_tokens=24)
SAMPLED = Decoding(temperature=1.0, top_p=0.95, max_new_tokens=16, seed=7)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("families")


@pytest.fixture(scope="module")
def local(tiny_lm: Path):
    return open_local(tiny_lm)


@pytest.fixture(scope="module")
def plain(tiny_lm: Path):
    return reference(tiny_lm)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_is_generate_one_by_one(folder: Path, family: str) -> None:
    path = make(folder / family, family)
    model, theirs = open_local(path), reference(path)
    assert model.engine.loaded.packed, f"{family} should take the fast path"
    prompts = [chat(text, key=str(i)) for i, text in enumerate(TEXTS)]
    for prompt, done in zip(prompts, model.generate(prompts, GREEDY), strict=True):
        assert whole(done.text) == greedy(theirs, model.engine.loaded.tokenizer, prompt, 24)


def test_a_model_that_packing_does_not_fit_takes_the_sure_path(folder: Path) -> None:
    path = make(folder / "bloom", "bloom")
    model, theirs = open_local(path), reference(path)
    tokenizer = model.engine.loaded.tokenizer
    assert not model.engine.loaded.packed
    prompts = [chat(text, key="k") for text in TEXTS[:3]]
    for prompt, done in zip(prompts, model.generate(prompts, GREEDY), strict=True):
        assert whole(done.text) == greedy(theirs, tokenizer, prompt, 24)
        assert done.reused_tokens == 0
    found = model.score(prompts[:1], [["ab", "c"]])[0]
    for text, values in zip(("ab", "c"), found, strict=True):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert values == pytest.approx(log_probabilities(theirs, tokenizer, prompts[0], ids), abs=1e-4)


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_a_conversation_reuses_its_beginning_and_says_the_same(folder: Path, family: str) -> None:
    """Turn by turn, beyond the sliding window, and after the history was edited."""
    path = make(folder / family, family)
    with_key, fresh = open_local(path), open_local(path)
    history: list[Message] = [Message("system", "You are kind and you listen closely to every word.")]
    for turn in range(5):
        history.append(Message("user", f"turn {turn}"))
        if turn == 3:
            history[2] = Message("assistant", "something else was said")
        kept = with_key.generate([Prompt(tuple(history), key="a")], GREEDY)[0]
        again = fresh.generate([Prompt(tuple(history))], GREEDY)[0]
        assert kept.text == again.text
        assert again.reused_tokens == 0
        assert (kept.reused_tokens > 0) == (turn > 0)
        if turn == 3:
            assert kept.reused_tokens < kept.prompt_tokens / 2
        history.append(Message("assistant", kept.text or "..."))


def test_reuse_counts_every_shared_token_but_the_last(local) -> None:
    first = local.generate([chat("hello", key="count")], GREEDY)[0]
    again = local.generate([chat("hello", key="count")], GREEDY)[0]
    assert again.reused_tokens == first.prompt_tokens - 1
    assert again.text == first.text
    local.forget(["count"])
    store = local.engine.loaded.runner.store
    assert "count" not in store.entries


def test_another_conversation_shares_the_same_instructions(local) -> None:
    long = "You answer in one short sentence and never in two. " * 3
    local.generate([chat("hello", key="one", system=long)], GREEDY)
    other = local.generate([chat("something else", key="two", system=long)], GREEDY)[0]
    assert other.reused_tokens >= len(long)
    local.forget(["one", "two"])
    assert other.text == local.generate([chat("something else", system=long)], GREEDY)[0].text


def test_a_store_without_room_changes_nothing_but_the_speed(tiny_lm: Path) -> None:
    model = open_local(tiny_lm)
    before = model.generate([chat("hello", key="a")], GREEDY)[0]
    model.engine.loaded.runner.store = Store(0)
    after = [model.generate([chat("hello", key="a")], GREEDY)[0] for _ in range(2)]
    assert [done.text for done in after] == [before.text] * 2
    assert [done.reused_tokens for done in after] == [0, 0]


def test_seeds_repeat_and_differ(local) -> None:
    prompts = [chat(text) for text in TEXTS]
    one, two = (local.generate(prompts, SAMPLED) for _ in range(2))
    assert [c.text for c in one] == [c.text for c in two]
    other = local.generate(prompts, dataclasses.replace(SAMPLED, seed=8))
    assert [c.text for c in one] != [c.text for c in other]


def test_a_row_does_not_depend_on_its_neighbours(local) -> None:
    mine = chat(TEXTS[1], key="mine")
    alone = local.generate([mine], SAMPLED)[0].text
    others = [chat(text, key=f"other-{i}") for i, text in enumerate(TEXTS)]
    assert local.generate([*others, mine], SAMPLED)[-1].text == alone
    assert local.generate([mine, *others], SAMPLED)[0].text == alone


def test_twins_of_one_key_are_sampled_apart(local) -> None:
    texts = {c.text for c in local.generate([chat("hello", key="twin")] * 4, SAMPLED)}
    assert len(texts) == 4


def test_more_rows_than_places_and_very_different_lengths(local, plain) -> None:
    texts = [("word " * (i * 7 % 60)) + str(i) for i in range(40)]
    prompts = [chat(text, key=str(i)) for i, text in enumerate(texts)]
    for prompt, done in list(zip(prompts, local.generate(prompts, GREEDY), strict=True))[::7]:
        assert whole(done.text) == greedy(plain, local.engine.loaded.tokenizer, prompt, 24)
    local.forget([str(i) for i in range(40)])


def test_a_prompt_longer_than_one_piece(local, plain) -> None:
    prompt = chat("a long story, " * 120)
    done = local.generate([prompt, chat("short")], GREEDY)[0]
    assert done.prompt_tokens > 1024
    assert whole(done.text) == greedy(plain, local.engine.loaded.tokenizer, prompt, 24)


@pytest.mark.parametrize("more", [{"repetition_penalty": 1.3}, {"no_repeat_ngram_size": 2},
                                  {"repetition_penalty": 0.8, "no_repeat_ngram_size": 3}])
def test_penalties_are_those_of_generate(local, plain, more: dict) -> None:
    decoding = dataclasses.replace(GREEDY, repetition_penalty=more.get("repetition_penalty", 1.0),
                                   no_repeat_ngram=more.get("no_repeat_ngram_size", 0))
    prompts = [chat(text) for text in TEXTS]
    for prompt, done in zip(prompts, local.generate(prompts, decoding), strict=True):
        assert whole(done.text) == greedy(plain, local.engine.loaded.tokenizer, prompt, 24, **more)


def test_least_and_most_tokens(local, plain) -> None:
    exact = Decoding(temperature=0.0, max_new_tokens=60, min_new_tokens=60)
    for prompt, done in zip([chat(t) for t in TEXTS], local.generate([chat(t) for t in TEXTS], exact), strict=True):
        assert (done.tokens, done.finish) == (60, "length")
        assert whole(done.text) == greedy(plain, local.engine.loaded.tokenizer, prompt, 60, least=60)


def test_the_end_token_stops_and_is_not_shown(local, plain, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = greedy_ids(plain, local.engine.loaded.tokenizer, chat("hello"), 24)
    monkeypatch.setattr(local.engine._batch, "ends", (tokens[2],))
    done = local.generate([chat("hello")], GREEDY)[0]
    assert (done.tokens, done.finish) == (2, "stop")
    assert done.text == whole(local.engine.loaded.tokenizer.decode(tokens[:2]))


def test_a_stop_text_ends_before_itself(local) -> None:
    full = local.generate([chat("hello")], GREEDY)[0].text
    stop = full[5:7]
    pieces: list[str] = []
    done = local.generate([chat("hello")], dataclasses.replace(GREEDY, stop=(stop, "never there")),
                          lambda _, text: pieces.append(text))[0]
    assert done.finish == "stop"
    assert done.text == full[:full.index(stop)] == "".join(pieces)


def test_the_prefill_begins_the_reply_and_is_not_closed(local, plain) -> None:
    prompt = chat("How are you?", prefill="I feel ")
    pieces: list[str] = []
    done = local.generate([prompt], GREEDY, lambda _, text: pieces.append(text))[0]
    assert done.text.startswith("I feel ") and done.text == "".join(pieces)
    assert whole(done.text) == greedy(plain, local.engine.loaded.tokenizer, prompt, 24)


def test_raw_text_is_continued_as_it_stands(local, plain) -> None:
    prompt = Prompt(text="Once upon a time")
    done = local.generate([prompt], GREEDY)[0]
    assert done.prompt_tokens == len("Once upon a time")
    assert whole(done.text) == greedy(plain, local.engine.loaded.tokenizer, prompt, 24)


def test_streamed_pieces_make_up_the_reply_row_by_row(local) -> None:
    pieces: dict[int, str] = dict.fromkeys(range(len(TEXTS)), "")
    calls = 0

    def hear(row: int, text: str) -> None:
        nonlocal calls
        calls += 1
        pieces[row] += text

    done = local.generate([chat(text) for text in TEXTS], GREEDY, hear)
    assert [pieces[i] for i in range(len(TEXTS))] == [c.text for c in done]
    assert calls > 3 * len(TEXTS), "pieces must come while the reply is being made"


def test_scores_are_the_plain_log_probabilities(local, plain) -> None:
    tokenizer = local.engine.loaded.tokenizer
    prompts = [chat(text, key=str(i)) for i, text in enumerate(TEXTS)] + [Prompt(text="Strategy:")]
    continuations = [["Question", "Reflection of feelings", "x"], ["问题", " a"], ["b"], ["a", "a", "ab"], ["z" * 30],
                     [" Question", " Information"]]
    for _ in range(2):  # the second time every prompt is reused whole
        found = local.score(prompts, continuations)
        for prompt, texts, rows in zip(prompts, continuations, found, strict=True):
            for text, values in zip(texts, rows, strict=True):
                ids = tokenizer(text, add_special_tokens=False)["input_ids"]
                assert values == pytest.approx(log_probabilities(plain, tokenizer, prompt, ids), abs=1e-4)
    local.forget([str(i) for i in range(len(TEXTS))])


def test_scores_side_by_side_beyond_a_sliding_window(folder: Path) -> None:
    path = make(folder / "gemma3", "gemma3")
    model, theirs = open_local(path), reference(path)
    tokenizer, prompt = model.engine.loaded.tokenizer, chat(TEXTS[4])
    texts = ["one continuation that is longer than the window of the model", "short", "another one of some length"]
    for text, values in zip(texts, model.score([prompt], [texts])[0], strict=True):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert values == pytest.approx(log_probabilities(theirs, tokenizer, prompt, ids), abs=1e-4)


def test_many_questions_in_pieces(local, plain, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit of a few logits at once gives the same scores."""
    from backends.common import scoring

    prompts, texts = [chat(str(i)) for i in range(5)], [["alpha", "be"]] * 5
    at_once = local.score(prompts, texts)
    monkeypatch.setattr(scoring, "LOGITS_AT_ONCE", 258 * 7)
    assert [[pytest.approx(v, abs=1e-5) for v in row] for row in local.score(prompts, texts)] == at_once


@pytest.mark.parametrize(("prompts", "continuations", "says"), [
    ([chat("a")], [], "1 prompts but 0 lists"), ([chat("a")], [[""]], "continuation to score is empty")])
def test_scores_refuse_what_makes_no_sense(local, prompts, continuations, says: str) -> None:
    with pytest.raises(UserError, match=says):
        local.score(prompts, continuations)


def test_no_continuations_and_no_prompts_are_no_error(local) -> None:
    assert local.score([chat("a")], [[]]) == [[]]
    assert local.score([], []) == []
    assert local.generate([], GREEDY) == []


def test_what_exceeds_the_window_is_told_in_numbers(local) -> None:
    with pytest.raises(UserError, match=r"has 41\d\d tokens and the reply may take 24.*holds 4096"):
        local.generate([chat("x" * 4100)], GREEDY)
    with pytest.raises(UserError, match="holds 4096"):
        local.score([chat("x" * 4050)], [["y" * 100]])
    assert local.generate([chat("x" * 3900)], GREEDY)[0].tokens > 0


def test_a_cancel_ends_at_the_next_step_and_leaves_nothing(local) -> None:
    calls = 0

    def cancelled() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        local.generate([chat(t) for t in TEXTS], dataclasses.replace(GREEDY, max_new_tokens=500), None, cancelled)
    assert not local.engine.busy and not local.engine._batch.rows
    assert all(not home.rows for home in local.engine.loaded.runner.arena.bins.values())


def test_a_cancelled_score_frees_its_rows(local) -> None:
    from workbench.fields import to_json

    local.engine.submit("s", "score", {"prompts": to_json([chat("x" * 1500)]), "continuations": [["a"]]})
    local.engine.step()
    local.engine.cancel("s")
    assert not local.engine.busy
    assert all(not home.rows for home in local.engine.loaded.runner.arena.bins.values())


def test_requests_of_several_callers_step_together(local) -> None:
    from workbench.fields import to_json

    engine = local.engine
    for name in ("a", "b"):
        engine.submit(name, "generate", {"prompts": to_json([chat(name)]), "decoding": to_json(GREEDY)})
    engine.submit("c", "info", {})
    engine.submit("d", "dance", {})
    engine.submit("e", "generate", {"prompts": [{"text": ""}], "decoding": to_json(GREEDY)})
    events: dict[str, list] = {}
    steps = 0
    while engine.busy:
        steps += 1
        for request, event in engine.step():
            events.setdefault(request, []).append(event)
    assert steps < 2 * 24
    assert events["c"][0]["result"]["window"] == 4096
    assert "cannot 'dance'" in events["d"][0]["error"]
    assert "messages or raw text" in events["e"][0]["error"]
    alone = [local.generate([chat(name)], GREEDY)[0].text for name in ("a", "b")]
    assert [events[name][-1]["result"][0]["text"] for name in ("a", "b")] == alone


def test_bfloat16_is_as_close_to_float32_as_transformers_own(tiny_lm: Path) -> None:
    prompt, texts = chat(TEXTS[1]), ["Question", "Reflection of feelings", "Information and advice"]
    exact, ours = open_local(tiny_lm), open_local(tiny_lm, "bfloat16")
    tokenizer, theirs = exact.engine.loaded.tokenizer, reference(tiny_lm, "bfloat16")
    truth = [v for row in exact.score([prompt], [texts])[0] for v in row]
    mine = [v for row in ours.score([prompt], [texts])[0] for v in row]
    plain = [v for t in texts for v in log_probabilities(
        theirs, tokenizer, prompt, tokenizer(t, add_special_tokens=False)["input_ids"])]
    error = [math.sqrt(sum((a - b) ** 2 for a, b in zip(truth, x, strict=True))) for x in (mine, plain)]
    assert error[0] <= 1.5 * error[1] + 1e-3


def test_the_tokens_of_a_reply_do_not_depend_on_torch_state(local) -> None:
    torch.manual_seed(1)
    one = local.generate([chat("hello")], SAMPLED)[0].text
    torch.manual_seed(2)
    assert local.generate([chat("hello")], SAMPLED)[0].text == one
