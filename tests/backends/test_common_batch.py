"""Scheduling without a model: a runner that counts stands in, so that every pass and every row can be checked."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.common import scoring
from backends.common.batch import PIECE, ROWS, Batcher, piece_for
from backends.common.cache import Store
from backends.common.language import Decoding
from backends.common.rows import Row
from backends.common.runner import Branches, Fill
from backends.common.sampling import row_generator
from backends.common.scoring import Question, score
from backends.common.shown import Detokenizer, Shown

VOCABULARY, END = 50, 0


def follow(tokens: Sequence[int]) -> int:
    """The next token after ``tokens``: any fixed function of all of them will do."""
    return (sum((i + 3) * t for i, t in enumerate(tokens)) * 7 + 5) % VOCABULARY


def logits_after(tokens: Sequence[int]) -> torch.Tensor:
    """Logits with their maximum at :func:`follow` and a different value for every token."""
    values = torch.arange(VOCABULARY) * 0.01
    values[follow(tokens)] = 5.0
    return values


class Counting:
    """A runner that keeps each row's tokens and checks that it is told each of them once and in order."""

    def __init__(self) -> None:
        self.store, self.rows, self.kept = Store(0), {}, {}
        self.passes: list[tuple[str, int]] = []

    def enter(self, row: int, key: str, tokens: Sequence[int], room: int) -> int:
        assert row not in self.rows and room >= len(tokens)
        known = self.kept.get(key, [])
        shared = 0
        while shared < min(len(known), len(tokens) - 1) and known[shared] == tokens[shared]:
            shared += 1
        self.rows[row] = list(tokens[:shared])
        return shared

    def leave(self, row: int, key: str, tokens: Sequence[int]) -> None:
        assert self.rows.pop(row)[:len(tokens)] == list(tokens), "what is kept must have been computed"
        if key:
            self.kept[key] = list(tokens)

    def step(self, rows: Sequence[tuple[int, int, int]]) -> torch.Tensor:
        self.passes.append(("step", len(rows)))
        for row, column, token in rows:
            assert len(self.rows[row]) == column
            self.rows[row].append(token)
        return torch.stack([logits_after(self.rows[row]) for row, _, _ in rows])

    def fill(self, fills: Sequence[Fill]) -> torch.Tensor:
        self.passes.append(("fill", sum(len(f.tokens) for f in fills)))
        out = []
        for work in fills:
            assert len(self.rows[work.row]) == work.start and work.tokens
            before = list(self.rows[work.row])
            self.rows[work.row].extend(work.tokens)
            out += [logits_after(before + list(work.tokens[:place + 1])) for place in work.wanted]
        return torch.stack(out) if out else torch.zeros(0, VOCABULARY)

    def branch(self, work: Sequence[Branches]) -> torch.Tensor:
        self.passes.append(("branch", sum(len(b) for one in work for b in one.tokens)))
        return torch.stack([logits_after(self.rows[one.row][:one.start] + list(branch[:i + 1]))
                            for one in work for branch in one.tokens for i in range(len(branch))])

    def memory(self) -> dict[str, int]:
        return {}


class Letters:
    """A tokenizer of the letters that tokens stand for."""

    def decode(self, tokens, **_):
        return "".join(chr(200 + t) for t in tokens)


def row(number: int, prompt: list[int], key: str = "", **decoding) -> Row:
    chosen = Decoding(**{"temperature": 0.0, "max_new_tokens": 6, **decoding})
    generator, text = row_generator(0, key, prompt), Detokenizer(Letters())
    return Row(number, prompt, "", key, chosen, generator, text, Shown(chosen.stop))


def expected(prompt: list[int], most: int = 6, ends: tuple[int, ...] = (END,)) -> list[int]:
    made: list[int] = []
    while len(made) < most:
        token = follow(prompt + made)
        if token in ends:
            break
        made.append(token)
    return made


def run(batch: Batcher) -> dict[int, Row]:
    done: dict[int, Row] = {}
    for _ in range(10_000):
        if not batch.busy:
            return done
        done.update({r.number: r for r in batch.step()})
    raise AssertionError("the batch never ends")


def test_every_row_gets_its_own_reply() -> None:
    batch = Batcher(Counting(), (END,))
    prompts = {n: [n + 1] * (n % 5 + 1) for n in range(2 * ROWS + 3)}
    for number, prompt in prompts.items():
        batch.add(row(number, prompt))
    done = run(batch)
    assert {n: r.made for n, r in done.items()} == {n: expected(p) for n, p in prompts.items()}
    assert max(count for kind, count in batch.runner.passes if kind == "step") <= ROWS
    assert batch.runner.rows == {}


def test_rows_step_together() -> None:
    batch = Batcher(Counting(), ())
    for number in range(8):
        batch.add(row(number, [number + 1], max_new_tokens=10))
    run(batch)
    assert batch.runner.passes == [("fill", 8), *[("step", 8)] * 9]


def test_long_prompts_are_read_in_pieces_and_several_short_ones_at_once() -> None:
    batch = Batcher(Counting(), (), piece=10)
    for number, length in enumerate((25, 3, 4, 30)):
        batch.add(row(number, [1 + number] * length, max_new_tokens=1))
    run(batch)
    fills = [count for kind, count in batch.runner.passes if kind == "fill"]
    assert sum(fills) == 62 and max(fills) <= 10
    assert len(fills) == 7, "pieces are filled up with the next row's tokens"


def test_a_row_that_comes_later_joins_and_one_that_ends_leaves() -> None:
    batch = Batcher(Counting(), ())
    batch.add(row(1, [1, 2], max_new_tokens=5))
    batch.step()
    batch.step()
    batch.add(row(2, [3], max_new_tokens=20))
    done = run(batch)
    assert (done[1].made, done[2].made) == (expected([1, 2], 5, ()), expected([3], 20, ()))
    sizes = [count for kind, count in batch.runner.passes if kind == "step"]
    assert sizes[0] == 1 and 2 in sizes and sizes[-1] == 1


def test_a_conversation_begins_where_its_last_prompt_ended() -> None:
    batch = Batcher(Counting(), ())
    batch.add(row(1, [1, 2, 3], "talk"))
    first = run(batch)[1]
    longer = [*first.tokens, 9, 9]
    batch.add(row(2, longer, "talk"))
    second = run(batch)[2]
    assert second.reused == len(first.tokens) - 1, "the last token of a reply has no keys yet"
    assert batch.runner.passes[-6] == ("fill", 3)


def test_a_dropped_row_frees_its_place_and_keeps_what_it_read() -> None:
    batch = Batcher(Counting(), (), piece=4)
    for number in (1, 2):
        batch.add(row(number, [number] * 10, f"k{number}"))
    batch.step()
    batch.drop(1)
    batch.drop(77)
    assert batch.runner.kept == {"k1": [1] * 4}
    assert list(run(batch)) == [2]
    waiting = row(3, [1])
    batch.add(waiting)
    batch.drop(3)
    assert not batch.busy


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["add", "drop", "step", "step"]), st.integers(1, 12)), max_size=40))
def test_any_order_of_coming_and_going(actions: list[tuple[str, int]]) -> None:
    batch, number, dropped, prompts = Batcher(Counting(), (END,), piece=7), 0, set(), {}
    done: dict[int, Row] = {}
    for action, size in actions:
        if action == "add":
            number += 1
            prompts[number] = [size] * size
            batch.add(row(number, prompts[number], f"k{size}"))
        elif action == "drop":
            batch.drop(size)
            dropped.add(size)
        else:
            done.update({r.number: r for r in batch.step()})
    done.update(run(batch))
    for n, prompt in prompts.items():
        if n in done:
            assert done[n].made == expected(prompt)
        else:
            assert n in dropped
    assert batch.runner.rows == {}


def test_penalties_and_sampling_reach_the_right_row() -> None:
    batch = Batcher(Counting(), (END,))
    batch.add(row(1, [5], max_new_tokens=8))
    batch.add(row(2, [5], max_new_tokens=8, no_repeat_ngram=1))
    batch.add(row(3, [5], max_new_tokens=8, temperature=5.0, top_p=1.0))
    done = run(batch)
    assert done[1].made == expected([5], 8)
    assert len(set(done[2].tokens)) == len(done[2].tokens)
    assert done[3].made != done[1].made


@pytest.mark.parametrize(("parameters", "device", "piece"), [
    (135_000_000, "cpu", 509), (1, "cpu", PIECE), (1_000_000_000, "cpu", 68), (10**11, "cpu", 64),
    (10**9, "cuda", 4096), (0, "cpu", PIECE)])
def test_pieces_shrink_with_the_model(parameters: int, device: str, piece: int) -> None:
    assert piece_for(parameters, device) == piece


@pytest.mark.parametrize(("made", "stop", "least", "text", "finish"), [
    ("abcdef", (), 0, "abcdef", "length"), ("abcdef", ("cd",), 0, "ab", "stop"),
    ("abcdef", ("cd",), 5, "abcdef", "length"), ("ab", (), 0, "ab", "stop"), ("abcdef", ("f",), 0, "abcde", "stop"),
    ("", (), 0, "", "stop")])
def test_a_row_ends_for_one_of_three_reasons(made: str, stop: tuple, least: int, text: str, finish: str) -> None:
    class Plain:
        def decode(self, tokens, **_):
            return "".join(map(chr, tokens))

    decoding = Decoding(max_new_tokens=6, min_new_tokens=least, stop=stop)
    said: list[str] = []
    one = Row(1, [1], "Pre ", "", decoding, row_generator(0, "", [1]), Detokenizer(Plain()), Shown(stop), said.append)
    one.begin()
    for letter in made:
        one.accept(ord(letter), (END,))
        if one.finish:
            break
    if one.finish is None:
        one.accept(END, (END,))
    done = one.completion()
    assert (done.text, done.finish, "".join(said)) == (f"Pre {text}", finish, f"Pre {text}")
    assert done.prompt_tokens == 1 and done.seconds >= 0


def exact(prompt: list[int], continuation: list[int]) -> list[float]:
    found = []
    for i, token in enumerate(continuation):
        found.append(float(logits_after(prompt + continuation[:i]).log_softmax(-1)[token]))
    return found


def drain(work) -> list:
    return list(work)[-1]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.lists(st.integers(1, 49), min_size=1, max_size=9),
                          st.lists(st.lists(st.integers(1, 49), min_size=1, max_size=5), max_size=4)), max_size=6),
       st.integers(1, 12))
def test_scores_of_any_shape(shapes: list, piece: int) -> None:
    runner = Counting()
    questions = [Question(n, f"k{n % 2}", prompt, tails) for n, (prompt, tails) in enumerate(shapes)]
    found = drain(score(runner, questions, VOCABULARY, piece))
    for question, rows in zip(questions, found, strict=True):
        for tail, values in zip(question.continuations, rows, strict=True):
            assert values == pytest.approx(exact(question.prompt, tail), abs=1e-5)
    assert runner.rows == {}


def test_one_token_labels_need_no_second_pass() -> None:
    runner = Counting()
    drain(score(runner, [Question(n, "", [1, 2], [[3], [4]]) for n in range(4)], VOCABULARY))
    assert runner.passes == [("fill", 8)]


def test_more_questions_than_rows_go_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "ROWS", 3)
    found = drain(score(Counting(), [Question(n, "", [n + 1], [[1, 2]]) for n in range(8)], VOCABULARY))
    assert [rows[0] for rows in found] == [pytest.approx(exact([n + 1], [1, 2]), abs=1e-5) for n in range(8)]


def test_a_score_that_is_closed_in_the_middle_frees_its_rows() -> None:
    runner = Counting()
    work = score(runner, [Question(1, "k", [1] * 20, [[1, 2]])], VOCABULARY, 5)
    assert next(work) is None and runner.rows
    work.close()
    assert runner.rows == {} and runner.kept == {"k": [1] * 5}


def test_impossible_continuations_are_minus_infinity_and_not_an_error() -> None:
    class Strict(Counting):
        def fill(self, fills):
            values = super().fill(fills)
            values[:, 7] = -torch.inf
            return values

    found = drain(score(Strict(), [Question(1, "", [1], [[7], [8]])], VOCABULARY))
    assert found[0][0] == [-math.inf] and math.isfinite(found[0][1][0])
