"""The import task: the run that it leaves, which files it may read, and how the library finds its dialogues."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from backends.sweetiechat import bring
from backends.sweetiechat.importers import task
from backends.sweetiechat.importers.request import CorpusRequest, CorpusResult
from backends.sweetiechat.objects import dialogue_from_json
from panels import dialogue_shelf
from tests.backends import importer_cases as cases
from tests.backends.importer_cases import put
from workbench.context import MemoryContext
from workbench.contract import Cancelled, MissingResource, UserError
from workbench.fields import from_json, to_json
from workbench.files import read_lines
from workbench.service import Service
from workbench.settings import Settings


def done(tmp_path: Path, path: Path | str, **fields: object) -> tuple[MemoryContext, CorpusResult]:
    context = MemoryContext(tmp_path / "run")
    source = path if isinstance(path, str) else f"path:{path}"
    return context, task.run(CorpusRequest(source=source, **fields), context)


def artifacts(context: MemoryContext) -> dict[str, str]:
    return {row["name"]: row["kind"] for row in read_lines(context.run / "artifacts.jsonl")}


def test_a_run_holds_what_is_good_and_says_what_is_not(home: Path, tmp_path: Path) -> None:
    bad = {**cases.ESCONV, "dialog": [{"speaker": "robot", "content": "Beep"}]}
    context, result = done(tmp_path, put(tmp_path, "e.json", [cases.ESCONV, bad, cases.FAILED]), format="esconv")
    assert (result.format, result.dialogues, result.turns, result.skipped, result.cards) == ("esconv", 2, 8, 1, 0)
    assert result.provenance == "real data" and result.languages == {"en": 2}
    assert result.strategies == {"question": 2, "reflection": 2, "others": 2} and result.problems == {"job-crisis": 2}
    assert artifacts(context) == {
        "dialogues.jsonl": "dialogues",
        "skipped.jsonl": "skipped",
        "progress.json": "progress",
    }
    rows = read_lines(context.run / "artifacts" / "dialogues.jsonl")
    assert [dialogue_from_json(row).stop_reason for row in rows] == ["imported", "imported"]
    [left] = read_lines(context.run / "artifacts" / "skipped.jsonl")
    assert left["where"].startswith("e.json, line ") and "robot" in left["why"]
    progress = json.loads((context.run / "artifacts" / "progress.json").read_text(encoding="utf-8"))
    assert progress["done"] == progress["count"] == 2 and progress["strategies"] == result.strategies
    assert context.reports[-1] == (2, 2, "2 dialogues, 0 cards, 1 left out")


def test_the_library_tab_reads_the_lines(home: Path, tmp_path: Path) -> None:
    context, _ = done(tmp_path, put(tmp_path, "m.jsonl", [cases.MULTIESC, cases.PPDPP]), format="auto")
    first, second = dialogue_shelf.entries(context.run / "artifacts" / "dialogues.jsonl")
    assert (first.problem, first.emotion, first.language, first.turns) == ("sleep", "depression", "en", 4)
    assert first.stop_reason == "imported" and [key for key, *_ in first.strategies] == ["others", "suggestions"]
    assert second.opening.startswith("Hi They left me out")


def test_role_cards_bring_their_scenarios(home: Path, tmp_path: Path) -> None:
    context, result = done(tmp_path, put(tmp_path, "c.json", [cases.ESCEVAL, cases.ESCEVAL_ZH]))
    assert (result.dialogues, result.cards, result.languages) == (0, 2, {"en": 1, "zh": 1})
    assert set(artifacts(context)) == {
        "dialogues.jsonl",
        "skipped.jsonl",
        "cards.jsonl",
        "scenarios.jsonl",
        "progress.json",
    }
    cards = read_lines(context.run / "artifacts" / "cards.jsonl")
    scenarios = read_lines(context.run / "artifacts" / "scenarios.jsonl")
    assert [card["scenario_id"] for card in cards] == [scenario["id"] for scenario in scenarios]


@pytest.mark.parametrize(
    ("content", "provenance"),
    [
        ([cases.ESCONV], "real data"),
        ([cases.EXTES], "synthetic"),
        ([cases.SHAREGPT], ""),
        ([cases.ESCEVAL], "real data"),
    ],
)
def test_provenance_is_stated_only_where_it_is_known(
    home: Path, tmp_path: Path, content: list, provenance: str
) -> None:
    assert done(tmp_path, put(tmp_path, "x.json", content))[1].provenance == provenance


def test_a_generated_dialogue_stays_synthetic(home: Path, tmp_path: Path) -> None:
    sample, _ = done(tmp_path, "sample")
    row = read_lines(sample.run / "artifacts" / "dialogues.jsonl")[0]
    row["models"] = {"seeker": "package:x"}
    assert done(tmp_path / "b", put(tmp_path, "own.jsonl", [row]))[1].provenance == "synthetic"


def test_the_sample_and_an_upload_are_found_as_the_page_leaves_them(home: Path, tmp_path: Path) -> None:
    _, result = done(tmp_path, "sample")
    assert result.format == "esconv" and result.dialogues >= 1 and result.skipped == 0
    assert result.provenance == "synthetic", "the sample was written for this project"
    context = MemoryContext(home / "runs" / "second", settings=Settings(home=home))
    name = "ab" * 32
    kept = bring.upload_path(name, home)
    kept.parent.mkdir(parents=True)
    put(kept.parent, kept.name, [cases.EMOLLM])
    result = task.run(CorpusRequest(source=name, name="data.json"), context)
    assert result.format == "emollm"
    [row] = read_lines(context.run / "artifacts" / "dialogues.jsonl")
    assert row["qc"]["source"]["file"] == "data.json"


def test_a_folder_may_be_named(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "talks"
    folder.mkdir()
    put(folder, "1.json", [{"role": "client", "content": "我很累。"}, {"role": "counselor", "content": "辛苦了。"}])
    put(folder, "2.json", [{"role": "client", "content": "睡不着。"}, {"role": "counselor", "content": "多久了？"}])
    context, result = done(tmp_path, folder)
    assert (result.format, result.dialogues) == ("smile", 2)
    inputs = json.loads((context.run / "inputs.json").read_text(encoding="utf-8"))
    assert list(inputs) == [f"path:{folder}"]


@pytest.mark.parametrize("source", ["/etc/passwd", "hub:x/y", "../x", "ab"])
def test_other_sources_are_refused(home: Path, tmp_path: Path, source: str) -> None:
    with pytest.raises(UserError):
        done(tmp_path, source)


def test_a_path_outside_the_data_roots_of_an_open_server_is_refused(home: Path, tmp_path: Path) -> None:
    inside, outside = tmp_path / "data", tmp_path / "secret"
    for folder in (inside, outside):
        folder.mkdir()
        put(folder, "x.json", [cases.ESCONV])
    settings = Settings(home=home, host="0.0.0.0", data_roots=(inside,))
    context = MemoryContext(tmp_path / "run", settings=settings)
    assert task.run(CorpusRequest(source=f"path:{inside / 'x.json'}"), context).dialogues == 1
    with pytest.raises(UserError, match="outside the folders this server may read"):
        task.run(CorpusRequest(source=f"path:{outside / 'x.json'}"), context)


def test_nothing_there_and_nothing_usable(home: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingResource):
        done(tmp_path, tmp_path / "nothing.json")
    with pytest.raises(UserError, match="none of the known formats"):
        done(tmp_path, put(tmp_path, "x.json", [1, 2]))
    assert not (tmp_path / "run" / "artifacts" / "dialogues.jsonl").exists()


def test_the_limit_and_a_cancel(home: Path, tmp_path: Path) -> None:
    path = put(tmp_path, "m.jsonl", [cases.MULTIESC] * 80)
    assert done(tmp_path, path, limit=30)[1].dialogues == 30
    context = MemoryContext(tmp_path / "stopped", cancel_after=3)
    with pytest.raises(Cancelled):
        task.run(CorpusRequest(source=f"path:{path}"), context)
    assert not (context.run / "artifacts" / "dialogues.jsonl").exists()


@pytest.mark.parametrize(
    ("field", "value"), [("format", "word"), ("limit", -1), ("source", ""), ("strategy_set", "own")]
)
def test_a_wrong_request_is_refused(field: str, value: object) -> None:
    with pytest.raises(UserError, match=field):
        CorpusRequest(**{field: value})


def test_request_and_result_go_to_json_and_back(home: Path, tmp_path: Path) -> None:
    request = CorpusRequest(source="path:/x", format="smile", limit=3)
    assert from_json(CorpusRequest, to_json(request)) == request
    _, result = done(tmp_path, "sample")
    assert from_json(CorpusResult, json.loads(json.dumps(to_json(result)))) == result


def test_running_again_gives_the_same_file(home: Path, tmp_path: Path) -> None:
    path = put(tmp_path, "m.jsonl", [cases.MULTIESC, cases.PPDPP])
    first, _ = done(tmp_path, path)
    before = (first.run / "artifacts" / "dialogues.jsonl").read_bytes()
    again, _ = done(tmp_path, path)
    assert (again.run / "artifacts" / "dialogues.jsonl").read_bytes() == before
    assert Counter(artifacts(again).values())["dialogues"] == 1


# --- through the service, as the page starts it ---------------------------------------------------------------------

def test_the_page_starts_it_as_a_run_like_any_other(settings: Settings) -> None:
    service = Service(settings)
    run_id = service.submit("sweetiechat.import.v2", {}, visitor="ann", title="My file")
    run = service.wait("ann", run_id, 60)
    assert run.status == "succeeded", run.failure
    assert service.result("ann", run_id)["dialogues"] == 2
    names = [item.name for item in service.artifacts("ann", run_id)]
    assert names == ["dialogues.jsonl", "skipped.jsonl", "progress.json"]
    with pytest.raises(UserError):
        service.result("bob", run_id)


def test_a_file_that_is_gone_fails_with_the_reason(settings: Settings) -> None:
    service = Service(settings)
    gone = service.submit("sweetiechat.import.v2", {"source": "d" * 64}, visitor="ann")
    run = service.wait("ann", gone, 60)
    assert run.status == "failed" and "no longer here" in run.failure["cause"]


def test_the_first_version_of_the_task_is_gone(settings: Settings) -> None:
    with pytest.raises(UserError, match=r"sweetiechat\.import\.v1"):
        Service(settings).submit("sweetiechat.import.v1", {}, visitor="ann")


@pytest.mark.parametrize("label", ["Questions", "question", "[Question]", "Reflection of Feelings", "Other"])
def test_spellings_of_a_strategy_mean_one_strategy(home: Path, tmp_path: Path, label: str) -> None:
    rows = [{"speaker": "usr", "content": "Hello."},
            {"speaker": "Supporter", "annotation": {"strategy": label}, "content": "x"}]
    context, _ = done(tmp_path, put(tmp_path, "e.json", [{**cases.ESCONV, "dialog": rows}]))
    [one] = map(dialogue_from_json, read_lines(context.run / "artifacts" / "dialogues.jsonl"))
    assert one.turns[1].strategy in ("question", "reflection", "others") and one.turns[0].role == "seeker"


def test_an_unknown_label_is_left_out_and_named(home: Path, tmp_path: Path) -> None:
    rows = [{"speaker": "seeker", "content": "Hello."},
            {"speaker": "supporter", "annotation": {"strategy": "Shouting"}, "content": "x"}]
    context, result = done(tmp_path, put(tmp_path, "e.json", [cases.ESCONV, {**cases.ESCONV, "dialog": rows}]))
    assert (result.dialogues, result.skipped) == (1, 1)
    assert "Shouting" in read_lines(context.run / "artifacts" / "skipped.jsonl")[0]["why"]


def test_a_byte_order_mark_does_no_harm(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "bom.json"
    path.write_text("\ufeff" + json.dumps([cases.ESCONV]), encoding="utf-8")
    assert done(tmp_path, path)[1].dialogues == 1
