"""The bundled sample: texts that read like documents, and defects that the rules and scorers find where planted."""

from __future__ import annotations

import json
import random
import re
from collections import Counter, defaultdict
from itertools import combinations, islice
from pathlib import Path

import pytest

from backends.mdfg import example, official, sample
from backends.mdfg.domain import LABELS
from backends.mdfg.domain_keywords import keyword_labels, read_keywords
from backends.mdfg.labelled import Labelled
from backends.mdfg.leakage import leaks
from backends.mdfg.library import FOLDER, Library, Topic, library, read_library
from backends.mdfg.practice import practice, rude_posts
from backends.mdfg.requests import FilterRequest
from backends.mdfg.scorers.opening import open_scorer
from tests.backends.corpus_cases import attributes, evaluator, filtered, recipe
from workbench.contract import UserError

MODELS = FOLDER.parent / "models"
CHINESE = re.compile(r"[一-龥]")
TOPIC = Topic("law", "t", ("a title",), ("one {a|b}.", "two {#3-5}.", "three {@who}.", "four.", "five."))


@pytest.fixture(scope="module")
def made() -> list[example.Example]:
    return list(example.documents())


@pytest.fixture(scope="module")
def sound(made: list[example.Example]) -> list[example.Example]:
    return [one for one in made if not one.planted and one.language == "zh"]


@pytest.fixture(scope="module")
def marked(made, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[example.Example, dict]]:
    """Each document of the sample with its attributes after a run with all bundled scorers."""
    scorers = tuple(f"path:{MODELS / f'mdfg-zh-{name}'}" for name in ("quality", "toxicity", "domain"))
    _, context = filtered(tmp_path_factory.mktemp("sample") / "run", scorers=scorers, near_duplicates="mark")
    return list(zip(made, attributes(context), strict=True))


# the grammar of topics


@pytest.mark.parametrize(("line", "wanted"), [
    ("plain", {"plain"}), ("{a|b}", {"a", "b"}), ("x{a|}y", {"xay", "xy"}), ("{#2-4}", {"2", "3", "4"}),
    ("{@who}", {"Ada", "Bo"}), ("{a{@who}|b}", {"aAda", "aBo", "b"}), ("{a|{b|c}}", {"a", "b", "c"}),
    ("#1-2", {"#1-2"}), ("{#7-7}{#8-8}", {"78"})])
def test_slots_are_filled_from_what_they_name(line: str, wanted: set[str]) -> None:
    books = Library("en", (), {"who": ("Ada", "Bo")})
    draw = random.Random(0)
    assert {books.fill(line, draw) for _ in range(80)} == wanted


def test_a_table_that_there_is_not_is_named() -> None:
    with pytest.raises(UserError, match="no table 'where' in the en library; there are who"):
        Library("en", (), {"who": ("Ada",)}).fill("{@where}", random.Random(0))
    with pytest.raises(UserError, match="there are none"):
        Library("zh", (), {}).fill("{@where}", random.Random(0))


def test_a_document_has_the_first_and_last_line_and_keeps_their_order() -> None:
    books = Library("zh", (TOPIC,), {"who": ("Ada",)})
    for seed in range(20):
        text = books.write(TOPIC, random.Random(seed)).text.replace("\n", "")
        assert text.startswith("one ") and text.endswith("five.")
        places = [text.find(word) for word in ("one", "two", "three", "four", "five")]
        assert places == sorted(places), "a topic of five lines uses all of them, in order"


def test_paragraphs_are_parted_by_newlines_and_sentences_only_in_english_by_spaces() -> None:
    lines = tuple(f"S{i:02d}." for i in range(12))
    for language, gap in (("zh", ""), ("en", " ")):
        text = Library(language, (), {}).write(Topic("law", "t", ("x",), lines), random.Random(3)).text
        for paragraph in text.split("\n"):
            pieces = re.findall(r"S\d\d\.", paragraph)
            assert paragraph == gap.join(pieces) and 1 <= len(pieces) <= 4


def test_a_long_document_treats_another_topic_of_the_same_domain() -> None:
    books = library("zh")
    draw = random.Random(1)
    for topic in books.topics[::7]:
        written = books.write(topic, draw)
        longer = books.write_on(written, draw)
        assert longer.text.startswith(written.text + "\n") and longer.topic == topic
    alone = Library("zh", (TOPIC,), {"who": ("Ada",)})
    written = alone.write(TOPIC, draw)
    assert alone.write_on(written, draw) == written, "there is no other topic"


@pytest.mark.parametrize(("text", "message"), [
    ("- a\n", "must have a list named topics"), ("topics: 3\n", "must have a list named topics"),
    ("topics: [x]\n", "'x' is not a topic"), ("topics: [{domain: law}]\n", "is not a topic"),
    ("topics: [{topic: t, domain: sport, titles: [a], text: x}]\n", "the domain 'sport'; it must be one of encyclop"),
    ("topics: [{topic: t, domain: law, titles: [a], text: x}]\n", "has 1 lines and 1 titles"),
    ("topics: [{topic: t, domain: law, titles: [], text: 'a\n\n  b\n\n  c'}]\n", "0 titles"),
    ("topics: [{topic: t, domain: law, titles: [a], text: 'a\n\n  b {x\n\n  c'}]\n", "is left open in the topic t"),
    ("topics: [{topic: t, domain: law, titles: [a], text: 'a\n\n  b\n\n  c}'}]\n", "is left open in the topic t")])
def test_library_files_say_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "library.yaml").write_text(text)
    with pytest.raises(UserError, match=re.escape(message)):
        read_library(tmp_path / "library.yaml", "en")


def test_there_is_a_library_in_two_languages() -> None:
    assert library("zh") is library("zh"), "read once"
    with pytest.raises(UserError, match="no library in 'fr'; there are zh and en"):
        library("fr")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_line_of_every_topic_can_be_filled(language: str) -> None:
    books, draw = library(language), random.Random(0)
    for topic in books.topics:
        for line in topic.lines:
            filled = books.fill(line, draw)
            assert not set("{}|@") & set(filled), (topic.name, filled)
            assert filled.endswith(tuple("。！？：.\"")) or filled[-1] in "”，", (topic.name, filled)


def test_chinese_topics_cover_the_eleven_domains_and_are_simplified() -> None:
    topics = library("zh").topics
    assert Counter(topic.domain for topic in topics) == dict.fromkeys(LABELS, 4)
    assert len({topic.name for topic in topics}) == len(topics)
    draw = random.Random(2)
    texts = [library("zh").write(topic, draw).text for topic in topics]
    assert not [text for text in texts if official.traditional(text)]
    assert all(len(CHINESE.findall(text)) / len(text) > 0.6 for text in texts)


def test_topics_use_the_words_of_their_domain() -> None:
    lists = read_keywords(FOLDER / "keywords.zh.yaml")
    draw, right, counted = random.Random(0), 0, 0
    for topic in library("zh").topics:
        for _ in range(3):
            said = keyword_labels([library("zh").write(topic, draw).text], lists)[0]
            right, counted = right + (topic.domain in said), counted + 1
    assert right / counted > 0.8, "keywords alone find most domains, not all"


# the corpus


def test_the_same_seed_gives_the_same_corpus(made) -> None:
    assert made == list(example.documents())
    assert made != list(example.documents(seed=8))
    assert list(islice(example.documents(50), 50)) == made[:50], "a shorter corpus is the beginning of a longer one"


def test_at_least_300_sound_documents_over_all_domains(made, sound) -> None:
    assert len(sound) >= 280 and sum(not one.planted for one in made) >= 300
    counts = Counter(one.domain for one in sound)
    assert set(counts) == set(LABELS) and min(counts.values()) >= 15
    assert len({one.topic for one in sound}) == 44


def test_every_defect_is_planted_and_english_is_there(made) -> None:
    assert len(made) == example.SIZE >= 300
    assert {one.planted for one in made} == {"", *example.SHARES}
    english = [one for one in made if one.language == "en"]
    assert 50 <= len(english) <= 100 and not [one for one in english if one.planted]
    assert not CHINESE.search("".join(one.text for one in english))


def test_shares_leave_room_for_sound_documents() -> None:
    assert sum(example.SHARES.values()) < 55
    assert set(example.INVENTED) < set(example.SHARES)
    assert len(example._SIMPLE) == len(example._COMPLEX) == len(set(example._SIMPLE))
    assert all(a != b for a, b in zip(example._SIMPLE, example._COMPLEX, strict=True))


def test_sound_documents_vary_and_are_no_near_copies(sound) -> None:
    by_topic = defaultdict(list)
    for one in sound:
        by_topic[one.topic].append(one.text)
    pairs = same = 0
    for texts in by_topic.values():
        for first, second in combinations(texts, 2):
            pairs += 1
            same += bool(leaks([first], [second], 0.7))
    assert pairs > 500 and same / pairs < 0.01
    lengths = sorted(len(one.text) for one in sound)
    assert lengths[len(lengths) // 20] > 200 and lengths[-1] > 1.5 * lengths[len(lengths) // 2]


def test_records_are_what_the_reader_takes(tmp_path: Path, made) -> None:
    path = example.write_jsonl(tmp_path / "a.jsonl", 40)
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 40 and [row["text"] for row in rows] == [one.text for one in made[:40]]
    for number, (row, one) in enumerate(zip(rows, made, strict=False), 1):
        assert row["url"] == f"https://sample.invalid/{number}?planted={one.planted or 'nothing'}"
        assert row["source_domain"] == f"sample-{one.language}" and row["planted"] == one.planted
        assert ("domain" in row) == bool(one.domain)
    assert example.Example("x", "", "zh", "", "", "menu").record(1).get("domain") is None


def test_a_near_copy_is_close_to_its_origin_and_not_equal(made) -> None:
    draw = random.Random(0)
    for one in [one for one in made if not one.planted and one.language == "zh"][:40]:
        changed = example.edited(one.text, draw)
        assert changed != one.text
        assert leaks([one.text], [changed], 0.6)
    assert example.edited("短", draw) != "短", "a text without a sentence only gains words"


# what the rules and the scorers find


def test_rules_find_what_was_planted_and_nothing_in_sound_documents(marked) -> None:
    rules = recipe().names
    wanted = {"traditional": "traditional", "one_traditional": "traditional", "quotes": "traditional",
              "thin_lines": "line_length", "short": "length", "repeated": "duplication", "codes": "script",
              "edge": "length"}
    seen = Counter()
    for one, row in marked:
        failed = {rule for bit, rule in enumerate(rules) if row["rule_fail"] >> bit & 1}
        if one.language == "en":
            assert "script" in failed
        elif one.planted in wanted:
            assert wanted[one.planted] in failed, (one.planted, one.text[:80])
            seen[one.planted] += 1
        elif not one.planted:
            assert failed <= {"length"}, (failed, one.text)
        elif one.planted == "spam":
            assert row["sensitive_words"], one.text
            seen["dropped spam"] += "sensitive" in failed
        elif one.planted == "personal":
            assert row["phones"] >= 1 and row["emails"] >= 1
    assert set(seen) == {*wanted, "dropped spam"} and min(seen.values()) >= 1
    kept = [row["kept"] for one, row in marked if not one.planted and one.language == "zh"]
    assert sum(kept) / len(kept) > 0.97


def test_first_and_all_failures_differ_on_the_sample(marked) -> None:
    rules = recipe().names
    first = Counter(row["first_fail"] for _, row in marked if row["rule_fail"])
    every = Counter(bit for _, row in marked for bit in range(len(rules)) if row["rule_fail"] >> bit & 1)
    assert sum(every.values()) > sum(first.values()) == sum(not row["kept"] for _, row in marked)


def test_clusters_are_the_planted_copies(marked) -> None:
    clusters = defaultdict(list)
    for one, row in marked:
        if row["dup_cluster"] >= 0:
            clusters[row["dup_cluster"]].append((one, row))
    planted = {id(one) for one, _ in marked if one.planted in ("copy", "near_copy")}
    inside = {id(one) for members in clusters.values() for one, _ in members}
    assert len(planted - inside) / len(planted) < 0.15, "MinHash finds nearly all of them"
    for members in clusters.values():
        assert len({one.topic for one, _ in members}) == 1
        assert sum(bool(row["dup_keep"]) for _, row in members) == 1
    surprises = [members for members in clusters.values()
                 if not any(one.planted in ("copy", "near_copy") for one, _ in members)]
    assert len(surprises) <= len(clusters) // 10


def test_bundled_scorers_see_what_was_planted(marked) -> None:
    def values(column: str, *planted: str) -> list[float]:
        return [row[column] for one, row in marked if one.planted in planted and one.language == "zh"]

    def mean(numbers: list[float]) -> float:
        return sum(numbers) / len(numbers)
    rude, calm = values("toxicity.score", "rude"), values("toxicity.score", "")
    assert mean(rude) > 0.4 > 0.1 > mean(calm)
    assert sum(score > 0.5 for score in rude) >= 5, "the queue of p(toxic) > .5 is not empty"
    assert sum(score > 0.5 for score in calm) / len(calm) < 0.02
    good = mean(values("quality.score", ""))
    assert good > 0.4
    for bad in ("menu", "advert", "codes", "scramble"):
        assert mean(values("quality.score", bad)) < good / 2, bad


def test_the_domain_scorer_finds_most_planted_domains(marked) -> None:
    rows = [(one, row) for one, row in marked if not one.planted and one.language == "zh"]
    said = [max(LABELS, key=lambda label: row[f"domain.{label}"]) for _, row in rows]
    right = sum(label == one.domain for label, (one, _) in zip(said, rows, strict=True))
    assert 0.75 < right / len(rows) < 1, "most, and not all: there is something left to teach it"
    for one, row in marked:
        if one.domain:
            assert row["given.domain"] == one.domain
        else:
            assert not row["given.domain"]


def test_without_scorers_the_given_domains_are_in_the_records(tmp_path: Path) -> None:
    result, context = filtered(tmp_path / "run", exports=("jsonl",), limit=120)
    assert result.documents == 120 and result.provenance == "synthetic"
    lines = (context.run / "artifacts" / "kept.jsonl").read_text(encoding="utf-8").splitlines()
    found = Counter(json.loads(line)["domain"]["single_label"] for line in lines if "domain" in json.loads(line))
    assert len(found) == 11


def test_the_sample_is_made_once_a_run(tmp_path: Path) -> None:
    _, context = filtered(tmp_path / "run", limit=20)
    path = context.run / "checkpoints" / "sample.jsonl"
    assert len(path.read_bytes().splitlines()) == example.SIZE
    assert FilterRequest().sources == ("sample",)


# posts and copies that it is made of


def test_rude_posts_are_different_sentences() -> None:
    posts = rude_posts("zh", 8, random.Random(0))
    assert len(posts) == len(set(posts)) == 8 and not any("{t}" in post for post in posts)
    assert len(rude_posts("zh", 99, random.Random(0))) == 8, "at most as many as there are"
    assert rude_posts("en", 2, random.Random(0)) == rude_posts("en", 2, random.Random(0))


def test_practice_texts_stay_as_they_were() -> None:
    rows = practice("toxicity", "zh", 10, random.Random(0))
    assert [bool(row.labels) for row in rows] == [False, True] * 5
    assert all(isinstance(row, Labelled) for row in rows)


def test_the_filler_of_the_benchmark_is_another_corpus() -> None:
    filler = [text for text, _ in sample.documents(20, seed=17)]
    assert filler == [text for text, _ in sample.documents(20, seed=17)]
    assert not {one.text for one in example.documents(50)} & set(filler)


def test_the_bundled_quality_scorer_prefers_sentences_to_their_scrambled_characters(sound) -> None:
    scorer = open_scorer(MODELS / "mdfg-zh-quality")
    draw = random.Random(0)
    better = 0
    for one in sound[:60]:
        characters = list(one.text)
        draw.shuffle(characters)
        whole, broken = scorer.score([one.text, "".join(characters)])[:, 0]
        better += whole > broken
    assert better >= 57


def test_measures_of_a_sound_document_are_far_from_the_limits(sound) -> None:
    measured = evaluator().measure([one.text for one in sound]).columns
    assert measured["script_ratio"].min() > 0.5 and measured["dup_ratio"].max() < 0.3
    assert measured["mean_line"].min() > 20 and measured["trad_changes"].max() == 0
