"""Models of a reproduction: one name wherever project and home lie, another for other data, nothing trained twice."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from backends.sm2 import reproduce_bundled, reproduce_models, reproduce_real
from backends.sm2.corpora import as_text
from backends.sm2.reproduce_models import key, trained
from backends.sm2.requests import TrainRequest
from backends.sm2.storage import open_translator
from backends.sm2.train import run as really_train
from tests.backends.sm2_cases import LANGUAGE, folder_of, some
from workbench.context import MemoryContext
from workbench.contract import Cancelled, MissingResource

TEXT = as_text(LANGUAGE, some(60, 1))


def files(place: Path) -> Path:
    place.mkdir(parents=True)
    for name, lines in (("a.de", TEXT.source), ("a.en", TEXT.target)):
        (place / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return place


def asked(place: Path, **fields) -> TrainRequest:
    small = {"vocabulary": 200, "width": 16, "inner": 32, "heads": 2, "layers": 1, "tokens": 256, "held_out": 4}
    source, target = (f"path:{place}/a.de",), (f"path:{place}/a.en",)
    return TrainRequest(**{"source": source, "target": target, "max_steps": 3, "warmup": 1, **small, **fields})


def test_a_name_is_the_same_wherever_the_files_lie(tmp_path: Path) -> None:
    one, two = files(tmp_path / "one"), files(tmp_path / "far" / "away")
    assert key(asked(one)) == key(asked(two)) and re.fullmatch("[0-9a-f]{12}", key(asked(one)))


def test_the_home_of_the_user_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files(tmp_path / "data")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert key(asked(Path("~/data"))) == key(asked(tmp_path / "data"))


@pytest.mark.parametrize(
    "fields", [{"seed": 1}, {"max_steps": 4}, {"objective": "offline"}, {"name": "another"}, {"target": ()}], ids=str
)
def test_another_training_has_another_name(tmp_path: Path, fields: dict) -> None:
    place = files(tmp_path / "one")
    assert key(asked(place, **fields)) != key(asked(place))


def test_a_byte_of_the_data_or_their_name_makes_another_training(tmp_path: Path) -> None:
    place = files(tmp_path / "one")
    before = key(asked(place))
    with (place / "a.en").open("ab") as file:
        file.write(b"\n")
    after = key(asked(place))
    shutil.copy(place / "a.de", place / "b.de")
    assert len({before, after, key(asked(place, source=(f"path:{place}/b.de",)))}) == 3


def test_sides_are_not_confused(tmp_path: Path) -> None:
    place = files(tmp_path / "one")
    swapped = asked(place, source=(f"path:{place}/a.en",), target=(f"path:{place}/a.de",))
    assert key(swapped) != key(asked(place))


def test_a_model_to_begin_with_counts_by_its_weights(tmp_path: Path) -> None:
    place = files(tmp_path / "one")
    start = folder_of(tmp_path / "here" / "model")
    moved = Path(shutil.copytree(start, tmp_path / "there" / "model"))
    (moved / "README.md").write_text("trained on another day\n", encoding="utf-8")
    names = [key(asked(place, start=f"path:{folder}")) for folder in (start, moved)]
    assert names[0] == names[1] != key(asked(place))
    data = bytearray((moved / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (moved / "model.safetensors").write_bytes(bytes(data))
    assert key(asked(place, start=f"path:{moved}")) != names[0]


def test_other_references_are_taken_by_their_name(tmp_path: Path) -> None:
    place = files(tmp_path / "one")
    found = {key(asked(place, start=name)) for name in ("", "hub:a/b", "hub:a/b@1", "run:x", "practice")}
    assert len(found) == 5
    assert len(key(TrainRequest())) == 12, "the order language has no file"


@pytest.mark.parametrize("field", ["source", "target", "start"])
def test_a_file_that_is_missing_is_named(tmp_path: Path, field: str) -> None:
    value = f"path:{tmp_path}/nowhere.txt"
    with pytest.raises(MissingResource, match=r"nowhere\.txt is not at"):
        key(asked(files(tmp_path / "one"), **{field: value if field == "start" else (value,)}))


def test_trained_once_and_used_again_after_a_move(
    settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = files(tmp_path / "one")
    model = trained(asked(one), tmp_path / "home", "small", settings)
    assert model.parts[-3:] == (f"small-{key(asked(one))}", "artifacts", "model") and open_translator(model).ready
    assert re.search(r"small: [\d,]+ weights, 3 steps, .* nats a token", capsys.readouterr().out)

    def never(*_: object) -> None:
        raise AssertionError("trained twice")

    monkeypatch.setattr(reproduce_models, "train", never)
    two = files(tmp_path / "two")
    home = shutil.move(tmp_path / "home", tmp_path / "elsewhere")
    again = trained(asked(two), Path(home), "small", settings)
    assert again.relative_to(home) == model.relative_to(tmp_path / "home") and open_translator(again).ready
    assert capsys.readouterr().out == ""
    with pytest.raises(AssertionError, match="twice"):
        trained(asked(two, seed=9), Path(home), "small", settings)


@pytest.mark.parametrize("moved", [False, True])
def test_a_training_that_was_cut_off_goes_on(
    settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved: bool
) -> None:
    """From its checkpoint where nothing has moved; anew where the data now lie elsewhere."""
    one = asked(files(tmp_path / "one"), max_steps=6, save_every=1)
    resumed = []

    def cut(request: TrainRequest, context: MemoryContext) -> object:
        return really_train(request, MemoryContext(context.run, cancel_after=6))

    monkeypatch.setattr(reproduce_models, "train", cut)
    with pytest.raises(Cancelled):
        trained(one, tmp_path / "home", "small", settings)
    (place,) = (tmp_path / "home").iterdir()
    assert list((place / "checkpoints").glob("step-*")) and not (place / "artifacts" / "model").exists()

    def on(request: TrainRequest, context: MemoryContext) -> object:
        resumed.append(bool(list((context.run / "checkpoints").glob("step-*"))))
        return really_train(request, context)

    monkeypatch.setattr(reproduce_models, "train", on)
    two = asked(files(tmp_path / "two"), max_steps=6, save_every=1) if moved else one
    model = trained(two, tmp_path / "home", "small", settings)
    assert resumed == [not moved] and model.parent.parent == place and open_translator(model).ready


def test_both_reproductions_name_their_models_so(settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = files(tmp_path / "one")
    seen = []

    def train(request: TrainRequest, context: MemoryContext) -> object:
        seen.append(context.run)
        return really_train(replace(request, max_steps=1), context)

    monkeypatch.setattr(reproduce_models, "train", train)
    reproduce_real.trained(asked(place), settings, "offline")
    reproduce_bundled.trained(asked(place), tmp_path / "bundled", settings)
    digits = key(asked(place))
    assert seen == [settings.home / "reproduce" / f"sm2-offline-{digits}", tmp_path / "bundled" / f"tatoeba-{digits}"]
