"""Form: who speaks, labels in the text, language and length, each with what must and must not be found."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.sweetiechat.metrics.tokens import tokenizer
from backends.sweetiechat.quality.format import check_format, has_label
from backends.sweetiechat.quality.language import wrong_language
from backends.sweetiechat.quality.verdict import Limits, turns_named
from tests.backends.quality_cases import GOOD_EN, GOOD_ZH, SET, dialogue, failed_esconv, multiesc, with_turn
from workbench.contract import UserError

EN, ZH = tokenizer("treebank"), tokenizer("chars")
LONG = "I feel low. " * 27


def form(made, cut=EN, **limits):
    return check_format(made, cut, Limits(**limits))


@pytest.mark.parametrize(("made", "cut"), [(dialogue(GOOD_EN), EN), (dialogue(GOOD_ZH, language="zh"), ZH)])
def test_good_dialogues_pass(made, cut) -> None:
    verdict = form(made, cut)
    assert (verdict.rule, verdict.passed, verdict.reason) == ("format", True, "the form is right")
    assert verdict.value == {"alternation": [], "label": [], "language": [], "length": [], "silent": [],
                             "tokenizer": cut.name}


@pytest.mark.parametrize(("turns", "kind", "places", "reason"), [
    ([*GOOD_EN[:2], GOOD_EN[3], *GOOD_EN[4:]], "alternation", [2], "the same speaker twice in a row (turn 3)"),
    ([("seeker", "Supporter: I hear you well."), *GOOD_EN[1:]], "label", [0], "a role or strategy label in the text"),
    ([*GOOD_EN[:4], ("seeker", "我 觉得 好多 了。")], "language", [4], "another language (turn 5)"),
    ([*GOOD_EN[:4], ("seeker", "ok!")], "length", [4], "a length outside the limits (turn 5)"),
    ([*GOOD_EN[:4], ("seeker", LONG)], "length", [4], "a length outside the limits (turn 5)"),
    ([*GOOD_EN[:4], ("seeker", "")], "length", [4], "a length outside the limits (turn 5)"),
])
def test_each_fault_is_found_where_it_is(turns: list, kind: str, places: list, reason: str) -> None:
    verdict = form(dialogue(turns))
    assert verdict.passed is False
    assert verdict.value[kind] == places
    assert [k for k in ("alternation", "label", "language", "length") if verdict.value[k]] == [kind]
    assert reason in verdict.reason


@pytest.mark.parametrize(("turns", "silent"), [
    ([], ["seeker", "supporter"]), ([GOOD_EN[0]], ["supporter"]), ([GOOD_EN[1]], ["seeker"])])
def test_both_must_speak(turns: list, silent: list) -> None:
    verdict = form(dialogue(turns))
    assert verdict.passed is False and verdict.value["silent"] == silent
    assert all(f"the {role} says nothing" in verdict.reason for role in silent)


def test_all_faults_are_told_at_once() -> None:
    verdict = form(dialogue([("seeker", "Client: no"), ("seeker", "ok")]))
    assert verdict.reason == (
        "the same speaker twice in a row (turn 2); a role or strategy label in the text (turn 1); "
        "a length outside the limits (turn 2); the supporter says nothing")


@pytest.mark.parametrize(("tokens", "passed"), [(2, False), (3, True), (80, True), (81, False)])
def test_length_limits_are_inclusive(tokens: int, passed: bool) -> None:
    made = with_turn(dialogue(), 1, " ".join(["good"] * tokens))
    assert form(made).passed is passed


def test_odd_lengths_can_be_allowed() -> None:
    made = with_turn(with_turn(dialogue(), 1, "Hi."), 3, "Oh.")
    assert form(made, max_odd_lengths=1).passed is False
    verdict = form(made, max_odd_lengths=2)
    assert verdict.passed is True and verdict.value["length"] == [1, 3], "they are still told"


def test_chinese_is_counted_in_characters() -> None:
    made = with_turn(dialogue(GOOD_ZH, language="zh"), 1, "好" * 81)
    assert form(made, ZH).value["length"] == [1]
    assert form(with_turn(made, 1, "好" * 80), ZH).passed is True


LABELS = [
    "Supporter: I am here.", "seeker: hello", "  **Counselor**: hm", "User 1: hello", "Help-seeker： hi",
    "I see.\nSupporter: and then?", "That is hard. Seeker: yes it is", '"Fine." Assistant: good',
    "[Supporter] I see", "(seeker) hello", "<|im_start|>user", "[INST] hi", "</s>", "### Response: ok",
    "[Question] What happened?", "[question] What happened?", "(Affirmation and Reassurance) You did well",
    "求助者：我很难过", "我明白。支持者：那后来呢？", "【咨询师】你好", "【提问】发生了什么？", "用户:你好"]
NOT_LABELS = [
    "My therapist: she is great.", "I told the supporter about it.", "The system is broken: nobody answers.",
    "Two things: time and money.", "It was 10:30 when he came.", "[sighs] I do not know.", "What a question: why me?",
    "I am a client of a bank, and the bank is slow.", "我的咨询师说：慢慢来。", "有一个问题：我睡不着。",
    "（叹气）我不知道。", "He said (and I agree) that it is late."]


@pytest.mark.parametrize("text", LABELS)
def test_labels_are_found(text: str) -> None:
    assert has_label(text, SET)


@pytest.mark.parametrize("text", NOT_LABELS)
def test_ordinary_sentences_are_not_labels(text: str) -> None:
    assert not has_label(text, SET)


@pytest.mark.parametrize(("text", "language", "wrong"), [
    ("I feel sad.", "en", ""), ("", "en", ""), ("...!?", "zh", ""), ("123", "en", ""),
    ("Café visits help me a lot.", "en", ""), ("My friend 小明 said it is fine with them.", "en", ""),
    ("我很难过", "en", "only 0% Latin letters"), ("Мне очень грустно", "en", "only 0% Latin letters"),
    ("Ich habe gestern lange geweint und konnte nicht schlafen", "en", "no common English word"),
    ("Je ne sais pas quoi faire maintenant vraiment", "en", "no common English word"),
    ("Gestern geweint", "en", ""),
    ("我在NASA实习，压力很大。", "zh", ""), ("I feel sad.", "zh", "only 0% Chinese letters"),
    ("悲しいです", "zh", "Japanese or Korean letters"), ("슬퍼요", "en", "Japanese or Korean letters"),
])
def test_language_is_told_by_script_and_common_words(text: str, language: str, wrong: str) -> None:
    assert wrong_language(text, language) == wrong


@pytest.mark.parametrize(("numbers", "words"), [
    ([0], "turn 1"), ([1, 4], "turns 2 and 5"), ([0, 1, 2], "turns 1, 2 and 3"),
    ([0, 1, 2, 3, 4, 5, 6, 7], "turns 1, 2, 3, 4, 5, 6 and 2 more")])
def test_turns_are_named_as_people_count(numbers: list, words: str) -> None:
    assert turns_named(numbers) == words


@pytest.mark.parametrize(("field", "value"), [("min_tokens", 0), ("max_similarity", 1.5), ("top_k", 0),
                                              ("min_distinct", "much"), ("fact_overlap", 0.0)])
def test_limits_are_checked(field: str, value: object) -> None:
    with pytest.raises(UserError, match=field):
        Limits(**{field: value})


def test_real_turns_have_no_label_and_are_english(shared: Path) -> None:
    """No false alarm in 4,467 real turns; in the failed ones only keyboard noise is not English."""
    good = [form(made).value for made in multiesc(shared)]
    assert sum(len(v["label"]) + len(v["language"]) + len(v["alternation"]) for v in good) == 0
    bad = [form(made).value for made in failed_esconv(shared)]
    assert sum(len(v["label"]) for v in bad) == 0
    assert sum(len(v["language"]) for v in bad) <= 5
