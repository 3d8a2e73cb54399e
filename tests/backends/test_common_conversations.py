"""Whole conversations on the tiny model: whatever is said, edited, forgotten or thrown out, reuse changes nothing."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.common.cache import Store
from backends.common.language import Decoding, Message, Prompt
from tests.backends.engine_cases import make, open_local

GREEDY = Decoding(temperature=0.0, max_new_tokens=6)
SYSTEMS = ("You are the seeker. Speak in one sentence.", "You are the supporter. Speak in one sentence.")


@pytest.fixture(scope="module", params=["llama", "gemma3"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """The same model twice: one that keeps conversations, one that is asked without keys."""
    path = make(tmp_path_factory.mktemp("conversations") / request.param, request.param)
    return open_local(path), open_local(path)


def prompt(history: list[str], role: int, key: str) -> Prompt:
    turns = [Message("assistant" if i % 2 == role else "user", text) for i, text in enumerate(history)]
    if not turns or turns[-1].role == "assistant":
        turns.append(Message("user", "Begin."))
    return Prompt((Message("system", SYSTEMS[role]), *turns), key=key)


def unkeyed(prompts: list[Prompt]) -> list[Prompt]:
    return [Prompt(p.messages, p.text, p.prefill) for p in prompts]


def texts(completions) -> list[str]:
    return [c.text for c in completions]


ACTIONS = st.lists(st.one_of(
    st.tuples(st.just("turn"), st.sets(st.integers(0, 3), min_size=1)),
    st.tuples(st.just("edit"), st.tuples(st.integers(0, 3), st.integers(0, 5), st.sampled_from(["no", "改了", "x y"]))),
    st.tuples(st.just("undo"), st.integers(0, 3)),
    st.tuples(st.just("forget"), st.integers(0, 3)),
    st.tuples(st.just("score"), st.integers(0, 3)),
    st.tuples(st.just("shrink"), st.sampled_from([0, 20_000, 10**8])),
), min_size=3, max_size=14)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow,
                                                                 HealthCheck.function_scoped_fixture])
@given(ACTIONS)
def test_reuse_never_shows(pair, actions) -> None:
    keeping, fresh = pair
    runner = keeping.engine.loaded.runner
    runner.store = Store(10**8)
    histories: list[list[str]] = [[] for _ in range(4)]
    for action, value in actions:
        if action == "turn":
            chosen = sorted(value)
            prompts = [prompt(histories[d], len(histories[d]) % 2, f"{d}/{len(histories[d]) % 2}") for d in chosen]
            found = texts(keeping.generate(prompts, GREEDY))
            assert found == texts(fresh.generate(unkeyed(prompts), GREEDY))
            for d, text in zip(chosen, found, strict=True):
                histories[d].append(text or "...")
        elif action == "edit" and value[1] < len(histories[value[0]]):
            histories[value[0]][value[1]] = value[2]
        elif action == "undo":
            del histories[value][-1:]
        elif action == "forget":
            keeping.forget([f"{value}/0", f"{value}/1"])
        elif action == "shrink":
            runner.store = Store(value)
        elif action == "score":
            asked = [prompt(histories[value], 1, f"{value}/1")]
            one, two = (m.score(p, [["Question", "Hi"]]) for m, p in ((keeping, asked), (fresh, unkeyed(asked))))
            assert [v for row in one[0] for v in row] == pytest.approx([v for row in two[0] for v in row], abs=1e-4)
        assert runner.store.used <= runner.store.limit
        assert runner.store.used == sum(entry.bytes for entry in runner.store.entries.values())


def test_a_lockstep_of_dialogues_reads_little_anew(pair) -> None:
    keeping, fresh = pair
    keeping.engine.loaded.runner.store = Store(10**8)
    histories: list[list[str]] = [[] for _ in range(6)]
    read = reused = 0
    for turn in range(8):
        prompts = [prompt(histories[d], turn % 2, f"l{d}/{turn % 2}") for d in range(6)]
        done = keeping.generate(prompts, GREEDY)
        assert texts(done) == texts(fresh.generate(unkeyed(prompts), GREEDY))
        read += sum(c.prompt_tokens for c in done)
        reused += sum(c.reused_tokens for c in done)
        for history, completion in zip(histories, done, strict=True):
            history.append(completion.text or "...")
    assert reused > 0.6 * read, f"only {reused} of {read} prompt tokens were reused"


def test_reuse_is_worth_it(pair) -> None:
    """Not a benchmark: a long prompt that is known must take clearly less time than one that is not."""
    keeping, _ = pair
    one = Decoding(temperature=0.0, max_new_tokens=1)
    long = [f"turn {i}: " + "words and more words, " * 15 for i in range(6)]

    def seconds(key: str) -> float:
        began = time.perf_counter()
        keeping.generate([prompt(long, 0, key)], one)
        return time.perf_counter() - began

    def unknown(key: str) -> float:
        keeping.engine.loaded.runner.store = Store(10**8)  # other conversations would lend their beginning
        return seconds(key)

    first = min(unknown(f"w{i}") for i in range(3))
    seconds("again")
    assert min(seconds("again") for _ in range(3)) < 0.7 * first


def test_twice_the_same_dialogues_are_the_same(tmp_path: Path, tiny_lm: Path) -> None:
    """Seeds repeat over processes' lives: a new engine, with other work before, gives the same sampled dialogue."""
    decoding = Decoding(temperature=1.0, max_new_tokens=8, seed=3)

    def play(warm: bool) -> list[str]:
        model, history = open_local(tiny_lm), []
        if warm:
            model.generate([prompt([str(i)], 0, f"other{i}") for i in range(5)], GREEDY)
        for turn in range(4):
            history.append(model.generate([prompt(history, turn % 2, f"d/{turn % 2}")], decoding)[0].text or "...")
        return history

    assert play(False) == play(True)
