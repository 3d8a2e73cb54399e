"""The forms around the engine: records, word lists, recipes, personal data, requests; and the pitfalls of each."""

from __future__ import annotations

import datetime
import json
import math
import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.mdfg import provenance, words
from backends.mdfg.recipes import Measure, Near, Recipe, dump_recipe, load_recipe, presets
from backends.mdfg.records import GIVEN_COLUMNS, cwt2_record, document_id, given_of, judged, superset_record
from backends.mdfg.requests import FilterRequest, FilterResult
from backends.mdfg.rules.counting import SCRIPTS
from backends.mdfg.rules.verdicts import Test
from backends.mdfg.text import personal
from backends.mdfg.text.splitting import SPLITTERS
from backends.mdfg.words import FOLDER, WordList, load_words, read_words
from tests.backends.corpus_cases import filtered, good_text, lines_of, write_lines
from workbench.contract import UserError
from workbench.fields import from_json, to_json

ROOT = Path(__file__).resolve().parents[2]
MANY = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAME = st.text("abcZ-_.中", min_size=1, max_size=12)
SHARE = st.floats(0, 1)
LABELS = ("encyclopedia", "book", "dialogue", "education", "finance", "law", "math", "news", "medicine", "technology",
          "general")
RECORD = st.fixed_dictionaries({
    "text": st.text(max_size=20), "domain": st.fixed_dictionaries({
        "single_label": st.sampled_from(LABELS), "multi_label": st.lists(st.sampled_from(LABELS), max_size=4)}),
    "toxicity": st.fixed_dictionaries({"label": st.sampled_from([0, 1]), "score": SHARE}), "quality_score": SHARE})


def imported(record: dict[str, Any]) -> dict[str, Any]:
    return dict(zip(GIVEN_COLUMNS, given_of(record), strict=True))


# --- records


@MANY
@given(RECORD)
def test_a_record_of_chinesewebtext_comes_out_as_it_went_in(record: dict[str, Any]) -> None:
    made = cwt2_record(record["text"], imported(record))
    assert made == record
    assert list(made) == ["text", "domain", "toxicity", "quality_score"], "the order of the published form"


def test_records_of_chinesewebtext_through_files(tmp_path: Path) -> None:
    draw = random.Random(6)
    made = [{"text": good_text(250)[i:] + "。" * i, "domain": {"single_label": draw.choice(LABELS), "multi_label": []},
             "toxicity": {"label": int(draw.random() < 0.5), "score": draw.random()}, "quality_score": draw.random()}
            for i in range(30)]
    path = write_lines(tmp_path / "a.jsonl", made)
    _, context = filtered(tmp_path / "run", sources=(path,), exports=("cwt2",), near_duplicates="off")
    assert lines_of(context.run / "artifacts" / "kept.cwt2.jsonl") == made
    again, second = filtered(tmp_path / "again", sources=(context.run / "artifacts" / "kept.cwt2.jsonl",),
                             exports=("cwt2",), near_duplicates="off")
    assert again.kept == 30
    assert (second.run / "artifacts" / "kept.cwt2.jsonl").read_bytes() == (
        context.run / "artifacts" / "kept.cwt2.jsonl").read_bytes()


@pytest.mark.parametrize(("value", "kept"), [
    (0.5, 0.5), (1, 1.0), (0, 0.0), (True, None), ("0.5", None), (None, None), (math.nan, None), (math.inf, None),
    (-math.inf, None), (10**400, None), (-10**400, None), ([0.5], None), ({"score": 0.5}, None)])
def test_a_given_score_is_a_finite_number_or_nothing(value: Any, kept: float | None) -> None:
    attributes = imported({"quality_score": value, "toxicity": {"score": value, "label": 0}})
    found = judged("文本", attributes)
    assert found.get("quality_score") == kept
    assert ("toxicity" in found) == (kept is not None)


@pytest.mark.parametrize(("label", "score", "wanted"), [
    (0, 0.995, 0), (1, 0.2, 1), (None, 0.99, 1), (None, 0.9899, 0), ("1", 0.5, 0), (7, 0.5, 0), (0.5, 0.995, 1),
    (True, 0.5, 0), (10**300, 0.995, 1), (-1, 0.1, 0)])
def test_a_label_of_toxicity_is_0_or_1(label: Any, score: float, wanted: int) -> None:
    found = judged("文本", imported({"toxicity": {"label": label, "score": score}}))
    assert found["toxicity"] == {"label": wanted, "score": score}
    json.dumps(found)


@MANY
@given(st.lists(SHARE, min_size=11, max_size=11), SHARE, SHARE)
def test_labels_of_scores(probabilities: list[float], toxic: float, quality: float) -> None:
    attributes = {**{f"domain.{name}": p for name, p in zip(LABELS, probabilities, strict=True)},
                  "toxicity.toxic": toxic, "quality.score": quality}
    made = cwt2_record("x", attributes)
    likeliest = sorted(zip(LABELS, probabilities, strict=True), key=lambda pair: -pair[1])
    assert made["domain"]["multi_label"] == [name for name, p in likeliest if p >= 0.3]
    assert attributes[f"domain.{made['domain']['single_label']}"] == max(probabilities)
    assert made["domain"]["multi_label"] or max(probabilities) < 0.3, "empty only when nothing reaches 0.3"
    assert made["toxicity"] == {"label": int(toxic >= 0.99), "score": toxic}


@pytest.mark.parametrize(("names", "taken"), [
    (("toxicity.0", "toxicity.1"), "toxicity.1"), (("toxicity.toxic", "toxicity.other"), "toxicity.toxic"),
    (("toxicity-zh.benign", "toxicity-zh.toxic"), "toxicity-zh.toxic"), (("toxicity.score",), "toxicity.score")])
def test_which_output_says_toxic(names: tuple[str, ...], taken: str) -> None:
    attributes = dict.fromkeys(names, 0.25) | {taken: 0.995}
    assert judged("文本", attributes)["toxicity"] == {"label": 1, "score": 0.995}


def test_a_score_that_is_missing_in_one_document_is_missing_in_its_record() -> None:
    attributes = {"domain.law": math.nan, "domain.news": 0.5, "toxicity.toxic": math.nan, "quality.score": None}
    assert judged("文本", attributes) == {}
    with pytest.raises(UserError, match="no domain and no toxicity and no quality_score") as caught:
        cwt2_record("x", attributes)
    assert "Add the scorers" in str(caught.value.advice)


@MANY
@given(st.integers(0, 63))
def test_a_record_names_every_rule_that_failed(mask: int) -> None:
    rules = tuple("abcdef")
    attributes = {"id": "i", "rule_fail": mask, "source": "s", "number": 1}
    made = superset_record("x", attributes, {}, rules, "c")
    assert made["rules_failed"] == [rule for i, rule in enumerate(rules) if mask & 2**i]
    assert made["spans"] == {}


@MANY
@given(st.text(max_size=30), st.text(max_size=30))
def test_an_id_is_of_the_text(one: str, other: str) -> None:
    assert (document_id(one) == document_id(other)) == (one == other)
    assert re.fullmatch("[0-9a-f]{32}", document_id(one))


# --- word lists


@MANY
@given(st.lists(st.tuples(st.sampled_from(["", "spam", "广告"]), st.text("ab词语 ", min_size=1, max_size=6)),
                max_size=12))
def test_a_list_is_read_as_it_was_written(tmp_path: Path, entries: list[tuple[str, str]]) -> None:
    path = tmp_path / "list.txt"
    path.write_text("# words\n\n" + "".join(f"{c}\t{w}\n" if c else f"{w}\r\n" for c, w in entries), encoding="utf-8")
    wanted: dict[str, str] = {}
    for category, word in entries:
        if word.strip():
            wanted.setdefault(word.strip(), category)
    if not wanted:
        with pytest.raises(UserError, match="has no word"):
            read_words(path)
        return
    made = read_words(path)
    assert dict(zip(made.words, made.categories, strict=True)) == wanted
    assert [made.category(i) for i in range(len(made.words))] == list(wanted.values())


def test_hashes_of_lists_are_of_words_categories_and_order() -> None:
    base = WordList("x", ("a", "b"), ("c", "d"))
    assert replace(base, name="other").hash == base.hash
    others = [WordList("x", ("b", "a"), ("d", "c")), WordList("x", ("a", "b"), ("c", "c")),
              WordList("x", ("a",), ("c",)), WordList("x", ("a\tb",), ("c",)), WordList("x")]
    assert len({base.hash, *(other.hash for other in others)}) == len(others) + 1


def test_lists_that_are_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "big.txt"
    path.write_text("\n".join(f"w{i}" for i in range(50)))
    monkeypatch.setattr(words, "MOST", 20)
    with pytest.raises(UserError, match=r"big\.txt has more than 20 words"):
        read_words(path)
    monkeypatch.setattr(words, "LARGEST_MB", 0)
    with pytest.raises(UserError, match="at most 0 MB are"):
        read_words(path)


def test_no_political_list_is_shipped(shared: Path) -> None:
    """Of the published list's delicate categories nothing is in ours."""
    theirs = read_words(shared / "corpus" / "cwt2_sensitive_dict.txt")
    delicate = {word for word, kind in zip(theirs.words, theirs.categories, strict=True)
                if kind in ("政治", "反动", "色情", "暴恐", "毒品")}
    assert len(delicate) == 356 + 120 + 437 + 132 + 32
    for path in sorted(FOLDER.glob("*.txt")):
        assert not delicate & set(read_words(path).words), path.name
    assert load_words("bundled:zh", lambda _: path).name == "bundled:zh"


def test_the_published_list_has_1476_words_in_1492_lines(shared: Path) -> None:
    """A word that stands in two categories counts once, in the first: that is what the published loop sees."""
    path = shared / "corpus" / "cwt2_sensitive_dict.txt"
    text = path.read_text(encoding="utf-8")
    made = read_words(path)
    assert (text.count("\n"), len(made.words)) == (1492, 1476)
    assert set(made.words) == {line.split("\t")[1].strip() for line in text.splitlines()}
    assert {kind: made.categories.count(kind) for kind in made.categories} == {
        "色情": 437, "政治": 356, "其他": 243, "暴恐": 132, "社会": 130, "反动": 120, "毒品": 32, "赌博": 26}


# --- recipes


TESTS = st.builds(Test, NAME, NAME, st.sampled_from(["<", "<=", ">", ">="]),
                  st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 4)))
RECIPES = st.builds(
    Recipe, name=NAME, language=st.sampled_from(["zh", "en"]), rules=st.lists(TESTS, max_size=6).map(tuple),
    note=st.text("ab: '\"中#\n-{}[]", max_size=20), measure=st.builds(
        Measure, script=st.sampled_from(sorted(SCRIPTS)), gram=st.integers(2, 30), last_window=st.booleans(),
        splitter=st.sampled_from(["", *SPLITTERS]), stop_words=st.lists(NAME, max_size=3).map(tuple)),
    near=st.builds(Near, mode=st.sampled_from(["off", "mark", "drop"]), similarity=st.sampled_from([0.5, 0.7, 1.0])))


@settings(max_examples=60, deadline=None)
@given(RECIPES)
def test_any_recipe_survives_its_file(recipe: Recipe) -> None:
    text = dump_recipe(recipe)
    again = load_recipe(text)
    assert again == recipe
    assert again.hash == recipe.hash == str(yaml.safe_load(text)["hash"])
    assert load_recipe(json.dumps(to_json(recipe), ensure_ascii=False)).hash == recipe.hash, "JSON is YAML too"


@settings(max_examples=60, deadline=None)
@given(RECIPES, RECIPES)
def test_equal_hashes_mean_equal_decisions(one: Recipe, other: Recipe) -> None:
    assert (one.hash == other.hash) == (replace(one, name="x", note="") == replace(other, name="x", note=""))
    assert replace(one, name="another", note="and a note").hash == one.hash


def test_the_order_of_keys_does_not_change_a_hash() -> None:
    value = yaml.safe_load(dump_recipe(load_recipe("zh-ratio")))
    turned = {key: value[key] for key in reversed(list(value))}
    turned["measure"] = {key: turned["measure"][key] for key in sorted(turned["measure"])}
    assert load_recipe(yaml.safe_dump(turned, allow_unicode=True)).hash == value["hash"]


@pytest.mark.parametrize("name", presets())
def test_a_changed_limit_changes_the_hash_and_nothing_else(name: str) -> None:
    recipe = load_recipe(f"  {name}\n".strip())
    moved = replace(recipe, rules=(replace(recipe.rules[0], limit=recipe.rules[0].limit + 1), *recipe.rules[1:]))
    assert moved.hash != recipe.hash
    assert moved.names == recipe.names
    assert load_recipe(dump_recipe(moved)).rules[0].limit == recipe.rules[0].limit + 1


@pytest.mark.parametrize(("change", "message"), [
    ("gram: 1", "gram is 1; it must lie between 2 and 200"), ("gram: thirteen", "gram is 'thirteen'"),
    ("last_window: perhaps", "last_window"),
    ("words: [a, b]", "words is"), ("script: 5", "script is 5"), ("grams: 13", "no field grams"),
    ("personal: 7", "personal is 7")])
def test_a_measure_that_makes_no_sense_names_the_field(change: str, message: str) -> None:
    text = f"name: x\nlanguage: zh\nrules: []\nmeasure: {{{change}}}\n"
    with pytest.raises(UserError, match=message):
        load_recipe(text)


def test_a_configuration_depends_on_the_versions_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, listed = load_recipe(""), WordList("x")
    one = provenance.config_hash(recipe, listed, ())
    monkeypatch.setattr(provenance, "FORM", provenance.FORM + 1)
    two = provenance.config_hash(recipe, listed, ())
    monkeypatch.setattr(provenance, "PACKAGES", ("no-such-package",))
    assert len({one, two, provenance.config_hash(recipe, listed, ())}) == 3
    assert provenance._version("no-such-package") == "absent"


# --- personal data


def identity(draw: random.Random) -> str:
    """A number that is valid by the standard and belongs to nobody in particular (region 00)."""
    born = datetime.date(1950, 1, 1) + datetime.timedelta(days=draw.randrange(25_000))
    head = f"{draw.randint(100, 899)}000{born:%Y%m%d}{draw.randint(0, 999):03d}"
    weights = [2 ** (17 - i) % 11 for i in range(17)]
    return head + "10X98765432"[sum(int(c) * w for c, w in zip(head, weights, strict=True)) % 11]


def test_identity_numbers_by_their_check_digit() -> None:
    """ISO 7064 MOD 11-2 finds every changed digit and every exchange of two neighbours."""
    draw = random.Random(8)
    for _ in range(150):
        number = identity(draw)
        assert personal.valid_identity(number)
        assert personal.valid_identity(number.lower())
        place = draw.randrange(14, 17)
        other = number[:place] + str((int(number[place]) + draw.randint(1, 9)) % 10) + number[place + 1:]
        assert not personal.valid_identity(other)
        a, b = number[14], number[15]
        assert a == b or not personal.valid_identity(number[:14] + b + a + number[16:])
        assert personal.counts(f"号{number}。{other}，") == (0, 1, 0)
    for wrong in ("", "1" * 18, "11010519490231002X", number[:-1], f"{number}0", f"A{number}", f"{number[:6]}99991399"):
        assert not personal.valid_identity(wrong)


@MANY
@given(st.text("139 -+86@.ab中X", max_size=40))
def test_places_are_in_order_and_inside(text: str) -> None:
    found = personal.find(text)
    assert found == sorted(found)
    assert all(0 <= begin < end <= len(text) and kind in personal.KINDS for begin, end, kind in found)
    assert personal.counts(text) == tuple(sum(kind == k for _, _, kind in found) for k in personal.KINDS)


@pytest.mark.parametrize(("text", "kind"), [
    ("13912345678", "phone"), ("+86 139-1234-5678", "phone"), ("86-13912345678", "phone"), ("a_b%c@x-y.co.uk", "email"),
    ("A@B.CN", "email"), ("19912345678。", "phone"), ("（13012345678）", "phone")])
def test_what_counts_as_personal(text: str, kind: str) -> None:
    assert [k for _, _, k in personal.find(text)] == [kind]


@pytest.mark.parametrize("text", ["10012345678", "1391234567", "139.1234.5678", "v13912345678b", "@b.cn", "a@b.c",
                                  "a@b..cn", "110105194912310021", "2024-01-01 12:00:00", "123456789012345678901"])
def test_what_does_not(text: str) -> None:
    assert personal.find(text) == []


def test_no_asset_of_the_corpus_holds_personal_data() -> None:
    for path in sorted((ROOT / "assets" / "corpus").rglob("*")):
        if path.is_file():
            found = personal.find(path.read_text(encoding="utf-8"))
            text = path.read_text(encoding="utf-8")
            assert all("example" in text[a:b] for a, b, kind in found if kind == "email"), path.name
            assert not [kind for _, _, kind in found if kind == "identity"], path.name


# --- requests


@settings(max_examples=40, deadline=None)
@given(st.builds(FilterRequest, sources=st.lists(NAME, min_size=1, max_size=3).map(tuple), recipe=st.sampled_from(
    presets()), limit=st.integers(0, 10**9), workers=st.integers(1, 256), exports=st.lists(st.sampled_from(
        ["jsonl", "cwt2", "parquet", "csv", "datasets", "ledger"]), max_size=6).map(tuple)))
def test_a_request_survives_json(request: FilterRequest) -> None:
    assert from_json(FilterRequest, json.loads(json.dumps(to_json(request)))) == request


def test_a_result_survives_json(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [{"text": good_text()}])
    result, _ = filtered(tmp_path / "run", sources=(path,))
    assert from_json(FilterResult, json.loads(json.dumps(to_json(result)))) == result


@pytest.mark.parametrize(("fields", "message"), [
    ({"sources": ("a",) * 1001}, "sources is 1,?001 entries"), ({"shard_mb": 0.0}, "shard_mb is 0"),
    ({"recipe": "x" * 200_001}, "recipe is"), ({"workers": 257}, "workers is 257"), ({"limit": 10**11}, "limit is"),
    ({"scorers": ("s",) * 17}, "scorers is 17"), ({"text_field": "f" * 201}, "text_field is"),
    ({"workers": "two"}, "workers is 'two'"), ({"shard_mb": float("nan")}, "shard_mb is nan")])
def test_requests_beyond_their_bounds(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        FilterRequest(**fields)
