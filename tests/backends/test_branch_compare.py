"""Branches in figures, and blind pairs of them: hand-computed values, fairness of the coin, nothing shown too much."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter

import pytest

from backends.sweetiechat import compare, pair
from backends.sweetiechat.importers import import_dialogues
from backends.sweetiechat.objects import Dialogue, dialogue_to_json
from backends.sweetiechat.pair_request import PairRequest, PairResult
from tests.backends.sweetie import make_dialogue
from workbench.context import MemoryContext
from workbench.contract import Cancelled, UserError
from workbench.fields import from_json
from workbench.files import dumps, write_text
from workbench.service import Service
from workbench.settings import Settings

START = ("I lost my job.", "What happened?", "They closed it.")


def branch_pair() -> list[Dialogue]:
    """Two branches of one origin that share three turns."""
    first = make_dialogue(*START, "That is hard. That is hard.", "Yes.", states=(5, 4, 2),
                          used=("question", "reflection"), stop_reason="max_turns")
    second = make_dialogue(*START, "Write one letter today.", "No.", "Then rest first.", "Fine.", states=(5, 4, 4, 5),
                           used=("question", "suggestions", "suggestions"), stop_reason="repetition")
    root = {"root": {"id": "o", "run": "r", "number": 0}}
    return [dataclasses.replace(d, id=f"o~{n}", qc={"branch": root}) for n, d in enumerate((first, second))]


def test_shared_turns_end_at_the_first_word_or_strategy_that_differs():
    first, second = branch_pair()
    assert compare.shared_turns([first, second]) == 3 == compare.shared_turns([first, first, second])
    assert compare.shared_turns([first, first]) == len(first.turns)
    other = dataclasses.replace(second, turns=(second.turns[0], dataclasses.replace(second.turns[1], strategy="others"),
                                               *second.turns[2:]))
    assert compare.shared_turns([first, other]) == 1
    with pytest.raises(UserError, match="two at least"):
        compare.shared_turns([first])


def test_figures_by_hand():
    first, second = branch_pair()
    one, other = compare.figures(first, 3), compare.figures(second, 3)
    assert (one.turns, one.stop_reason, one.first, one.last, one.drop) == (5, "max_turns", 5, 2, 3)
    assert (other.turns, other.stop_reason, other.first, other.last, other.drop) == (7, "repetition", 5, 5, 0)
    # "that is hard . that is hard ." : 4 of 8 tokens, 4 of 7 pairs (that-is, is-hard, hard-., .-that), 4 of 6 triples
    assert one.tokenizer == "treebank" and one.length == 8 and one.supporter_turns == 1
    assert one.distinct == pytest.approx((50.0, 100 * 4 / 7, 100 * 4 / 6))
    # "write one letter today ." and "then rest first ." : 9 tokens of which only the full stop comes twice
    assert other.length == 4.5 and other.distinct == pytest.approx((100 * 8 / 9, 100.0, 100.0))
    assert one.strategies == ("reflection",) and other.strategies == ("suggestions", "suggestions")


def test_figures_of_a_branch_that_has_said_nothing_yet_are_empty_and_not_zero():
    first, _ = branch_pair()
    figures = compare.figures(dataclasses.replace(first, turns=first.turns[:1]), 1)
    assert figures.distinct is None and figures.length is None and figures.drop is None and figures.supporter_turns == 0


def test_chinese_is_counted_in_characters():
    dialogue = make_dialogue("我睡不着。", "我在听，我在。", language="zh", used=("others",))
    figures = compare.figures(dialogue, 1)
    assert figures.tokenizer == "chars" and figures.length == 7
    assert figures.distinct[0] == pytest.approx(100 * 5 / 7)


def test_intensities_use_the_level_before_rounding():
    first, _ = branch_pair()
    turn = first.turns[2]
    finer = dataclasses.replace(first, turns=(*first.turns[:2], dataclasses.replace(
        turn, private=dataclasses.replace(turn.private, level=3.6)), *first.turns[3:]))
    assert compare.intensities(finer) == [(0, 5.0), (2, 3.6), (4, 2.0)]


@pytest.mark.parametrize(("change", "good"), [
    ({}, True), ({"root": "p"}, True), ({"root": "p", "opening": "Hello there."}, False),
    ({"opening": "Hello there."}, True), ({"root": "p", "situation": "Another one."}, False),
])
def test_a_family_has_one_root_or_one_beginning(change, good):
    first, second = branch_pair()
    if "root" in change:
        second = dataclasses.replace(second, id="p", qc={})
    if "opening" in change:
        second = dataclasses.replace(second, turns=(dataclasses.replace(second.turns[0], text=change["opening"]),
                                                    *second.turns[1:]))
    if "situation" in change:
        second = dataclasses.replace(second, scenario=dataclasses.replace(second.scenario, situation="Another one."))
    if good:
        compare.check_family([first, second])
    else:
        with pytest.raises(UserError, match="no branches of one origin"):
            compare.check_family([first, second])


# --- pairs ---------------------------------------------------------------------------------------------------------

def put(settings: Settings, name: str, value, file: str = "dialogue.json") -> str:
    """A run directory with an artifact, as another run left it; the reference to it."""
    folder = settings.home / "runs" / name / "artifacts"
    folder.mkdir(parents=True)
    lines = value if isinstance(value, list) else [value]
    write_text(folder / file, "".join(dumps(dialogue_to_json(d)) + "\n" for d in lines))
    entry = {"name": file, "path": f"artifacts/{file}", "kind": "dialogue"}
    write_text(folder.parent / "artifacts.jsonl", json.dumps(entry) + "\n")
    return f"run:{name}"


@pytest.fixture
def references(settings: Settings) -> list[str]:
    return [put(settings, f"20260101T00000{n}-abcde{n}", dialogue) for n, dialogue in enumerate(branch_pair())]


def made(settings: Settings, path, **fields) -> tuple[list[dict], PairResult]:
    context = MemoryContext(path, settings=settings)
    result = pair.run(from_json(PairRequest, fields), context)
    lines = (context.run / "artifacts" / "pairs.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines], result


def test_a_pair_holds_what_may_be_shown_apart_from_what_may_not(settings, references, tmp_path):
    (found,), result = made(settings, tmp_path / "run", branches=references, labels=["A: warm", "B: brisk"])
    assert found["kind"] == "dialogue-pair" and found["shared_turns"] == 3 == result.shared_turns
    assert found["question"].endswith("?") and found["language"] == "en" and result.pairs == 1
    for side in ("left", "right"):
        assert set(found[side]) == {"run", "label", "shown", "dialogue"}
        assert all(set(turn) == {"role", "text"} for turn in found[side]["shown"])
    shown = json.dumps([found["situation"], found["question"], found["left"]["shown"], found["right"]["shown"]])
    for hidden in ("warm", "brisk", "reflection", "suggestions", "package:", "intensity", "scored", "run"):
        assert hidden not in shown
    assert {found[side]["run"] for side in ("left", "right")} == {r.removeprefix("run:") for r in references}


def test_which_side_is_a_fair_coin_that_the_seed_decides(settings, references, tmp_path):
    sides = []
    for seed in range(60):
        (found,), _ = made(settings, tmp_path / str(seed), branches=references, seed=seed)
        sides.append(found["order"]["swapped"])
        assert found["left"]["run"] == references[found["order"]["swapped"]].removeprefix("run:")
    again, _ = made(settings, tmp_path / "again", branches=references, seed=7)
    assert again[0]["order"] == {"seed": 7, "swapped": sides[7]}
    assert 18 <= Counter(sides)[True] <= 42, "3 standard deviations of 60 fair coins"


def test_every_two_of_four_branches_become_a_pair(settings, references, tmp_path):
    more = [put(settings, f"20260101T0000{n}-abcd{n}", dataclasses.replace(
        branch_pair()[0], turns=branch_pair()[0].turns[:n])) for n in (10, 11)]
    found, result = made(settings, tmp_path / "run", branches=[*references, *more[:1]])
    assert len(found) == 3 == result.pairs and result.branches == 3
    assert len({row["id"] for row in found}) == 3


def test_a_dialogue_of_a_file_of_many_is_named_by_its_place(settings, tmp_path):
    first, second = branch_pair()
    name = put(settings, "20260101T000000-abcdef", [first, second], "dialogues.jsonl")
    found, _ = made(settings, tmp_path / "run", branches=[f"{name}/dialogues.jsonl#0", f"{name}/dialogues.jsonl#1"])
    assert {found[0][side]["dialogue"]["id"] for side in ("left", "right")} == {first.id, second.id}
    with pytest.raises(UserError, match="no dialogue at place 2"):
        made(settings, tmp_path / "two", branches=[f"{name}/dialogues.jsonl#0", f"{name}/dialogues.jsonl#2"])
    with pytest.raises(UserError, match="names no place"):
        made(settings, tmp_path / "three", branches=[f"{name}/dialogues.jsonl#0", f"{name}/dialogues.jsonl#x"])


def test_the_example_is_a_pair_of_talks_that_we_wrote(settings, tmp_path):
    found, result = made(settings, tmp_path / "run")
    assert result.pairs == 1 and found[0]["shared_turns"] == 3
    turns = [turn for dialogue in import_dialogues(pair.BUNDLED).dialogues for turn in dialogue.said_by("supporter")]
    assert turns and all(turn.strategy for turn in turns)


def test_a_question_of_ones_own_and_the_readers_language(settings, tmp_path):
    names = []
    for number, last in enumerate(("我在听。", "去散步吧。")):
        dialogue = make_dialogue("我睡不着。", last, language="zh", used=("others",))
        names.append(put(settings, f"20260101T00000{number}-abcde{number}", dialogue))
    found, _ = made(settings, tmp_path / "one", branches=names)
    assert "左边" in found[0]["question"]
    found, _ = made(settings, tmp_path / "two", branches=names, question=" Wer? ")
    assert found[0]["question"] == "Wer?"


@pytest.mark.parametrize(("fields", "message"), [
    ({"branches": ["run:a"]}, "two to four different"), ({"branches": ["run:a", "run:a"]}, "two to four different"),
    ({"branches": list("abcde")}, "branches"), ({"branches": ["run:a", "run:b"], "labels": ["x"]}, "1 labels"),
])
def test_a_request_that_makes_no_pair_is_refused(fields, message):
    with pytest.raises(UserError, match=message):
        from_json(PairRequest, fields)


def test_dialogues_of_two_origins_or_languages_and_things_that_are_none_are_refused(settings, references, tmp_path):
    stranger = put(settings, "20260101T000020-abcdef", make_dialogue("Hello.", "Hi.", scenario="sleep"))
    empty = put(settings, "20260101T000021-abcdef", make_dialogue())
    with pytest.raises(UserError, match="no branches of one origin"):
        made(settings, tmp_path / "one", branches=[references[0], stranger])
    with pytest.raises(UserError, match="no turns yet"):
        made(settings, tmp_path / "two", branches=[references[0], empty])
    path = settings.home / "runs" / "20260101T000020-abcdef" / "artifacts" / "dialogue.json"
    path.write_text('{"turns": 3}')
    with pytest.raises(UserError, match="is no dialogue"):
        made(settings, tmp_path / "three", branches=[references[0], stranger])
    with pytest.raises(UserError, match="There is no run"):
        made(settings, tmp_path / "four", branches=[references[0], "run:20260101T000099-abcdef"])


def test_it_says_how_far_it_is_and_can_be_cancelled(settings, tmp_path):
    with pytest.raises(Cancelled):
        pair.run(PairRequest(), MemoryContext(tmp_path / "run", settings=settings, cancel_after=1))


def test_nobody_can_make_a_pair_of_runs_that_are_not_theirs_to_read(settings):
    service = Service(settings)
    with pytest.raises(UserError, match="There is no run"):
        service.submit("sweetiechat.pair.v1", {"branches": [f"run:20260101T00000{n}-abcdef" for n in (0, 1)]},
                       visitor="eve")
