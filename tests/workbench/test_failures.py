"""Every kind of error gets a class, one line of cause and one line of advice."""

from __future__ import annotations

import csv
import errno
import json
import zipfile

import pytest

from workbench.contract import MissingResource, UserError
from workbench.failures import ADVICE, LINE, classify, failure, trace
from workbench.files import Damaged


class OutOfMemoryError(RuntimeError):
    """Stands for torch's own, which the page must know without importing torch."""


class SafetensorError(Exception):
    """Stands for that of safetensors."""


class MyYaml(Exception):
    """A base of a parser error."""


YAMLError = type("YAMLError", (MyYaml,), {})


def behind(outer: Exception, inner: Exception) -> Exception:
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(("error", "kind", "cause"), [
    (MemoryError(), "out of memory", "MemoryError"),
    (OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "out of memory", "Tried to allocate 2 GiB"),
    (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "out of memory", "Default"),
    (RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling"), "out of memory", "CUBLAS"),
    (OSError(errno.ENOMEM, "Cannot allocate memory"), "out of memory", "Cannot allocate"),
    (OSError(errno.ENOSPC, "No space left on device"), "disk full", "No space"),
    (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk full", "quota"),
    (behind(UserError("The disk is full: x."), OSError(errno.ENOSPC, "No space")), "disk full", "The disk is full: x."),
    (MissingResource("No model x.", advice="get x"), "missing resource", "No model x."),
    (behind(MissingResource("No model x."), ConnectionError("down")), "missing resource", "No model x."),
    (UserError("beta is 3; it must lie between 0 and 1."), "user error", "beta is 3; it must lie between 0 and 1."),
    (behind(UserError("It is down."), ConnectionRefusedError(111, "refused")), "user error", "It is down."),
    (ModuleNotFoundError("No module named 'x'"), "missing package", "No module named 'x'"),
    (ImportError("libcuda.so"), "missing package", "libcuda"),
    (json.JSONDecodeError("Expecting value", "x", 0), "bad data", "Expecting value"),
    (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "bad data", "invalid start byte"),
    (csv.Error("line contains NUL"), "bad data", "NUL"), (zipfile.BadZipFile("not a zip"), "bad data", "not a zip"),
    (EOFError("ended"), "bad data", "ended"), (Damaged("state.json is not valid"), "bad data", "state.json"),
    (SafetensorError("header too large"), "bad data", "header"), (YAMLError("tab"), "bad data", "tab"),
    (behind(ValueError("wrapped"), json.JSONDecodeError("deep", "x", 0)), "bad data", "deep"),
    (ConnectionRefusedError(111, "Connection refused"), "connection", "refused"),
    (TimeoutError("timed out"), "connection", "timed out"),
    (FileNotFoundError(2, "No such file", "/x/y"), "missing resource", "/x/y"),
    (PermissionError(13, "Permission denied", "/x"), "not permitted", "/x"),
    (ValueError("shapes differ"), "bug", "ValueError: shapes differ"), (KeyError("k"), "bug", "KeyError: 'k'"),
    (AssertionError(), "bug", "AssertionError"), (SystemExit(3), "bug", "SystemExit: 3"),
    (RuntimeError("something else"), "bug", "something else"), (NotADirectoryError(20, "Not a directory", "/x"),
                                                               "missing resource", "/x")])
def test_classes(error: BaseException, kind: str, cause: str) -> None:
    record = classify(error)
    assert record["class"] == kind and cause in record["cause"]
    assert record["advice"] and set(record) == {"class", "cause", "advice"}


@pytest.mark.parametrize("error", [UserError("Bad.", advice="Do this."), MissingResource("Gone.", advice="Do this.")])
def test_an_errors_own_advice_comes_first(error: UserError) -> None:
    assert classify(error)["advice"] == "Do this."
    assert classify(error)["cause"] == error.message, "the advice is not said twice"


@pytest.mark.parametrize("kind", sorted(ADVICE))
def test_every_class_has_advice_of_one_line(kind: str) -> None:
    record = failure(kind, "x")
    assert record["advice"] == ADVICE[kind] and "\n" not in record["advice"] and len(record["advice"]) <= LINE


def test_cause_and_advice_are_one_line_each() -> None:
    record = classify(UserError("a\nb\t c " + "x" * 1000, advice="d\n\ne"))
    assert record["cause"].startswith("a b c xxx") and record["cause"].endswith("...")
    assert len(record["cause"]) == LINE and record["advice"] == "d e"


def test_a_chain_that_bites_its_tail_ends() -> None:
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert classify(first)["class"] == "bug"


def test_the_trace_names_the_place() -> None:
    try:
        json.loads("{")
    except ValueError as error:
        text = trace(error)
    assert "test_the_trace_names_the_place" in text and "JSONDecodeError" in text
