"""Recipes, their hashes, word lists, and the records that they lead to."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from backends.mdfg.provenance import config_hash
from backends.mdfg.recipes import FOLDER, NEAR, Measure, Near, dump_recipe, load_recipe, presets
from backends.mdfg.records import (
    cwt2_record,
    document_id,
    given_of,
    judged,
    quality_column,
    quality_of,
    superset_record,
)
from backends.mdfg.rules.verdicts import Test
from backends.mdfg.words import NONE, WordList, load_words, read_words
from workbench.contract import UserError


@pytest.mark.parametrize("name", presets())
def test_presets_survive_yaml(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.note
    assert load_recipe(dump_recipe(recipe)) == recipe
    assert f"hash: {recipe.hash}" in dump_recipe(recipe).replace("'", "")


def test_the_default_is_the_published_code() -> None:
    recipe = load_recipe("")
    assert recipe.name == "zh-paper-code"
    assert [(t.column, t.drop_if, t.limit) for t in recipe.rules] == [
        ("n_chars", "<=", 200.0), ("mean_line", "<", 10.0), ("script_ratio", "<", 0.3), ("trad_changes", ">", 0.0),
        ("sens_ratio", ">", 0.5), ("dup_ratio", ">", 0.5)]
    assert recipe.near.mode == "mark", "the paper drops no near-duplicates"


def test_fineweb2_has_the_published_limits(shared: Path) -> None:
    import yaml

    theirs = yaml.safe_load((shared / "corpus" / "fineweb2_cmn_Hani.yml").read_text(encoding="utf-8"))
    ours = load_recipe("zh-fineweb2")
    limits = {(t.column, t.drop_if): t.limit for t in ours.rules}
    assert limits["lines_again", ">"] == theirs["dup_line_frac"]
    assert limits["line_punct", "<"] == theirs["line_punct_thr"]
    assert limits["newlines_a_word", ">"] == theirs["new_line_ratio"]
    assert limits["alpha_words", "<"] == theirs["max_non_alpha_words_ratio"]
    assert {n: limits[f"top_{n}gram", ">"] for n in (2, 3, 4)} == dict(theirs["top_n_grams"])
    assert {n: limits[f"again_{n}gram", ">"] for n in range(5, 11)} == dict(theirs["dup_n_grams"])
    assert list(ours.measure.stop_words) == theirs["stopwords"]


def test_a_hash_is_of_the_meaning() -> None:
    recipe = load_recipe("zh-paper-code")
    same = replace(recipe, name="other", note="x")
    assert same.hash == recipe.hash
    text = dump_recipe(recipe)
    assert load_recipe(text.replace("limit: 200.0", "limit: 200")).hash == recipe.hash, "layout and type do not matter"
    for other in (replace(recipe, rules=recipe.rules[:-1]), replace(recipe, rules=tuple(reversed(recipe.rules))),
                  replace(recipe, measure=Measure(gram=12)), replace(recipe, near=Near(mode="drop")),
                  recipe.with_scorers(("path:/a",))):
        assert other.hash != recipe.hash


def test_dropping_near_duplicates_is_the_last_rule() -> None:
    recipe = replace(load_recipe("zh-paper-code"), near=Near(mode="drop"))
    assert recipe.tests[-1] == NEAR
    assert recipe.names[-1] == "near_duplicate"
    written = replace(recipe, rules=(NEAR, *recipe.rules))
    assert written.names[0] == "near_duplicate"
    assert len(written.tests) == 7


@pytest.mark.parametrize(("text", "message"), [
    ("zh-papper-code", "There is no recipe named 'zh-papper-code'.*zh-paper-code"),
    ("name: [", "not valid YAML"),
    ("- a\n- b: c\n", "not a table"),
    ("name: x\nlanguage: zh\n", "needs the field rules"),
    ("name: x\nlanguage: zh\nrules: []\nlimits: 3\n", "no field limits"),
    ("name: x\nlanguage: zh\nrules:\n  - {rule: a, column: b, drop_if: '=', limit: 1}\n", "drop_if is '='"),
    ("name: x\nlanguage: zh\nrules:\n  - {rule: a, column: b, drop_if: '<', limit: .inf}\n", "finite"),
    ("name: x\nlanguage: zh\nrules:\n  - {rule: a, column: b, drop_if: '<', limit: high}\n", "limit is 'high'"),
    ("name: x\nlanguage: zh\nrules: []\nmeasure: {script: runes}\n", "no script named 'runes'"),
    ("name: x\nlanguage: zh\nrules: []\nmeasure: {splitter: words}\n", "no word splitter"),
    ("name: x\nlanguage: zh\nrules: []\nnear: {bands: 50, rows: 9}\n", "bands x rows is 450"),
    ("name: x\nlanguage: zh\nrules: 5\n", "rules is 5"),
    ("name: !!python/object/apply:os.system ['true']\nlanguage: zh\nrules: []\n", "not valid YAML"),
    ("a: &a [1]\nb: *a\n", "aliases"),
    ("x: " + "[" * 3000, "not valid YAML"),
    ("#" * 300_000 + "\n", "at most 200,000")])
def test_a_bad_recipe_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_recipe(text)


def test_at_most_32_rules() -> None:
    rules = tuple(Test(f"r{i}", "n_chars", "<", float(i)) for i in range(33))
    with pytest.raises(UserError, match="33 rules"):
        replace(load_recipe(""), rules=rules)


def test_recipe_files_hold_no_word_lists_but_stop_words() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.yaml")) == list(presets())


def test_word_lists(tmp_path: Path) -> None:
    path = tmp_path / "own.txt"
    path.write_text("\ufeff# comment\nspam\t买一送一\n买一送一\r\n\n  裸词  \n", encoding="utf-8")
    made = load_words(f"path:{path}", lambda reference: Path(reference.removeprefix("path:")))
    assert made.words == ("买一送一", "裸词")
    assert made.category(0) == "spam"
    assert made.category(1) == ""
    assert load_words(NONE, lambda _: path) == WordList(NONE)
    assert load_words("", lambda _: path).words == ()
    assert made.hash != WordList("x", ("买一送一",), ("spam",)).hash


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_bundled_lists_are_about_trade_only(language: str) -> None:
    made = load_words(f"bundled:{language}", lambda _: Path())
    assert set(made.categories) == {"advertising", "gambling", "spam"}
    assert len(made.words) >= 40
    assert len(set(made.words)) == len(made.words)


@pytest.mark.parametrize(("data", "message"), [
    (b"\xff\xfe\x00", "not UTF-8"), (b"a\0b\n", "line 1: it is binary"), (b"# only this\n\n", "has no word")])
def test_a_file_that_is_no_word_list(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(data)
    with pytest.raises(UserError, match=message):
        read_words(path)
    with pytest.raises(UserError, match="no bundled word list named 'fr'"):
        load_words("bundled:fr", lambda _: path)


def test_the_hash_of_a_configuration_covers_everything() -> None:
    recipe, words = load_recipe(""), WordList("w", ("a",), ("",))
    one = config_hash(recipe, words, ["v1"])
    assert len(one) == 16
    assert one == config_hash(load_recipe("zh-paper-code"), words, ["v1"])
    others = {config_hash(recipe, words, ["v2"]), config_hash(recipe, WordList("w"), ["v1"]),
              config_hash(load_recipe("zh-ratio"), words, ["v1"])}
    assert one not in others
    assert len(others) == 3


SCORED = {"domain.law": 0.8, "domain.news": 0.35, "domain.math": 0.1, "toxicity.0": 0.005, "toxicity.1": 0.995,
          "quality.good": 0.75, "n_chars": 3}


def test_the_exact_form_of_chinesewebtext_2() -> None:
    assert cwt2_record("文本", SCORED) == {
        "text": "文本", "domain": {"single_label": "law", "multi_label": ["law", "news"]},
        "toxicity": {"label": 1, "score": 0.995}, "quality_score": 0.75}
    assert list(cwt2_record("文本", SCORED)) == ["text", "domain", "toxicity", "quality_score"]
    assert judged("文本", {**SCORED, "toxicity.1": 0.9899})["toxicity"] == {"label": 0, "score": 0.9899}
    low = {**SCORED, "domain.law": 0.2, "domain.news": 0.1}
    assert judged("文本", low)["domain"] == {"single_label": "law", "multi_label": []}, "as in the official output"


def test_an_imported_record_comes_out_as_it_went_in() -> None:
    record = {"text": "文本", "domain": {"single_label": "news", "multi_label": ["news", "law"]},
              "toxicity": {"label": 0, "score": 1.0347e-05}, "quality_score": 0.96044921875}
    names = ("given.quality", "given.toxicity", "given.toxic", "given.domain", "given.domains")
    attributes = dict(zip(names, given_of(record), strict=True))
    assert cwt2_record("文本", attributes) == record
    assert quality_column(list(attributes)) == "given.quality"
    assert quality_column(["n_chars", "quality-zh.score", "given.quality"]) == "quality-zh.score"
    assert judged("文本", {**attributes, **SCORED})["quality_score"] == 0.75, "a scorer of this run comes first"


@pytest.mark.parametrize("record", [None, {}, {"domain": 3, "toxicity": "x", "quality_score": True},
                                    {"domain": {"multi_label": "x"}, "toxicity": {"score": None}}])
def test_a_record_without_scores_has_none(record: dict | None) -> None:
    quality, toxicity, toxic, domain, domains = given_of(record)
    assert all(math.isnan(value) for value in (quality, toxicity, toxic))
    assert (domain, domains) == ("", [])
    attributes = {"given.quality": quality, "given.toxicity": toxicity, "given.domain": domain}
    assert judged("文本", attributes) == {}
    assert quality_of(attributes) is None
    with pytest.raises(UserError, match="no domain and no toxicity and no quality_score"):
        cwt2_record("x", attributes)


def test_our_record_says_why_and_from_where() -> None:
    attributes = {"id": "i", "rule_fail": 5, "source": "a.jsonl", "number": 7, "n_chars": 2, "part": 0, "row": 3,
                  "dup_ratio": float("nan"), "kept": False}
    document = {"id": "i", "title": "t", "url": "", "site": None, "sensitive_spans": [0, 2], "duplication_spans": None}
    made = superset_record("坏", attributes, document, ("length", "script", "traditional"), "c0")
    assert made["rules_failed"] == ["length", "traditional"]
    assert made["source"] == {"name": "a.jsonl", "number": 7, "title": "t"}
    assert made["spans"] == {"sensitive": [0, 2], "duplication": []}
    assert made["attributes"]["dup_ratio"] is None
    assert made["config"] == "c0"
    assert document_id("坏") == document_id("坏") != document_id("好")
    assert len(document_id("\ud800")) == 32
