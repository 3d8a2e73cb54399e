"""What another run made, as a reference: found inside its run only, and readable for those who may read the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from workbench import asking, hub
from workbench.contract import MissingResource, UserError
from workbench.files import append_line
from workbench.runs import create_run
from workbench.service import CLI, Service
from workbench.settings import Settings

ABSENT = "20260101T000000-abcdef"


def made(settings: Settings, owner: str, *, shared: bool = False) -> str:
    """A run with one artifact, a text."""
    run = create_run(settings.home, "toys.count.v1", {"steps": 1}, owner=owner, shared=shared)
    (run.path / "artifacts").mkdir(exist_ok=True)
    (run.path / "artifacts" / "words.txt").write_text("one two")
    append_line(run.path / "artifacts.jsonl", {"name": "words.txt", "path": "artifacts/words.txt", "kind": "text"})
    return run.id


@pytest.mark.parametrize("text", [f"run:{ABSENT}", f"run:{ABSENT}/words.txt", f" run:{ABSENT}/a b.json "])
def test_a_run_reference_is_read(text: str) -> None:
    assert hub.parse(text).kind == "run"
    assert str(hub.parse(text)) == text.strip()


@pytest.mark.parametrize("text", ["run:", "run:latest", "run:../secrets", f"run:{ABSENT}/../../x", f"run:{ABSENT}/a/b",
                                  f"run:{ABSENT}/", f"run:{ABSENT}x", f"run:{ABSENT}/a\\b"])
def test_what_is_no_run_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(UserError) as error:
        hub.parse(text)
    assert "run:ID[/ARTIFACT]" in error.value.advice


def test_an_artifact_and_the_folder_of_all(settings: Settings) -> None:
    run = made(settings, "ann")
    found = hub.resolve(f"run:{run}/words.txt", settings)
    assert found.path.read_text() == "one two"
    assert found.files[0]["size"] == 7
    assert hub.resolve(f"run:{run}", settings).path == settings.home / "runs" / run / "artifacts"
    assert hub.state(f"run:{run}/words.txt", settings).status == "ready"


def test_a_missing_run_or_artifact_is_said(settings: Settings) -> None:
    with pytest.raises(MissingResource, match="no run"):
        hub.resolve(f"run:{ABSENT}/words.txt", settings)
    with pytest.raises(UserError, match="no artifact"):
        hub.resolve(f"run:{made(settings, 'ann')}/other.txt", settings)
    assert hub.state(f"run:{ABSENT}", settings).status == "missing"


def test_a_link_out_of_the_run_is_not_followed(settings: Settings, tmp_path: Path) -> None:
    run = made(settings, "ann")
    (tmp_path / "secret").write_text("secret")
    place = settings.home / "runs" / run
    (place / "artifacts" / "out").symlink_to(tmp_path / "secret")
    append_line(place / "artifacts.jsonl", {"name": "out", "path": "artifacts/out", "kind": "text"})
    with pytest.raises(UserError, match="outside"):
        hub.resolve(f"run:{run}/out", settings)


def test_a_trained_model_of_a_run_has_its_card(settings: Settings, tiny_lm: Path) -> None:
    import shutil

    run = made(settings, "ann")
    place = settings.home / "runs" / run
    shutil.copytree(tiny_lm, place / "artifacts" / "model")
    append_line(place / "artifacts.jsonl", {"name": "model", "path": "artifacts/model", "kind": "model"})
    card = hub.card(f"run:{run}/model", settings)
    assert card.kind in ("chat", "base")
    assert card.parameters > 0


@pytest.mark.parametrize(("fields", "expected"), [
    ({"model": f"run:{ABSENT}/model"}, [ABSENT]),
    ({"data": ["practice", f"run:{ABSENT}"], "model": f"run:{ABSENT}/model"}, [ABSENT]),
    ({"origin": {"models": {"supporter": f"run:{ABSENT}/model"}}}, []),
    ({"recipe": f"name: mine\nmeasure:\n  words: run:{ABSENT}/words\nscorers: [run:{ABSENT}/scorer]\n"}, [ABSENT]),
    ({"recipe": "words: path:/list", "note": f"like prerun:{ABSENT}"}, []),
    ({"steps": 3, "text": "a run: of luck"}, []),
    ({"text": "run: it was a long one"}, [])])
def test_the_runs_that_a_request_names(fields: dict[str, Any], expected: list[str]) -> None:
    assert asking.runs_named(fields) == expected


def test_a_visitor_uses_no_run_of_another(settings: Settings) -> None:
    service = Service(settings)
    private, public = made(settings, "ann"), made(settings, "ann", shared=True)
    for run in (private, public):
        service.index.refresh(settings.home / "runs" / run)
    fields = {"reference": f"run:{private}/words.txt"}
    with pytest.raises(UserError, match="There is no run"):
        service.submit("common.fetch_model.v1", fields, visitor="bob")
    with pytest.raises(UserError, match="There is no run"):
        next(iter(service.stream("common.try_model.v1", {"reference": f"run:{private}/words.txt", "text": "hi"},
                                 visitor="bob")))
    for visitor, run in (("ann", private), ("bob", public), (CLI, private)):
        started = service.submit("common.fetch_model.v1", {"reference": f"run:{run}/words.txt"}, visitor=visitor)
        assert service.request(visitor, started)["parents"] == [run]
        service.wait(visitor, started, 60)
