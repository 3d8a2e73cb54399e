"""The rules of the tree, as tests: which way imports point, how large things are, what is never done."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOP_LEVEL = {"workbench", "panels", "backends", "assets", "tests", "requirements.txt", "launch.py", "README.md"}
ALLOWED_BESIDE = {"LICENSE", ".ci", ".gitignore", "ruff.toml", "mypy.ini", ".git", ".venv"}
GRADIO_MAY_LIVE_IN = {"panels", "workbench/widgets", "workbench/forms.py", "workbench/shell.py",
                      "workbench/security.py", "workbench/panel.py", "workbench/theme.py", "workbench/bench_page.py"}
MODULE_LINES, FUNCTION_LINES = 300, 60


def tracked(*suffixes: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True,
                            capture_output=True, check=True).stdout.split("\n")
    return [ROOT / name for name in listed if name and name.endswith(suffixes) and (ROOT / name).exists()]


def source() -> list[Path]:
    return [p for p in tracked(".py") if "tests" not in p.relative_to(ROOT).parts]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def area(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


def run_python(code: str) -> dict:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, timeout=180)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().split("\n")[-1])


def test_the_top_level_is_as_fixed() -> None:
    names = {p.relative_to(ROOT).parts[0] for p in tracked("")}
    assert names >= TOP_LEVEL, f"missing: {TOP_LEVEL - names}"
    assert names <= TOP_LEVEL | ALLOWED_BESIDE, f"unexpected: {names - TOP_LEVEL - ALLOWED_BESIDE}"


CONTRACT = {"workbench.contract", "workbench.fields", "workbench.files", "workbench.evidence"}
HARNESS = ("bench", "reproduce", "conditioning")
"""Modules that stand beside the command line and play the shell: they make contexts of their own."""


def test_imports_point_one_way() -> None:
    wrong = []
    for path in source():
        here, harness = area(path), path.stem.startswith(HARNESS)
        for name in imports(path):
            top = name.split(".")[0]
            up = top == "workbench" and name not in CONTRACT and not harness
            refused = top == "panels" or up if here == "backends" else top in {"panels", "backends"}
            if here in {"backends", "workbench"} and refused:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_gradio_stays_where_it_belongs() -> None:
    wrong = [str(p.relative_to(ROOT)) for p in source() if any(n.split(".")[0] == "gradio" for n in imports(p))
             and not any(str(p.relative_to(ROOT)).startswith(ok) for ok in GRADIO_MAY_LIVE_IN)]
    assert not wrong, wrong


def test_torch_is_never_imported_on_the_page_side() -> None:
    """The doctor looks at torch from the command line; nothing that serves a page does."""
    wrong = [str(p.relative_to(ROOT)) for p in source() if area(p) in {"panels", "workbench"}
             and "doctor" not in p.name
             and any(n.split(".")[0] in {"torch", "transformers", "peft", "accelerate"} for n in imports(p))]
    assert not wrong, wrong


def test_importing_every_backend_leaves_gradio_and_torch_out() -> None:
    loaded = run_python(
        "import sys, json\nfrom workbench import registry\nregistry.tasks()\n"
        "print(json.dumps({'failed': registry.failures(), 'heavy': [m for m in ('gradio','torch','transformers') "
        "if m in sys.modules]}))")
    assert loaded == {"failed": {}, "heavy": []}


def test_building_every_panel_leaves_torch_out(home: Path) -> None:
    loaded = run_python(
        "import sys, json\nfrom workbench.settings import load_settings\nfrom workbench.service import Service\n"
        "from workbench import shell\nshell.build(Service(load_settings()))\n"
        "print(json.dumps([m for m in ('torch','transformers') if m in sys.modules]))")
    assert loaded == []


def test_modules_have_one_idea_and_functions_fit_a_screen() -> None:
    long = []
    for path in source():
        lines = path.read_text(encoding="utf-8").count("\n")
        if lines > MODULE_LINES:
            long.append(f"{path.relative_to(ROOT)}: {lines} lines")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                size = (node.end_lineno or 0) - node.lineno + 1
                if size > FUNCTION_LINES:
                    long.append(f"{path.relative_to(ROOT)}: {node.name} {size} lines")
    assert not long, "\n".join(long)


def test_launch_is_short_and_uses_the_standard_library_only() -> None:
    path = ROOT / "launch.py"
    assert path.read_text(encoding="utf-8").count("\n") < 120
    assert {n.split(".")[0] for n in imports(path)} <= set(sys.stdlib_module_names) | {"workbench"}


def test_contract_registry_fields_and_settings_use_the_standard_library_only() -> None:
    for name in ("contract", "registry", "fields", "settings"):
        tops = {n.split(".")[0] for n in imports(ROOT / "workbench" / f"{name}.py")}
        assert tops <= set(sys.stdlib_module_names) | {"workbench"}, name


def test_everything_public_says_what_it_is() -> None:
    silent = []
    for path in source():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if not ast.get_docstring(tree):
            silent.append(str(path.relative_to(ROOT)))
        silent += [f"{path.relative_to(ROOT)}: {node.name}" for node in tree.body
                   if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
                   and not ast.get_docstring(node)]
    assert not silent, "\n".join(silent)


FORBIDDEN = [
    (r"^\s*(import|from) c?pickle\b|\bpickle\.loads?\(", "pickled data can run code"),
    (r"torch\.load\((?!.*weights_only=True)", "torch.load without weights_only"),
    (r"trust_remote_code=True", "remote code is off unless the settings say so"),
    (r"\bnp\.random\.(seed|rand|choice|normal|shuffle)\b", "global numpy randomness"),
    (r"(?<!\.)\brandom\.(seed|random|choice|choices|shuffle|sample|randint|gauss|uniform)\(", "global randomness"),
    (r"\b(TODO|FIXME|XXX)\b", "unfinished work"),
    (r"raise NotImplementedError", "a stub"),
    (r"shell=True", "a shell between us and a child"),
    (r"/work/|/root/", "a path of one machine"),
    (r"(?<![.\w])eval\(", "evaluating text"),
]


@pytest.mark.parametrize(("pattern", "why"), FORBIDDEN)
def test_never_done(pattern: str, why: str) -> None:
    found = [f"{p.relative_to(ROOT)}:{i}" for p in source()
             for i, line in enumerate(p.read_text(encoding="utf-8").split("\n"), 1) if re.search(pattern, line)]
    assert not found, f"{why}: {found}"


def test_no_module_level_mutable_state() -> None:
    """A lower-case module global, or any rebinding through ``global``, is state that visitors would share."""
    wrong = []
    for path in source():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        wrong += [f"{path.relative_to(ROOT)}:{n.lineno} global" for n in ast.walk(tree) if isinstance(n, ast.Global)]
        for node in tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else (
                [node.target] if isinstance(node, ast.AnnAssign) else [])
            wrong += [f"{path.relative_to(ROOT)}:{node.lineno} {t.id}" for t in targets
                      if isinstance(t, ast.Name) and t.id.islower() and not t.id.startswith("__")
                      and isinstance(node.value, ast.Dict | ast.List | ast.Set)]
    assert not wrong, "\n".join(wrong)


def non_blank(paths: list[Path]) -> int:
    return sum(sum(1 for line in p.read_text(encoding="utf-8").split("\n") if line.strip()) for p in paths)


def test_there_is_at_least_a_line_of_test_for_a_line_of_source() -> None:
    tests = [p for p in tracked(".py") if area(p) == "tests"]
    assert non_blank(tests) >= non_blank(source()), f"{non_blank(tests)} test lines, {non_blank(source())} source lines"


def test_nothing_large_and_nothing_binary_slips_in() -> None:
    big = [str(p.relative_to(ROOT)) for p in tracked("") if p.is_file() and p.stat().st_size > 25 * 2**20]
    assert not big
    total = sum(p.stat().st_size for p in tracked("") if p.is_file())
    assert total < 100 * 2**20
    pickles = [str(p.relative_to(ROOT)) for p in tracked(".pt", ".pth", ".bin", ".pkl", ".pickle", ".ckpt")]
    assert not pickles


@pytest.mark.parametrize("removed", ["panels/dialogue.py", "panels/runs.py", "backends/sweetiechat"])
def test_removing_a_part_breaks_nothing_else(removed: str, tmp_path: Path, home: Path) -> None:
    import shutil

    copy = tmp_path / "tree"
    for top in ("workbench", "panels", "backends", "assets"):
        shutil.copytree(ROOT / top, copy / top, ignore=shutil.ignore_patterns("__pycache__"))
    gone = copy / removed
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    code = ("import json, sys\nsys.path.insert(0, '.')\nfrom workbench import registry, shell\n"
            "from workbench.settings import load_settings\nfrom workbench.service import Service\n"
            "shell.build(Service(load_settings()))\n"
            "print(json.dumps({'tasks': sorted(registry.tasks()), 'failed': sorted(registry.failures())}))")
    import os

    done = subprocess.run([sys.executable, "-c", code], cwd=copy, text=True, capture_output=True, timeout=180,
                          env={**os.environ, "PYTHONPATH": str(copy)})
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.strip().split("\n")[-1])
    assert "common.fetch_model.v1" in told["tasks"]
    assert told["failed"] == (["backends.sweetiechat"] if removed == "backends/sweetiechat" else [])
