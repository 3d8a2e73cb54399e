"""Every strategy for one turn: the table, its probabilities, the order of events, and what is refused."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from backends.sweetiechat.objects import dialogue_to_json
from backends.sweetiechat.replies import run, streamed
from backends.sweetiechat.replies_requests import RepliesRequest, RepliesResult
from tests.backends.agent_cases import SET, agent_folder, heads, open_tiny, talk
from tests.backends.sweetie import ScriptedModel
from workbench.context import MemoryContext
from workbench.contract import Cancelled, UserError


@pytest.fixture
def context(tmp_path: Path, settings) -> MemoryContext:
    return MemoryContext(tmp_path / "run", settings=settings)


def events(context: MemoryContext, scripted=None, opener=None, dialogue=None, **fields) -> list[dict]:
    model = scripted or ScriptedModel()
    request = RepliesRequest(dialogue=dialogue_to_json(dialogue or talk(3)), **fields)
    return list(run(request, context, opener or (lambda c, r: model)))


def of(found: list[dict], kind: str) -> list:
    return [event[kind] for event in found if kind in event]


def test_one_reply_for_every_strategy_of_the_set_in_its_order(context: MemoryContext) -> None:
    model = ScriptedModel()
    found = events(context, model)
    rows, (done,) = of(found, "row"), of(found, "done")
    assert [row["strategy"] for row in rows] == list(SET.keys) and done["candidates"] == rows
    assert "ranking" in found[0] and "done" in found[-1] and done["asked"] == "prompts" and done["mode"] == "scored"
    assert len({row["text"] for row in rows}) == len(rows), "another strategy is another prompt and another text"
    assert sum(row["probability"] for row in rows) == pytest.approx(1, abs=0.01)
    assert model.calls == 1, "all of them in one batch"
    assert model.closed == 1


def test_texts_grow_under_their_own_strategy_and_come_before_the_rows(context: MemoryContext) -> None:
    found = events(context, redraws=0)
    texts, kinds = of(found, "text"), [next(iter(event)) for event in found]
    assert {text["strategy"] for text in texts} == set(SET.keys)
    assert kinds.index("row") > max(place for place, kind in enumerate(kinds) if kind == "text")


def test_some_strategies_only(context: MemoryContext) -> None:
    rows = of(events(context, strategies=("information", "question")), "row")
    assert [row["strategy"] for row in rows] == ["information", "question"]
    assert rows[0]["label"] == SET.get("information").label_en


def test_an_agent_ranks_by_its_own_heads_and_writes_under_each(context: MemoryContext, tiny_lm: Path,
                                                               tmp_path: Path) -> None:
    folder = agent_folder(tiny_lm, tmp_path / "agent")
    model = ScriptedModel(replies=heads)
    found = events(context, model, model=f"path:{folder}")
    (done,) = of(found, "done")
    assert (done["asked"], done["mode"]) == ("chat", "agent")
    assert [p.prefill for p in model.prompts] == [f"[{item.label_en}]" for item in SET.items]
    assert all(row["text"] == "Tell me more about it." for row in of(found, "row"))


def test_a_real_model_gives_the_same_table_for_the_same_seed(context: MemoryContext, tiny_lm: Path,
                                                             tmp_path: Path) -> None:
    folder = agent_folder(tiny_lm, tmp_path / "agent")
    fields = {"model": f"path:{folder}", "max_new_tokens": 8, "redraws": 0, "strategies": ("question", "others")}
    first, again, other = (of(events(context, opener=open_tiny, seed=seed, **fields), "row") for seed in (1, 1, 2))
    assert first == again and [r["text"] for r in first] != [r["text"] for r in other]
    assert [r["probability"] for r in first] == [r["probability"] for r in other], "the talk is the same"


@pytest.mark.parametrize("variant, says", [("plain", "without strategies")])
def test_an_agent_that_knows_no_strategies_is_refused(context: MemoryContext, tiny_lm: Path, tmp_path: Path,
                                                      variant: str, says: str) -> None:
    folder = agent_folder(tiny_lm, tmp_path / variant, variant)
    model = ScriptedModel()
    with pytest.raises(UserError, match=says):
        events(context, model, model=f"path:{folder}")
    assert model.closed == 1


def test_an_agent_that_is_given_its_strategies_ranks_none(context: MemoryContext, tiny_lm: Path,
                                                          tmp_path: Path) -> None:
    folder = agent_folder(tiny_lm, tmp_path / "given", "given")
    found = events(context, ScriptedModel(replies=heads), model=f"path:{folder}")
    assert of(found, "done")[0]["mode"] == "none" and {row["probability"] for row in of(found, "row")} == {0.0}


def test_a_model_without_probabilities_still_replies(context: MemoryContext) -> None:
    model = ScriptedModel({"title": "Server", "kind": "chat", "languages": [], "can_score": False})
    found = events(context, model)
    assert of(found, "done")[0]["mode"] == "none" and not model.scored and len(of(found, "row")) == 8


@pytest.mark.parametrize("turns, fields, says", [
    (4, {}, "turn 3, the last one, is the supporter's"), (3, {"turns": 2}, "turn 1"),
    (3, {"turns": 0}, "nothing was said"), (3, {"strategies": ("singing",)}, "'singing' is not a strategy")])
def test_what_cannot_be_answered_is_said(context: MemoryContext, turns: int, fields: dict, says: str) -> None:
    with pytest.raises(UserError, match=says):
        events(context, dialogue=talk(turns), **fields)


def test_the_turns_after_the_one_that_is_asked_about_are_not_read(context: MemoryContext) -> None:
    model = ScriptedModel()
    events(context, model, dialogue=talk(7), turns=3)
    seen = "\n".join(m.content for p in [*model.prompts, *model.scored] for m in p.messages)
    assert "thing2" in seen and not any(f"thing{n}" in seen for n in (3, 4, 5, 6))


def test_without_a_talk_a_practice_dialogue_is_taken(context: MemoryContext) -> None:
    model = ScriptedModel()
    found = list(run(RepliesRequest(strategies=("question",)), context, lambda c, r: model))
    assert len(of(found, "row")) == 1 and len(model.prompts[0].messages) > 3


@pytest.mark.parametrize("field, value", [("max_new_tokens", 7), ("temperature", -0.1), ("top_p", 0), ("turns", -2),
                                          ("redraws", 6), ("seed", -1)])
def test_a_request_that_makes_no_sense_is_refused(field: str, value) -> None:
    with pytest.raises(UserError, match=field):
        RepliesRequest(**{field: value})


def test_a_reader_who_leaves_ends_the_work() -> None:
    ended = threading.Event()

    def work(tell, wanted) -> RepliesResult:
        tell({"text": 1})
        try:
            while True:
                wanted()
        except Cancelled:
            ended.set()
            raise

    stream = streamed(work)
    assert next(stream) == {"text": 1}
    stream.close()
    assert ended.is_set()


def test_an_error_in_the_work_reaches_the_reader() -> None:
    def work(tell, wanted) -> RepliesResult:
        raise UserError("The model is gone.")

    with pytest.raises(UserError, match="gone"):
        list(streamed(work))


def test_a_shortest_reply_above_the_longest_is_refused() -> None:
    with pytest.raises(UserError, match="min_new_tokens is 30 and max_new_tokens is 20"):
        RepliesRequest(min_new_tokens=30, max_new_tokens=20)
