"""Neural metrics inside a comparison: signatures, tests on their segment scores, what is missing, COMET's program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from backends.common.mt import TASKS, comet, neural
from backends.common.mt.comet import INSTALL, Model, open_model, program, strangers, version
from backends.common.mt.compare import run
from backends.common.mt.practice import practice
from backends.common.mt.requests import CompareRequest, accelerated
from tests.backends.mt_neural_cases import make_encoder
from workbench.context import MemoryContext
from workbench.contract import Cancelled, MissingResource, UserError
from workbench.fields import to_json

SMALL = {"resamples": 100, "trials": 100}
SCORER = """#!{python}
import json, os, sys, time
given = sys.argv[1:]
if os.environ.get("COMET_FAILS"):
    sys.exit("OSError: xlm-roberta-large is not here")
if os.environ.get("COMET_SLEEPS"):
    open(os.environ["COMET_SLEEPS"], "w").write(str(os.getpid()))
    time.sleep(60)
at = {{name: given.index(name) for name in ("-s", "-t", "-r", "--model", "--to_json", "--gpus")}}
lines = lambda name: [line.rstrip("\\n") for line in open(name, encoding="utf-8", newline="\\n")]
source, reference = lines(given[at["-s"] + 1]), lines(given[at["-r"] + 1])
told = {{}}
for name in given[at["-t"] + 1:at["-r"]]:
    told[name] = [{{"src": s, "mt": m, "ref": r, "COMET": 1 / (1 + abs(len(m) - len(r)) + 0 * len(s))}}
                  for s, m, r in zip(source, lines(name), reference)]
if os.environ.get("COMET_LOSES"):
    told["0.txt"].pop()
json.dump(told, open(given[at["--to_json"] + 1], "w"))
json.dump({{"argv": given, "path": os.environ.get("PYTHONPATH"), "source": source}},
          open(os.environ["COMET_TELLS"], "w"))
"""


def context(tmp_path: Path, **options) -> MemoryContext:
    return MemoryContext(tmp_path / "run", **options)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment with a program that takes and writes what ``comet-score`` does; it scores by lengths."""
    root = tmp_path / "comet"
    (root / "bin").mkdir(parents=True)
    (root / "lib" / "python3.11" / "site-packages" / "unbabel_comet-2.2.7.dist-info").mkdir(parents=True)
    script = root / "bin" / "comet-score"
    script.write_text(SCORER.format(python=sys.executable), encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("COMET_TELLS", str(tmp_path / "told.json"))
    monkeypatch.setenv("PYTHONPATH", "of this workbench")
    return script


@pytest.fixture
def model(tmp_path: Path) -> Path:
    import torch

    folder = tmp_path / "wmt22-tiny"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "hparams.yaml").write_text("class_identifier: regression_metric\n", encoding="utf-8")
    torch.save({"state_dict": {"w": torch.zeros(3)}, "hyper_parameters": {"layer": "mix"}},
               folder / "checkpoints" / "model.ckpt")
    return folder


def test_bertscore_in_a_comparison(tmp_path: Path) -> None:
    folder = make_encoder(tmp_path / "my-bert")
    made = context(tmp_path)
    result = run(CompareRequest(metrics=("chrf", "bertscore"), neural_model=f"path:{folder}", neural_layer=2,
                                neural_idf=True, **SMALL), made)
    signature = result.signatures["bertscore"]
    digest = neural.fingerprint(folder, context(tmp_path))
    assert signature == f"nrefs:1|model:my-bert|hash:{digest}|layer:2|idf:yes|rescaled:no|scale:100"
    rows = {row.system: row for row in result.rows if row.metric == "bertscore"}
    assert set(rows) == {"plain", "free", "word for word"}
    assert all(row.low <= row.score <= row.high and 0 < row.score <= 100 for row in rows.values())
    told = json.loads((made.run / "artifacts" / "comparison.json").read_text(encoding="utf-8"))
    tests = told["metrics"]["bertscore"]["tests"]
    assert len(tests["pairs"]) == 3 and all(0 < pair["randomisation"] <= 1 for pair in tests["pairs"])
    assert set(told["metrics"]["bertscore"]["buckets"]) == {"length", "source frequency", "domain"}
    parts = json.loads((made.run / "artifacts" / "bertscore.json").read_text(encoding="utf-8"))
    assert parts["systems"]["plain"]["f"] == pytest.approx(rows["plain"].score, abs=1e-3)
    assert {"precision", "recall", "f"} == set(parts["systems"]["free"])


def test_a_neural_metric_alone_sorts_the_segments(tmp_path: Path) -> None:
    folder = make_encoder(tmp_path / "bert")
    made = context(tmp_path)
    run(CompareRequest(metrics=("bertscore",), neural_model=f"path:{folder}", **SMALL), made)
    rows = [json.loads(line) for line in (made.run / "artifacts" / "segments.jsonl").read_text("utf-8").splitlines()]
    assert rows[0]["metric"] == "bertscore" and len(rows) == 12
    exact = [row for row in rows if row["translations"]["plain"] == row["references"]["reference"]]
    assert exact and all(row["scores"]["plain"] == pytest.approx(100, abs=1e-3) for row in exact)


def test_the_fingerprint_is_that_of_the_model(tmp_path: Path) -> None:
    one, two = make_encoder(tmp_path / "one"), make_encoder(tmp_path / "two", seed=1)
    first, second = (neural.fingerprint(path, context(tmp_path)) for path in (one, two))
    assert first != second and len(first) == 12 and first == neural.fingerprint(one, context(tmp_path))
    (one / "README.md").write_text("words", encoding="utf-8")
    assert neural.fingerprint(one, context(tmp_path)) == first, "a card does not change what is measured"


@pytest.mark.parametrize(("reference", "label"), [
    ("hub:google-bert/bert-base-cased@main", "bert-base-cased"), ("path:/models/my bert/", "my bert"),
    ("bundled:small", "small")])
def test_a_signature_never_says_where_a_model_lies(reference: str, label: str) -> None:
    assert neural.label(reference) == label


def test_a_one_sided_model_is_remarked(tmp_path: Path, tiny_lm: Path) -> None:
    result = run(CompareRequest(metrics=("bertscore",), neural_model=f"path:{tiny_lm}", **SMALL), context(tmp_path))
    assert any("sees only what stands before" in text for text in result.warnings)


def test_texts_that_were_cut_are_remarked(tmp_path: Path) -> None:
    folder = make_encoder(tmp_path / "short", positions=8)
    result = run(CompareRequest(metrics=("bertscore",), neural_model=f"path:{folder}", **SMALL), context(tmp_path))
    assert any("longer than the 8 word pieces" in text for text in result.warnings)


@pytest.mark.parametrize(("fields", "words"), [
    ({"metrics": ("bertscore",)}, "neural_model is empty"),
    ({"metrics": ("comet",)}, "comet_model is empty"),
    ({"metrics": ("bleu", "bleu")}, "bleu more than once"),
    ({"metrics": ("bertscor",), "neural_model": "x"}, "metrics has bertscor"),
    ({"metrics": ("bertscore",), "neural_model": "x", "neural_layer": -1}, "neural_layer"),
])
def test_a_request_is_checked_before_anything_is_loaded(fields: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        CompareRequest(**fields)


def test_a_model_that_is_not_here(tmp_path: Path) -> None:
    for reference in (f"path:{tmp_path}/nothing", "endpoint:http://127.0.0.1:1/v1"):
        with pytest.raises(MissingResource if reference.startswith("path") else UserError):
            run(CompareRequest(metrics=("bertscore",), neural_model=reference, **SMALL), context(tmp_path))


@pytest.mark.parametrize(("metrics", "slots"), [
    (("bleu", "ter"), ("cpu",)), (("bleu", "comet"), ("gpu",)), (("bertscore",), ("gpu",))])
def test_only_a_network_waits_for_an_accelerator(metrics: tuple, slots: tuple) -> None:
    fields = to_json(CompareRequest(metrics=metrics, neural_model="x", comet_model="x"))
    assert TASKS[0].needs.of(fields).slots == slots
    assert not accelerated({}) and not accelerated({"metrics": "comet"})


def test_torch_stays_out_of_a_comparison_without_it() -> None:
    code = ("import sys, tempfile; from pathlib import Path; from workbench.context import MemoryContext\n"
            "from backends.common.mt.compare import run; from backends.common.mt.requests import CompareRequest\n"
            "run(CompareRequest(resamples=10, trials=10), MemoryContext(Path(tempfile.mkdtemp())))\n"
            "print([m for m in ('torch', 'transformers') if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"


def test_comet_in_a_comparison(tmp_path: Path, installed: Path, model: Path) -> None:
    result = run(CompareRequest(metrics=("comet",), comet_model=f"path:{model}", **SMALL), context(tmp_path))
    told = json.loads((tmp_path / "told.json").read_text(encoding="utf-8"))
    argv = told["argv"]
    assert argv[argv.index("--model") + 1] == str(model / "checkpoints" / "model.ckpt")
    assert argv[argv.index("--gpus") + 1] == "0" and told["path"] is None, "an environment of its own"
    assert told["source"] == list(practice().source or ())
    sample = practice()
    lengths = [(len(m), len(r)) for m, r in zip(sample.systems["free"], sample.references["reference"], strict=True)]
    expected = 100 * sum(1 / (1 + abs(m - r)) for m, r in lengths) / 12
    assert next(row.score for row in result.rows if row.system == "free") == pytest.approx(expected)
    assert result.signatures["comet"].startswith("nrefs:1|model:wmt22-tiny|hash:")
    assert result.signatures["comet"].endswith("scale:100|unbabel-comet:2.2.7")


def test_comet_takes_one_reference_and_needs_a_source(tmp_path: Path, installed: Path, model: Path) -> None:
    texts = {"a": "one\ntwo\n", "b": "one\ntwos\n", "r": "one\ntwo\n", "r2": "1\n2\n", "s": "eins\nzwei\n"}
    for name, text in texts.items():
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    asked = {"systems": (f"path:{tmp_path}/a.txt", f"path:{tmp_path}/b.txt"), "metrics": ("comet",),
             "references": (f"path:{tmp_path}/r.txt", f"path:{tmp_path}/r2.txt"),
             "comet_model": f"path:{model}", **SMALL}
    with pytest.raises(UserError, match="comet needs the source text"):
        run(CompareRequest(**asked), context(tmp_path))
    result = run(CompareRequest(**asked, source=f"path:{tmp_path}/s.txt"), context(tmp_path))
    assert any("one reference; r was taken" in text for text in result.warnings)
    assert {row.system: row.score for row in result.rows} == {"a": 100.0, "b": 75.0}


def test_a_line_end_inside_a_segment_does_not_shift_the_others(tmp_path: Path, installed: Path, model: Path) -> None:
    opened = open_model(model, lambda: None)
    lines = ["one\ntwo", "\u2028x", "", "c\r\nd"]
    found = comet.comet(program(), opened, {"a": lines, "a/b": lines}, lines, lines, "cpu", lambda: None)
    assert found == {"a": [100.0] * 4, "a/b": [100.0] * 4}


def test_without_the_program_the_command_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingResource) as told:
        run(CompareRequest(metrics=("comet",), comet_model=f"path:{model}", **SMALL), context(tmp_path))
    assert INSTALL in str(told.value) and "unbabel-comet" in INSTALL


@pytest.mark.parametrize(("variable", "words"), [
    ("COMET_FAILS", "comet-score ended with 1: OSError: xlm-roberta-large is not here"),
    ("COMET_LOSES", "gave 11, 12, 12 scores for 12 segments")])
def test_a_program_that_fails_is_quoted(variable: str, words: str, tmp_path: Path, installed: Path, model: Path,
                                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(UserError, match=words):
        run(CompareRequest(metrics=("comet",), comet_model=f"path:{model}", **SMALL), context(tmp_path))


def test_output_that_cannot_be_read(tmp_path: Path, model: Path) -> None:
    silent = tmp_path / "comet-score"
    silent.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    silent.chmod(0o755)
    with pytest.raises(UserError, match="cannot be read"):
        comet.comet(silent, open_model(model, lambda: None), {"a": ["x"]}, ["x"], ["x"], "cpu", lambda: None)
    assert version(silent) == "unknown"


def test_a_cancel_ends_the_program(tmp_path: Path, installed: Path, model: Path,
                                   monkeypatch: pytest.MonkeyPatch) -> None:
    started = tmp_path / "started"
    monkeypatch.setenv("COMET_SLEEPS", str(started))
    asked = threading.Event()

    def tick() -> None:
        if started.exists() and started.read_text():
            asked.set()
            raise Cancelled

    with pytest.raises(Cancelled):
        comet.comet(program(), open_model(model, lambda: None), {"a": ["x"]}, ["x"], ["x"], "cpu", tick)
    assert asked.is_set()
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)


def test_a_checkpoint_that_could_run_code_is_refused(model: Path, tmp_path: Path) -> None:
    import torch

    assert strangers(model / "checkpoints" / "model.ckpt") == []
    torch.save({"state_dict": {}, "run": Runs()}, model / "checkpoints" / "model.ckpt")
    with pytest.raises(UserError, match=r"holds posix\.system, which is more than weights"):
        open_model(model, lambda: None)
    assert not (tmp_path / "ran").exists()
    (model / "checkpoints" / "model.ckpt").write_bytes(b"cut short")
    with pytest.raises(UserError, match="no checkpoint that can be read"):
        open_model(model, lambda: None)


class Runs:
    """An object whose pickle runs a command when it is read."""

    def __reduce__(self) -> tuple:
        return os.system, ("touch ran",)


def test_a_folder_that_is_no_comet_model(tmp_path: Path, model: Path) -> None:
    with pytest.raises(MissingResource, match=r"checkpoints/model\.ckpt and hparams\.yaml"):
        open_model(tmp_path / "nothing", lambda: None)
    assert open_model(model / "checkpoints" / "model.ckpt", lambda: None) == open_model(model, lambda: None)
    assert isinstance(open_model(model, lambda: None), Model)
    (model / "hparams.yaml").unlink()
    with pytest.raises(MissingResource, match="no COMET model"):
        open_model(model, lambda: None)
