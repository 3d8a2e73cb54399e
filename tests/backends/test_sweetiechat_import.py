"""Dialogues from files: ESConv's layouts and our own, through the task that the page starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backends.sweetiechat import bring
from backends.sweetiechat.exchange import from_jsonl, to_jsonl
from backends.sweetiechat.import_request import ImportRequest
from backends.sweetiechat.objects import dialogue_from_json
from workbench.context import MemoryContext
from workbench.contract import UserError
from workbench.service import Service
from workbench.settings import Settings


def esconv(*turns: tuple[str, str, dict], **changed: object) -> str:
    """A file in ESConv's layout with one dialogue of these (speaker, words, annotation)."""
    rows = [{"speaker": who, "content": words, "annotation": marks} for who, words, marks in turns]
    return json.dumps([{"emotion_type": "fear", "problem_type": "job crisis", "situation": "They close the plant.",
                        "survey_score": {"seeker": {"initial_emotion_intensity": "5"}}, "dialog": rows, **changed}])


def taken(tmp_path: Path, body: str, layout: str = "esconv") -> list:
    """The dialogues that the task writes for a file."""
    file = tmp_path / "file.txt"
    file.write_text(body, encoding="utf-8")
    context = MemoryContext(tmp_path / "run")
    bring.run(ImportRequest(source=f"path:{file}", layout=layout), context)
    lines = (context.run / "artifacts" / "dialogues.jsonl").read_text(encoding="utf-8").split("\n")
    return [dialogue_from_json(json.loads(line)) for line in lines if line]


def test_a_dialogue_of_esconv_keeps_speakers_strategies_and_intensity(home: Path, tmp_path: Path) -> None:
    body = esconv(("seeker", "I may lose my job.", {"feedback": "4"}),
                  ("supporter", "What have they told you?", {"strategy": "Question"}))
    [one] = taken(tmp_path, body)
    assert [(t.role, t.strategy) for t in one.turns] == [("seeker", None), ("supporter", "question")]
    assert one.scenario.intensity_0 == 5 and one.scenario.situation == "They close the plant."
    assert one.card is None and one.stop_reason == "imported" and one.turns[0].meta["feedback"] == "4"


@pytest.mark.parametrize(("speaker", "role"), [("listener", "supporter"), ("sys", "supporter"), ("usr", "seeker"),
                                               ("Seeker", "seeker")])
def test_other_names_of_the_speakers_are_known(home: Path, tmp_path: Path, speaker: str, role: str) -> None:
    assert taken(tmp_path, esconv((speaker, "Hello.", {})))[0].turns[0].role == role


@pytest.mark.parametrize("label", ["Questions", "question", "[Question]", "Reflection of Feelings", "Other"])
def test_spellings_of_a_strategy_mean_one_strategy(home: Path, tmp_path: Path, label: str) -> None:
    [one] = taken(tmp_path, esconv(("supporter", "x", {"strategy": label})))
    assert one.turns[0].strategy in ("question", "reflection", "others")


@pytest.mark.parametrize(("body", "layout", "said"), [
    ("", "esconv", "not JSON"), ("[]", "esconv", "no dialogue"), ("{}", "esconv", "no list"),
    ("", "jsonl", "no dialogue"),
    ("[1]", "esconv", "Entry 0"), ("{}", "jsonl", "Line 1"), ("\n\nnot json\n", "jsonl", "Line 3"),
    (esconv(("robot", "x", {})), "esconv", "robot"), (esconv(("supporter", "x", {"strategy": "Shouting"})), "esconv",
                                                       "Shouting"),
])
def test_a_file_that_will_not_do_is_named_by_place_and_nothing_is_written(home: Path, tmp_path: Path, body: str,
                                                                         layout: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        taken(tmp_path, body, layout)
    assert not (tmp_path / "run" / "artifacts" / "dialogues.jsonl").exists()


def test_our_own_file_comes_back_exactly(home: Path, tmp_path: Path) -> None:
    first = taken(tmp_path, esconv(("seeker", "Line\nbreak, 中文 and \u2028 too", {})))
    (tmp_path / "again").mkdir()
    assert taken(tmp_path / "again", to_jsonl(first), "jsonl") == first == from_jsonl(to_jsonl(first))


def test_a_byte_order_mark_does_no_harm(home: Path, tmp_path: Path) -> None:
    assert len(taken(tmp_path, "\ufeff" + esconv(("seeker", "Hello.", {})))) == 1


@pytest.mark.parametrize("source", ["path:/nowhere/at/all.jsonl", "path:/tmp", "hub:org/name", "", "sample.json"])
def test_a_source_that_is_no_file_is_refused(home: Path, tmp_path: Path, source: str) -> None:
    with pytest.raises(UserError):
        bring.run(ImportRequest(source=source), MemoryContext(tmp_path / "run"))


def test_the_page_starts_it_as_a_run_like_any_other(settings: Settings) -> None:
    service = Service(settings)
    run_id = service.submit("sweetiechat.import.v1", {}, visitor="ann", title="My file")
    run = service.wait("ann", run_id, 60)
    assert run.status == "succeeded", run.failure
    assert service.result("ann", run_id)["dialogues"] == 2
    assert [item.name for item in service.artifacts("ann", run_id)] == ["dialogues.jsonl"]
    with pytest.raises(UserError):
        service.result("bob", run_id)


def test_a_file_of_the_page_is_found_by_its_digest_beside_the_runs(settings: Settings) -> None:
    service = Service(settings)
    kept = bring.upload_path("c" * 64, settings.home)
    kept.parent.mkdir()
    kept.write_text(esconv(("seeker", "Hello.", {})), encoding="utf-8")
    run_id = service.submit("sweetiechat.import.v1", {"source": "c" * 64}, visitor="ann")
    assert service.wait("ann", run_id, 60).status == "succeeded"
    gone = service.submit("sweetiechat.import.v1", {"source": "d" * 64}, visitor="ann")
    run = service.wait("ann", gone, 60)
    assert run.status == "failed" and "no longer here" in run.failure["cause"]
