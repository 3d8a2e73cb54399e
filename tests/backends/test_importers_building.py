"""From messages to turns: merging, labels, survey, cleaning, situations and ids."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from backends.sweetiechat.exchange import bare
from backends.sweetiechat.importers.building import build, cleaned, language_of, level, merge, squash
from backends.sweetiechat.importers.draft import Draft, Format, Said, speaker
from backends.sweetiechat.importers.labels import Normalisers
from backends.sweetiechat.importers.topics import feeling, problem_id
from backends.sweetiechat.library import ASSETS, choose_strategies, load_library, strategy_sets
from backends.sweetiechat.metrics.dialogue import survey_of
from backends.sweetiechat.metrics.tokens import tokenizer
from backends.sweetiechat.quality.outcome import check_outcome
from workbench.contract import UserError

KNOWN = Normalisers()
FORM = Format("test", "Test", lambda entry: True, lambda entry: Draft(()), strategies="esconv-8", language="en")


def made(*said: Said, form: Format = FORM, **facts):
    return build(Draft(tuple(said), **facts), form, "f.json, line 1", "f.json", KNOWN)


def seeker(text: str, stars=None) -> Said:
    return Said("seeker", text, stars=stars)


def supporter(text: str, *labels: str) -> Said:
    return Said("supporter", text, labels)


# merging


def test_messages_in_a_row_become_one_turn_with_every_strategy() -> None:
    turns = merge(
        [
            supporter("Hello.", "Greeting"),
            supporter("How are you?", "Question"),
            seeker("Bad."),
            supporter("Oh.", "Reflection of feelings", "Question"),
        ],
        KNOWN.of("esconv-8"),
    )
    assert [(turn.idx, turn.role, turn.text, turn.strategy) for turn in turns] == [
        (0, "supporter", "Hello. How are you?", "others"),
        (1, "seeker", "Bad.", None),
        (2, "supporter", "Oh.", "reflection"),
    ]
    assert turns[0].meta["all_strategy"] == ["others", "question"] and turns[0].meta["parts"] == [
        "Hello.",
        "How are you?",
    ]
    assert turns[2].meta["all_strategy"] == ["reflection", "question"] and "parts" not in turns[2].meta


MESSAGES = st.lists(
    st.tuples(st.sampled_from(["seeker", "supporter"]), st.text(min_size=1, max_size=40).filter(lambda t: cleaned(t))),
    min_size=1,
    max_size=12,
)


@given(MESSAGES)
def test_merging_keeps_every_token_and_one_label_a_message(messages: list[tuple[str, str]]) -> None:
    said = [Said(role, cleaned(text), ("Question",) if role == "supporter" else ()) for role, text in messages]
    turns = merge(said, KNOWN.of("esconv-8"))
    assert all(a.role != b.role for a, b in pairwise(turns))
    for cut in (tokenizer("words"), tokenizer("chars"), str.split):
        before = [token for part in said for token in cut(part.text)]
        assert [token for turn in turns for token in cut(turn.text)] == before
    labels = sum(len(turn.meta.get("all_strategy", [])) for turn in turns)
    assert labels == sum(part.role == "supporter" for part in said)
    assert [part for turn in turns for part in turn.meta.get("parts", [turn.text])] == [part.text for part in said]


def test_strategies_do_not_shift_when_messages_are_merged() -> None:
    """The pitfall of the specification: label i must stay with the words it was given for."""
    said = [seeker("a"), seeker("b"), supporter("c", "Question"), seeker("d"), supporter("e", "Information")]
    assert [(turn.text, turn.strategy) for turn in made(*said).turns] == [
        ("a b", None),
        ("c", "question"),
        ("d", None),
        ("e", "information"),
    ]


def test_stars_of_merged_messages_are_the_last_ones() -> None:
    one = made(seeker("a", "2"), seeker("b"), seeker("c", 4), supporter("d"), seeker("e", ""))
    assert one.turns[0].meta["feedback"] == 4 and one.turns[0].meta["all_feedback"] == [2, 4]
    assert "feedback" not in one.turns[2].meta and one.qc["survey"] == {"feedback": 4}


def test_labels_of_the_seeker_are_no_strategies() -> None:
    one = made(Said("seeker", "x", ("Question",)), supporter("y"))
    assert one.turns[0].strategy is None and "all_strategy" not in one.turns[0].meta


# labels


def label_cases() -> list[tuple[str, str, str]]:
    table = yaml.safe_load((ASSETS / "labels.yaml").read_text(encoding="utf-8"))["sets"]
    return [
        (name, variant, key) for name, keys in table.items() for key, variants in keys.items() for variant in variants
    ]


def test_every_spelling_of_the_table_leads_to_its_key() -> None:
    wrong = [case for case in label_cases() if KNOWN.of(case[0]).keys(case[1]) != (case[2],)]
    assert not wrong


@pytest.mark.parametrize("name", strategy_sets())
def test_keys_and_labels_of_a_set_are_their_own_spellings(name: str) -> None:
    for item in choose_strategies(name).items:
        for spelling in (item.key, item.label_en, item.label_zh, f"[{item.label_en}]", item.label_en.upper()):
            assert KNOWN.of(name).keys(spelling) == (item.key,), spelling


@pytest.mark.parametrize(
    ("name", "cell", "keys"),
    [
        ("esconv-8", "", ()),
        ("esconv-8", "  ", ()),
        ("esconv-8", "Questions", ("question",)),
        ("esconv-8", "Affirmation and Reassurance", ("affirmation",)),
        ("esconv-8", "Affirmation and Reassurance, Question", ("affirmation", "question")),
        ("esconv-8", "Question; Information", ("question", "information")),
        ("esconv-8", "Question and Information", ("question", "information")),
        ("esconv-8", "Restatement or Paraphrasing|Others", ("restatement", "others")),
        ("esconv-8", "提问、自我表露", ("question", "self-disclosure")),
        ("extes-16", "Reflective Statements (RS)", ("reflective-statements",)),
        ("extes-16", "Avoid Judgment And Criticism (AJC)", ("avoid-judgment",)),
        ("extes-16", "Emotional Validation, Offer Hope", ("emotional-validation", "offer-hope")),
        ("escot-13", "Homework Assignments", ("homework",)),
    ],
)
def test_cells_of_labels(name: str, cell: str, keys: tuple[str, ...]) -> None:
    assert KNOWN.of(name).keys(cell) == keys


@pytest.mark.parametrize(
    ("name", "cell", "unknown"),
    [
        ("esconv-8", "Interpretation", "Interpretation"),
        ("esconv-8", "Question, Interpretation", "Interpretation"),
        ("esconv-8", "no information needed", "no information needed"),
        ("esconv-8", "Imagery", "Imagery"),
        ("escot-13", "Others", "Others"),
        ("extes-16", "Providing Suggestions", "Providing Suggestions"),
        ("esconv-8", "x" * 500, "x" * 60),
    ],
)
def test_an_unknown_label_is_named_and_never_a_class(name: str, cell: str, unknown: str) -> None:
    with pytest.raises(UserError, match=f"the strategy label '{re.escape(unknown)}' is not known in the set {name}"):
        KNOWN.of(name).keys(cell)
    with pytest.raises(UserError):
        made(seeker("a"), supporter("b", cell), form=Format("t", "t", bool, lambda e: Draft(()), strategies=name))


@pytest.mark.parametrize(
    ("labels", "name"),
    [
        ((), "esconv-8"),
        (("Question", "Others"), "esconv-8"),
        (("Offer Hope",), "extes-16"),
        (("Question", "Imagery"), "escot-13"),
        (("Nonsense",), "esconv-8"),
        (("Affirmation",), "esconv-8"),
    ],
)
def test_the_first_set_that_knows_all_labels_is_taken(labels: tuple[str, ...], name: str) -> None:
    assert KNOWN.fitting(labels).strategies.name == name


def test_labels_are_normalised_as_the_table_says() -> None:
    assert bare(" [Restatement/Paraphrasing.] ") == "restatement paraphrasing"
    with pytest.raises(UserError, match="no strategy set named 'esconv-9'"):
        KNOWN.of("esconv-9")


# survey


def test_the_survey_is_what_quality_control_reads() -> None:
    one = made(
        seeker("I am sad.", 2),
        supporter("Oh."),
        seeker("Still.", "1"),
        supporter("Mm."),
        survey={"initial_emotion_intensity": "4", "final_emotion_intensity": "4", "empathy": "2", "relevance": ""},
    )
    assert one.qc["survey"] == {"initial": 4, "final": 4, "empathy": 2, "feedback": 1}
    survey = survey_of(one)
    assert (survey.initial, survey.final, survey.empathy, survey.relevance, survey.feedback) == (4, 4, 2, None, 1)
    verdict = check_outcome(one)
    assert verdict.passed is False
    assert verdict.reason == "the intensity did not fall (4 to 4); empathy is 2; the last feedback is 1"


def test_without_a_survey_there_is_none_and_the_intensity_is_a_guess() -> None:
    one = made(seeker("I am sad."), supporter("Oh."))
    assert "survey" not in one.qc and one.scenario.intensity_0 == 3
    assert one.qc["source"]["guessed"] == ["situation", "emotion", "problem", "intensity_0"]
    assert check_outcome(one).passed is None


@pytest.mark.parametrize(("value", "number"), [("1", 1), (5, 5), (" 3 ", 3), (4.0, 4), ("2.0", 2)])
def test_levels_are_read_as_people_write_them(value, number: int) -> None:
    assert level(value, "x") == number


@pytest.mark.parametrize("value", ["0", 6, "3.5", 2.5, "five", None, True, [], {}, "", float("nan"), "１"])
def test_other_levels_are_refused(value) -> None:
    with pytest.raises(UserError, match=r"empathy is .*; it must be a whole number from 1 to 5"):
        level(value, "empathy")


# texts


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Hello\n", "Hello"),
        ("  a \t b  ", "a b"),
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("a\x00b\x07c\x1b[0m", "abc[0m"),
        ("\u202eevil\u202c", "evil"),
        ("\ufeffa\u200bb", "ab"),
        ("half \ud83d pair", "half pair"),
        ("👩‍👧 family", "👩‍👧 family"),
        ("你好\u3000吗", "你好 吗"),
        ("a\xa0b", "a b"),
        ("one\n\ntwo", "one\n\ntwo"),
        (" \n ", ""),
    ],
)
def test_texts_are_cleaned(raw: str, text: str) -> None:
    assert cleaned(raw) == text


@given(st.text(max_size=200))
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    once = cleaned(text)
    assert cleaned(once) == once and once == once.strip() and "\r" not in once


@pytest.mark.parametrize(
    ("texts", "language"),
    [
        (["I am sad"], "en"),
        (["我很难过"], "zh"),
        (["我最近在 deadline 前很焦虑"], "zh"),
        (["She said 你好 to me and left"], "en"),
        (["123 !!!"], "en"),
        ([], "en"),
    ],
)
def test_the_language_is_told_by_its_script(texts: list[str], language: str) -> None:
    assert language_of(texts) == language


def test_a_missing_situation_is_the_beginning_of_what_the_seeker_says() -> None:
    one = made(
        seeker("Hi."),
        supporter("Hello."),
        seeker("My landlord wants me out by June and I have found nothing."),
        supporter("Oh no."),
        seeker("Yes."),
    )
    assert one.scenario.situation == "Hi. My landlord wants me out by June and I have found nothing."
    assert one.qc["source"]["guessed"][0] == "situation"
    told = made(seeker("Hi."), situation=" I have to\nmove. ")
    assert told.scenario.situation == "I have to\nmove." and "situation" not in told.qc["source"]["guessed"]
    assert len(made(seeker("long " * 500)).scenario.situation) <= 400
    assert made(supporter("Only me.")).scenario.situation == "Only me."


def test_a_chinese_dialogue_is_chinese_where_the_format_does_not_say() -> None:
    one = made(seeker("我很难过，睡不着。"), form=Format("t", "t", bool, lambda e: Draft(())))
    assert one.language == one.scenario.language == "zh" and one.scenario.emotion == "未知"


# ids


def test_ids_depend_on_what_is_said_only() -> None:
    first = made(seeker("I am sad."), supporter("Oh."), situation="A")
    again = build(
        Draft((seeker("I am sad.\n"), supporter("Oh.")), situation="A"), FORM, "g.json, line 9", "g.json", KNOWN
    )
    other = made(seeker("I am sad!"), supporter("Oh."), situation="A")
    assert first.id == again.id != other.id
    assert first.scenario.id == again.scenario.id == other.scenario.id
    assert re.fullmatch(r"test-[0-9a-f]{12}", first.id) and re.fullmatch(r"seed-[0-9a-f]{12}", first.scenario.id)


def test_situations_that_are_spaced_differently_are_one_scenario() -> None:
    assert squash("I can ' t , really .") == squash("I can't, REALLY.")
    assert made(seeker("a"), situation="I can ' t .").scenario.id == made(seeker("b"), situation="I can't.").scenario.id


# topics


def test_topics_of_the_corpora_are_bundled_problem_types() -> None:
    table = yaml.safe_load(
        (Path(ASSETS).parents[1] / "backends/sweetiechat/importers/topics.yaml").read_text(encoding="utf-8")
    )
    bundled = {problem.id for problem in load_library("en").problems}
    for name in ("esconv", "extes"):
        assert set(table[name]) <= bundled
        for key, spellings in table[name].items():
            assert [problem_id(spelling.title()) for spelling in spellings] == [key] * len(spellings)
    seeds = {problem.id for problem in load_library("en").problems if problem.origin == "esconv"}
    assert set(table["esconv"]) == seeds


@pytest.mark.parametrize(
    ("topic", "key"),
    [
        ("Sleep Problems", "sleep"),
        ("Issues with Parents", "parents"),
        ("  ", "unknown"),
        ("Spirituality & Faith", "spirituality-faith"),
        ("???", "unknown"),
        ("家庭生活", "家庭生活"),
        ("x" * 90, "x" * 60),
    ],
)
def test_other_topics_keep_a_name_of_their_own(topic: str, key: str) -> None:
    assert problem_id(topic) == key


def test_a_feeling_is_one_short_lower_case_text() -> None:
    assert feeling(" Anxiety ", "en") == "anxiety"
    assert feeling("", "en") == "unknown" and feeling("", "zh") == "未知"
    assert len(feeling("x" * 100, "en")) == 60


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("usr", "seeker"),
        ("SYS", "supporter"),
        (" Client ", "seeker"),
        ("咨询师", "supporter"),
        ("来访者", "seeker"),
        ("gpt", "supporter"),
        ("listener", "supporter"),
        ("speaker", "seeker"),
    ],
)
def test_names_of_speakers(name: str, role: str) -> None:
    assert speaker(name) == role
