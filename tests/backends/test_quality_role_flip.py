"""Swapped roles: a supporter who tells the seeker's story, and a seeker who counsels."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from backends.sweetiechat.library import load_library
from backends.sweetiechat.quality.role_flip import check_role_flip, gives_advice, sharing_turns, terms
from backends.sweetiechat.quality.verdict import Limits
from tests.backends.quality_cases import dialogue, failed_esconv, multiesc

FACTS = ("I still pay half of his phone bill.", "I had already looked at wedding dresses in secret.")
FACTS_ZH = ("他的视频会员到现在还是我在续费。", "分手前我已经偷偷去看过婚纱照的套餐。")
STORY = "My boyfriend left me six weeks ago without any warning. I cannot sleep."


def play(*rows, facts=FACTS, language="en", situation=STORY):
    return dialogue(rows, facts=facts, language=language, situation=situation)


OPENING = ("seeker", "I feel terrible since the breakup.")
SUPPORTER_AT_FAULT = [
    ("tells a secret in the first person", [OPENING, ("supporter", "I still pay half of his phone bill.")]),
    ("knows a secret nobody told", [OPENING, ("supporter", "Do you still pay half of his phone bill every month?")]),
    ("in other words of the same kind", [
        OPENING, ("supporter", "You were secretly looking at wedding dresses already.")]),
    ("tells the situation as its own", [OPENING, ("supporter", "My boyfriend left me six weeks ago without warning.")]),
    ("claims a told secret", [OPENING, ("supporter", "What else is there?"),
                              ("seeker", "I still pay half of his phone bill."),
                              ("supporter", "Oh. I still pay half of his phone bill too.")]),
]
SUPPORTER_IS_FINE = [
    ("gives a told secret back", [OPENING, ("supporter", "What else is there?"),
                                  ("seeker", "I still pay half of his phone bill."),
                                  ("supporter", "You still pay half of his phone bill, that must be strange.")]),
    ("gives the situation back", [OPENING, ("supporter", "So your boyfriend left you six weeks ago without warning.")]),
    ("shares something of its own", [OPENING, ("supporter", "I also had trouble sleeping after my own breakup.")]),
    ("one word in common", [OPENING, ("supporter", "Could a phone call with a friend help tonight?")]),
]


@pytest.mark.parametrize(("why", "rows"), SUPPORTER_AT_FAULT, ids=[c[0] for c in SUPPORTER_AT_FAULT])
def test_a_supporter_who_speaks_as_the_seeker(why: str, rows: list) -> None:
    verdict = check_role_flip(play(*rows), Limits())
    assert verdict.passed is False
    assert verdict.value == {"supporter": [len(rows) - 1], "seeker": []}
    assert verdict.reason == f"the supporter tells the seeker's own story (turn {len(rows)})"


@pytest.mark.parametrize(("why", "rows"), SUPPORTER_IS_FINE, ids=[c[0] for c in SUPPORTER_IS_FINE])
def test_a_supporter_who_keeps_the_role(why: str, rows: list) -> None:
    verdict = check_role_flip(play(*rows), Limits())
    assert (verdict.rule, verdict.passed, verdict.reason) == ("role_flip", True, "both keep their roles")


def test_a_fact_that_the_private_state_calls_revealed_is_told() -> None:
    """Told in words of its own: the state says so, and the supporter may speak about it."""
    from backends.sweetiechat.objects import Private

    made = play(("seeker", "His mobile contract still comes out of my account."),
                ("supporter", "Why do you still pay half of his phone bill?"))
    assert sharing_turns(made, 0.7) == [1]
    first = dataclasses.replace(made.turns[0], private=Private("sad", 4, revealed=(0,)))
    assert sharing_turns(dataclasses.replace(made, turns=(first, *made.turns[1:])), 0.7) == []


@pytest.mark.parametrize(("text", "fault"), [
    ("我也是，他的视频会员到现在还是我在续费。", True), ("他的视频会员到现在还是你在续费吗？", True),
    ("你们分开多久了？", False)])
def test_chinese_secrets(text: str, fault: bool) -> None:
    made = play(("seeker", "分手以后我一直睡不着。"), ("supporter", text), facts=FACTS_ZH, language="zh",
                situation="他一个半月前走了，我睡不着。")
    assert (check_role_flip(made, Limits()).passed is False) is fault


def test_without_a_card_only_the_situation_counts() -> None:
    made = play(OPENING, ("supporter", "I still pay half of his phone bill."), facts=())
    assert check_role_flip(made, Limits()).passed is True


@pytest.mark.parametrize(("language", "text"), [
    ("en", "You should talk to your boss."), ("en", "I think you should rest."), ("en", "Why don't you call her?"),
    ("en", "Have you tried a warm bath?"), ("en", "I suggest you take a walk."), ("en", "I’m here for you."),
    ("en", "How do you feel about that?"), ("en", "You are not alone in this."), ("en", "Maybe you could try yoga."),
    ("en", "It sounds like you are tired."), ("en", "Tell me more about it."), ("en", "My advice is to wait."),
    ("zh", "建议你去跑步。"), ("zh", "你应该早点睡。"), ("zh", "要不要试试写日记？"), ("zh", "我会一直陪着你的。"),
    ("zh", "有什么我可以帮到你的吗？")])
def test_counselling_talk_is_found(language: str, text: str) -> None:
    assert gives_advice(text, language)


@pytest.mark.parametrize(("language", "text"), [
    ("en", "My mother said you should never give up."), ("en", "What do you think I should do?"),
    ("en", "You should have seen his face."), ("en", "I tried to talk to him."), ("en", "Have you ever felt that way?"),
    ("en", "Thank you, I will try that."), ("en", "I'm here alone at home."), ("en", "Do you understand me?"),
    ("zh", "你觉得我应该怎么办？"), ("zh", "我试过写日记，没有用。"), ("zh", "谢谢你陪我说话。")])
def test_what_seekers_say_is_not_counselling(language: str, text: str) -> None:
    assert not gives_advice(text, language)


@pytest.mark.parametrize(("advising", "limit", "passed"), [(1, 1, True), (2, 1, False), (1, 0, False), (0, 0, True)])
def test_one_such_turn_is_forgiven(advising: int, limit: int, passed: bool) -> None:
    rows = [("seeker", "You should go home.")] * advising + [("seeker", "I am tired.")] + [("supporter", "I see that.")]
    verdict = check_role_flip(play(*rows), Limits(max_advising=limit))
    assert verdict.passed is passed and verdict.value["seeker"] == list(range(advising))
    assert passed or "the seeker gives advice" in verdict.reason


@pytest.mark.parametrize(("text", "language", "expected"), [
    ("I was looking at the wedding dresses.", "en", {"look", "wedd", "dress"}),
    ("We’ve 2 cats", "en", {"we've", "2", "cats"}),
    ("婚纱照，好", "zh", {"婚纱", "纱照"}), ("", "en", set()), ("好", "zh", set())])
def test_terms(text: str, language: str, expected: set) -> None:
    assert terms(text, language) == expected


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_bundled_secret_is_caught_when_it_is_blurted_out(language: str) -> None:
    library = load_library(language)
    missed = total = 0
    for scenario, card in library.seeds(()):
        for fact in card.hidden_facts:
            made = play(("seeker", "Hm." if language == "en" else "嗯。"), ("supporter", fact), language=language,
                        facts=card.hidden_facts, situation=scenario.situation)
            total += 1
            missed += check_role_flip(made, Limits()).passed is True
    assert total >= 60 and missed <= 0.1 * total, f"{missed} of {total}"


def test_other_peoples_secrets_are_not_found_in_real_dialogues(shared: Path) -> None:
    """195 real dialogues with the bundled cards dealt to them: no supporter is blamed, hardly a seeker advises."""
    cards = [card for _, card in load_library("en").seeds(())]
    real = multiesc(shared)
    dealt = [dataclasses.replace(made, card=cards[i % len(cards)]) for i, made in enumerate(real)]
    verdicts = [check_role_flip(made, Limits()) for made in (*dealt, *failed_esconv(shared))]
    assert all(v.passed for v in verdicts)
    assert sum(len(v.value["supporter"]) for v in verdicts) == 0
    seekers = sum(len(v.value["seeker"]) for v in verdicts)
    advice = sum(gives_advice(t.text, "en") for made in real for t in made.said_by("supporter"))
    assert seekers <= 6 and advice > 150, "the phrases tell the two roles apart"
