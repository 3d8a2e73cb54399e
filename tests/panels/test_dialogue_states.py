"""The watch view against the method's own states: what the real commands and moves leave is what the page offers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as rules
from hypothesis import strategies as st

from backends.sweetiechat import commands, play
from backends.sweetiechat.cast import open_cast
from backends.sweetiechat.loop import step
from backends.sweetiechat.objects import dialogue_from_json
from backends.sweetiechat.requests import DialogueRequest, GenerateRequest
from backends.sweetiechat.table import Table, table_to_json
from panels import dialogue_prompts
from panels import dialogue_watch as watching
from tests.panels.replies import opener
from tests.panels.test_dialogue_panel import SMOL, run_of
from tests.panels.test_transcript import Tags
from workbench import text
from workbench.context import MemoryContext
from workbench.settings import Settings
from workbench.widgets import batch, casefile, outcome, prompts, ranking, transcript

EN = partial(text.say, "en")
MODELS = dict.fromkeys(("seeker_model", "counselor_model", "supporter_model"), SMOL)
OFFERED = (*watching.CONTROLS, "part", "say_row", "choose")


class Stage:
    """A dialogue in play with a model that answers at once; moves are the method's, not the test's."""

    def __init__(self, folder: Path, **asked: object) -> None:
        self.request = DialogueRequest(**{"min_turns": 4, "max_turns": 20, "redraws": 0, **MODELS, **asked})
        self.cast = open_cast(MemoryContext(folder), self.request, play.roles_needed(self.request), opener)
        self.table: Table = play.start(self.request)

    def move(self, times: int = 1) -> Stage:
        """The next moves, each by its model."""
        for _ in range(times):
            self.table = step([self.table], self.cast)[0]
        return self

    def tell(self, **command: object) -> Stage:
        """A command as the run applies it."""
        self.table = commands.apply(self.table, command, self.cast)
        return self

    def seen(self, status: str = "running", mine: bool = True, lang: str = "en") -> dict:
        """What the page shows of this state."""
        return watching.looks(replace(run_of(status), fields={"max_turns": 20}), table_to_json(self.table), None, 60,
                              mine, lang, partial(text.say, lang))

    def offered(self, status: str = "running") -> set[str]:
        """The names of what a person can do now."""
        seen = self.seen(status)
        return {name for name in OFFERED if seen[name]}


@pytest.fixture
def stage(home: Path, tmp_path: Path):
    """Make a stage with these fields of the request."""
    def make(**asked: object) -> Stage:
        return Stage(tmp_path, **asked)
    return make


@pytest.mark.parametrize(("moves", "turns", "said"), [(0, 0, []), (1, 1, ["Seeker"]), (2, 1, ["Seeker"]),
                                                      (3, 2, ["Seeker", "Supporter"]),
                                                      (6, 4, ["Seeker", "Supporter", "Seeker", "Supporter"])])
def test_every_move_of_the_models_is_drawn(stage, moves: int, turns: int, said: list[str]) -> None:
    shown = stage().move(moves).seen()["turns"]
    assert shown.count("<article") == turns
    roles = [line.split("<")[0] for line in shown.split('dt-role">')[1:]]
    assert roles == said


def test_the_ranking_of_the_real_counselor_is_drawn_with_all_its_terms(stage) -> None:
    shown = stage().move(3).seen()["turns"]
    assert shown.count('class="dt-barname"') == 8 and "log p" in shown and "prior" in shown
    counsel = table_to_json(stage().move(3).table)["turns"][1]["counselor"]
    assert sum(ranking.shares(counsel["ranking"])) == pytest.approx(1.0, abs=1e-3)


def test_while_the_counselor_has_decided_the_live_turn_shows_it(stage) -> None:
    table = stage().move(2).table
    live = play._live(table, "supporter", "You said")
    shown = transcript.live_turn(live, table_to_json(table), EN, "en")
    assert "You said" in shown and "dt-bars" in shown and "dt-supporter" in shown


@pytest.mark.parametrize("role", ["seeker", "counselor", "supporter"])
def test_the_live_turn_of_every_role_is_in_words(stage, role: str) -> None:
    table = stage().move(1).table
    shown = transcript.live_turn(play._live(table, role, ""), table_to_json(table), EN, "en")
    assert EN(f"dialogue.busy.{role}") in shown and f"dt-live dt-{role}" in shown


@pytest.mark.parametrize(("asked", "moves", "offered", "status"), [
    ({}, 3, {"pause", "stop", "part"}, "running"),
    ({"human_roles": ("seeker",)}, 0, {"stop", "part", "say_row"}, "paused"),
    ({"human_roles": ("seeker",)}, 0, {"pause", "stop", "part", "say_row"}, "running"),
    ({"human_roles": ("supporter",)}, 2, {"stop", "part", "say_row"}, "paused"),
    ({"counselor": "you"}, 1, {"stop", "part", "choose"}, "paused"),
    ({"human_roles": ("supporter",), "counselor": "none"}, 1, {"stop", "part", "say_row"}, "paused"),
    ({"counselor": "none"}, 2, {"pause", "stop", "part"}, "running"),
])
def test_a_person_is_offered_the_move_that_is_theirs(stage, asked: dict, moves: int, offered: set[str],
                                                     status: str) -> None:
    assert stage(**asked).move(moves).offered(status) == offered


def test_pausing_wins_over_waiting(stage) -> None:
    paused = stage(human_roles=("seeker",)).tell(do="pause")
    assert paused.offered("paused") == {"continue", "stop", "part"}
    assert paused.tell(do="continue").offered("paused") == {"stop", "part", "say_row"}


def test_a_role_that_is_taken_is_ticked_and_waited_for(stage) -> None:
    taken = stage().move(1).tell(do="take", role="counselor")
    seen = taken.seen("paused")
    assert seen["roles"] == ["counselor"] and seen["choose"].count('data-act="strategy"') == 8
    assert "choose the strategy" in seen["strip"]
    given_back = taken.tell(do="release", role="counselor")
    assert given_back.seen()["roles"] == [] and given_back.seen()["choose"] == ""


def test_what_a_person_says_is_marked_as_theirs(stage) -> None:
    shown = stage(human_roles=("seeker",)).tell(do="say", role="seeker", text="My <own> words").seen()["turns"]
    assert "My &lt;own&gt; words" in shown and EN("dialogue.turn.by_person") in shown


def test_the_strategy_that_a_person_chose_leads_the_next_turn(stage) -> None:
    shown = stage(counselor="you").move(1).tell(do="strategy", key="reflection").move(1).seen()["turns"]
    assert "Reflection of Feelings" in shown and EN("dialogue.counselor.you") in shown


@pytest.mark.parametrize(("keep", "turns"), [(True, 4), (False, 1)])
def test_an_edit_keeps_or_drops_what_came_after(stage, keep: bool, turns: int) -> None:
    edited = stage().move(6).tell(do="edit", turn=0, text="Other words.", keep_rest=keep)
    shown = edited.seen()["turns"]
    assert shown.count("<article") == turns and "Other words." in shown
    assert EN("dialogue.turn.edited", count=1) in shown


def test_twice_edited_keeps_the_very_first_text(stage) -> None:
    opening = stage().move(1)
    before = opening.table.dialogue.turns[0].text
    shown = opening.tell(do="edit", turn=0, text="Two.", keep_rest=True).tell(
        do="edit", turn=0, text="Three.", keep_rest=True).seen()["turns"]
    assert before in Tags(shown).words and "Three." in shown and EN("dialogue.turn.edited", count=2) in shown


def test_stopped_by_a_person(stage) -> None:
    seen = stage().move(3).tell(do="stop").seen("succeeded")
    assert EN("dialogue.stop.user") in seen["end"] and not any(seen[name] for name in OFFERED)
    assert 'data-act="edit"' not in seen["turns"] and 'data-act="views"' in seen["turns"]


@pytest.mark.parametrize(("lang", "words"), [("en", "I want to kill myself."), ("zh-CN", "我不想活了，我想自杀。")])
def test_words_of_crisis_stop_the_play_and_show_where_help_is(stage, lang: str, words: str) -> None:
    stopped = stage(human_roles=("seeker",)).tell(do="say", role="seeker", text=words)
    assert stopped.table.dialogue.stop_reason == "safety"
    seen = stopped.seen("succeeded", lang=lang)
    assert "dt-crisis" in seen["end"] and text.say(lang, "dialogue.stop.safety") in seen["end"]
    assert seen["end"].count("<li>") >= 3


def test_words_that_only_sound_like_a_crisis_do_not(stage) -> None:
    going = stage(human_roles=("seeker",)).tell(do="say", role="seeker", text="This exam is killing me.")
    assert going.table.dialogue.stop_reason == "running" and "dt-crisis" not in going.seen()["end"]


def test_the_case_file_follows_the_facts_as_they_are_told(stage) -> None:
    told = stage(max_turns=40).move(30)
    value = table_to_json(told.table)
    known = casefile.told_facts(value["turns"])
    shown = casefile.casefile(value, EN, "en")
    assert shown.count('class="dt-told"') == len(known) > 0
    for place in known.values():
        assert EN("dialogue.case.told", turn=place + 1) in shown


@pytest.mark.parametrize("name", ["esconv-8", "extes-16", "escot-13"])
def test_every_strategy_set_has_bars_labels_and_buttons(stage, name: str) -> None:
    size = int(name.rsplit("-", 1)[1])
    played = stage(strategy_set=name).move(3)
    shown = played.seen()["turns"]
    assert shown.count('class="dt-barname"') == size and f"All {size} strategies" in shown
    choose = played.move(1).tell(do="take", role="counselor").seen("paused")["choose"]
    assert choose.count('data-act="strategy"') == size


@pytest.mark.parametrize("mode", ["scored", "prompt", "none", "you"])
def test_every_counselor_mode_can_be_watched(stage, mode: str) -> None:
    played = stage(counselor=mode)
    for _ in range(8):
        if played.table.waiting_for == "counselor":
            played.tell(do="strategy", key="question")
        played.move()
    words = Tags(played.seen()["turns"]).words
    assert "Supporter" in words and "dialogue." not in words


@pytest.mark.parametrize("place", range(8))
def test_the_barrier_holds_in_every_prompt_that_is_shown(stage, settings: Settings, place: int) -> None:
    value = table_to_json(stage(max_turns=30).move(14).table)
    made = dialogue_prompts.prompts_at(value, place, settings)
    shown = prompts.barrier_table(made, value, place, EN)
    for row in shown.split("<tr>")[2:]:
        if any(EN(f"dialogue.views.{piece}") in row for piece in ("situation", "occupation")):
            assert 'class="dt-supporter dt-on"' not in row and 'class="dt-counselor dt-on"' not in row
    for role in ("counselor", "supporter"):
        said = " ".join(turn["text"] for turn in value["turns"][:place])
        hidden = [fact for fact in value["card"]["hidden_facts"] if fact not in said]
        assert not [fact for fact in hidden if fact in prompts.prompt_text(made.get(role))]


def test_a_batch_as_the_method_reports_it_is_shown(home: Path, tmp_path: Path) -> None:
    from backends.sweetiechat import generate
    context = MemoryContext(tmp_path / "run")
    generate.run(GenerateRequest(count=3, batch=3, min_turns=2, max_turns=4, redraws=0, **MODELS), context, opener)
    progress = json.loads((context.run / "artifacts" / "progress.json").read_text(encoding="utf-8"))
    shown = batch.progress("succeeded", progress, 2.0, "", None, {}, EN)
    assert "3 / 3" in shown and "Turn limit" in shown and batch.figures(progress, 2.0)[2] == pytest.approx(6.0)


# --- nothing that a file may hold breaks the page or becomes markup -------------------------------------------------

JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=12)
                    | st.just("<script>x</script>"),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
                        ["role", "text", "strategy", "counselor", "private", "meta", "ranking", "chosen", "score",
                         "probability", "intensity", "revealed", "items", "key", "history", "stage", "mode", "tokens",
                         "terms", "latency_ms", "emotion", "hidden_facts"]), inner, max_size=4), max_leaves=12)
DIALOGUES = st.fixed_dictionaries({}, optional={
    "turns": st.lists(JSON, max_size=4) | JSON, "scenario": JSON, "card": JSON, "strategy_set": JSON, "models": JSON,
    "stop_reason": JSON, "state": JSON, "waiting_for": JSON, "held": st.lists(st.text(max_size=4), max_size=2),
    "seed": JSON})
ALLOWED = {"div", "article", "header", "span", "p", "aside", "section", "h4", "h5", "dl", "dt", "dd", "ol", "ul", "li",
           "b", "i", "em", "code", "button", "input", "label", "table", "thead", "tbody", "tr", "th", "td", "br", "svg",
           "g", "line", "path", "circle"}


def fields(tags: Sequence[str]) -> set[str]:
    return set(tags) - ALLOWED


@rules(max_examples=150, deadline=None)
@given(DIALOGUES, JSON)
def test_any_file_of_a_run_gives_a_page_of_known_elements(value: dict, live: object) -> None:
    seen = watching.looks(run_of("paused"), value, live, 60, True, "en", EN)
    page = "".join(part for part in seen.values() if isinstance(part, str))
    assert not fields(Tags(page).tags)
    watching.changes(seen, "{}", "r1")


@rules(max_examples=60, deadline=None)
@given(DIALOGUES)
def test_any_file_gives_an_ending_and_a_barrier_table(value: dict) -> None:
    shown = outcome.ending(value, EN) + prompts.barrier_table({"seeker": {"text": "x"}}, value, 1, EN)
    assert not fields(Tags(shown).tags)


def test_a_real_dialogue_survives_the_round_through_the_page_unchanged(stage) -> None:
    value = table_to_json(stage().move(9).table)
    before = json.dumps(value, sort_keys=True)
    watching.looks(run_of(), value, None, 60, True, "en", EN)
    casefile.casefile(value, EN, "zh-CN")
    assert json.dumps(value, sort_keys=True) == before
    assert len(dialogue_from_json(json.loads(before)).turns) == len(value["turns"])
