"""The counselor by a trained classifier and by a recorded dialogue: every term by hand, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pytest

from backends.sweetiechat import generate
from backends.sweetiechat.cast import open_cast, roles_for
from backends.sweetiechat.classifier import train_linear
from backends.sweetiechat.classifier_at_work import FREQUENCIES, Trained, open_trained
from backends.sweetiechat.classifier_features import Case
from backends.sweetiechat.counselor import decide
from backends.sweetiechat.counselor_recorded import OVER
from backends.sweetiechat.counselor_terms import among_best, softmax
from backends.sweetiechat.counselor_trained import FLOOR, terms
from backends.sweetiechat.objects import Dialogue, Turn, dialogue_from_json, dialogue_to_json
from backends.sweetiechat.projections import Line
from backends.sweetiechat.requests import DialogueRequest, GenerateRequest
from tests.backends.sweetie import LARGE, ScriptedModel, make_cast, make_dialogue, strategies_of, words
from workbench.context import MemoryContext
from workbench.contract import MissingResource, UserError
from workbench.files import read_lines, write_json

KEYS = strategies_of("esconv-8").keys
PLAIN = {"choice_temperature": 0.0, "stage_weight": 0.0, "repeat_weight": 0.0}


def cases(keys: tuple[str, ...] = KEYS) -> list[Case]:
    return [Case(n, (Line("seeker", f"please {key} {key}"),), "x", key) for n in range(6) for key in keys]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of histories: a seeker who says a strategy's key gets that strategy."""
    path = train_linear(cases(), "history").save(tmp_path_factory.mktemp("classifier"))
    write_json(path / FREQUENCIES, {key: (0.3 if key == "question" else 0.1) for key in KEYS})
    return path


def trained(folder: Path, tmp_path: Path) -> Trained:
    return open_trained(MemoryContext(tmp_path / "run"), f"path:{folder}")


def asked(folder: Path, tmp_path: Path, *texts: str, strategies: str = "esconv-8", used: tuple[str, ...] = (),
          **changes: object):
    request = DialogueRequest(**{**PLAIN, "counselor": "classifier", "classifier": "path:x", **changes})
    cast = dataclasses.replace(make_cast(request=request), trained=trained(folder, tmp_path))
    dialogue = make_dialogue(*texts, counselor="classifier", strategies=strategies, used=used)
    return decide([dialogue], cast)[0]


# --- the classifier -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("key", ["suggestions", "reflection", "information"])
def test_the_classifier_counsels(folder: Path, tmp_path: Path, key: str) -> None:
    counsel = asked(folder, tmp_path, f"please {key}")
    assert counsel.chosen == key and counsel.mode == "classifier" and len(counsel.ranking) == 8
    assert counsel.rationale and counsel.notes == ()


def test_every_term_is_logged_and_they_add_up(folder: Path, tmp_path: Path) -> None:
    counsel = asked(folder, tmp_path, "please question", "Why?", "please question", used=("question",), rebalance=0.5,
                    stage_weight=0.3, repeat_weight=0.2)
    own = {r.strategy: r for r in counsel.ranking}
    p = trained(folder, tmp_path).chances(make_dialogue("please question", "Why?", "please question",
                                                        used=("question",)))
    for key, ranked in own.items():
        assert set(ranked.terms) == {"history", "classes", "stage", "repeat"}
        assert ranked.terms["history"] == pytest.approx(math.log(max(FLOOR, p[key])), abs=1e-3)
        assert ranked.terms["classes"] == pytest.approx(-0.5 * math.log(0.3 if key == "question" else 0.1), abs=1e-3)
        assert ranked.score == pytest.approx(sum(ranked.terms.values()), abs=1e-3)
    assert own["question"].terms["repeat"] == -0.2 and own["question"].terms["stage"] == 0.3


def test_at_temperature_one_without_other_terms_the_draw_follows_p(folder: Path, tmp_path: Path) -> None:
    counsel = asked(folder, tmp_path, "please reflection", choice_temperature=1.0)
    p = trained(folder, tmp_path).chances(make_dialogue("please reflection"))
    for ranked in counsel.ranking:
        assert ranked.probability == pytest.approx(p[ranked.strategy], abs=2e-4)


def test_rebalance_takes_from_the_frequent_and_gives_to_the_rare() -> None:
    made = terms({"a": 0.5, "b": 0.4}, {"a": 0.8, "b": 0.01}, ("a", "b", "c"), 1.0)
    assert sum(made["b"].values()) > sum(made["a"].values())
    assert made["c"] == {"history": math.log(FLOOR), "classes": 0.0}, "never seen: floor, and no weight to know"
    assert terms({"a": 0.5}, {}, ("a",), 0.0) == {"a": {"history": math.log(0.5), "classes": 0.0}}


@pytest.mark.parametrize(("scores", "count", "expected"), [
    ([0.0, 1.0, 2.0], 0, softmax([0.0, 1.0, 2.0], 1.0)), ([0.0, 1.0, 2.0], 3, softmax([0.0, 1.0, 2.0], 1.0)),
    ([0.0, 1.0, 2.0], 1, [0.0, 0.0, 1.0]), ([5.0, 5.0, 5.0], 2, [0.5, 0.5, 0.0])])
def test_only_the_best_are_drawn_among(scores: list[float], count: int, expected: list[float]) -> None:
    assert among_best(scores, 1.0, count) == pytest.approx(expected)


def test_what_is_not_among_the_best_is_never_drawn(folder: Path, tmp_path: Path) -> None:
    drawn = {asked(folder, tmp_path, "hello", choice_temperature=5.0, choice_top_k=2, seed=seed).chosen
             for seed in range(40)}
    assert len(drawn) == 2


def test_the_classifier_sees_the_public_talk_only(folder: Path, tmp_path: Path) -> None:
    model = trained(folder, tmp_path)
    dialogue = make_dialogue("hello")
    other = dataclasses.replace(dialogue, card=dataclasses.replace(dialogue.card, hidden_facts=("please question",)),
                                scenario=dataclasses.replace(dialogue.scenario, situation="please question"))
    assert model.chances(dialogue) == model.chances(other)


def test_no_language_model_is_opened_for_it(folder: Path, tmp_path: Path) -> None:
    assert roles_for("classifier") == roles_for("none") == roles_for("agent") == ("seeker", "supporter")
    assert roles_for("oracle") == roles_for("you") == roles_for("scored") == ("seeker", "counselor", "supporter")
    request = GenerateRequest(counselor="classifier", classifier=f"path:{folder}")
    cast = open_cast(MemoryContext(tmp_path / "r"), request, roles_for("classifier"), lambda _c, _r: ScriptedModel())
    assert set(cast.models) == {"seeker", "supporter"} and cast.trained is not None
    assert cast.named()["counselor"] == f"path:{folder}"


def test_dialogues_are_generated_with_it(folder: Path, tmp_path: Path) -> None:
    request = GenerateRequest(count=2, batch=2, max_turns=4, min_turns=2, counselor="classifier", redraws=0,
                              classifier=f"path:{folder}", stop_early=False)
    model = ScriptedModel()
    result = generate.run(request, MemoryContext(tmp_path), lambda _c, _r: model)
    rows = [dialogue_from_json(row) for row in read_lines(tmp_path / "artifacts" / "dialogues.jsonl")]
    assert result.dialogues == 2 and {t.counselor.mode for d in rows for t in d.said_by("supporter")} == {"classifier"}
    assert not [p for p in model.scored if "counselor" in p.key] and {d.counselor for d in rows} == {"classifier"}


def test_a_set_that_it_was_not_trained_for_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="which the strategy set escot-13 does not have"):
        asked(folder, tmp_path, "hello", strategies="escot-13")


def test_rebalance_needs_frequencies(tmp_path: Path) -> None:
    bare = train_linear(cases(), "history").save(tmp_path / "bare")
    with pytest.raises(UserError, match="does not say how frequent"):
        asked(bare, tmp_path, "hello", rebalance=1.0)


def test_folders_that_hold_no_counselor(tmp_path: Path) -> None:
    context = MemoryContext(tmp_path / "run")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no strategy classifier"):
        open_trained(context, f"path:{tmp_path / 'empty'}")
    utterance = train_linear([Case(n, (), f"say {k}", k) for n in range(3) for k in KEYS], "utterance").save(
        tmp_path / "u")
    with pytest.raises(UserError, match="reads the utterance"):
        open_trained(context, f"path:{utterance}")
    with pytest.raises(MissingResource):
        open_trained(context, "path:/nowhere/at/all")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "classifier.json").write_text("{}")
    with pytest.raises(UserError, match="no strategy classifier that can be read"):
        open_trained(context, f"path:{broken}")


def test_a_request_without_a_classifier_is_refused() -> None:
    with pytest.raises(UserError, match="there is no classifier to ask"):
        GenerateRequest(counselor="classifier")


def test_a_head_on_a_language_model_counsels_too(tiny_lm: Path, tmp_path: Path) -> None:
    """Both kinds: the head alone, and joined with the words as in the validation."""
    import numpy as np

    from backends.sweetiechat.classifier_lm import Reader, together, train_head

    dialogues = [make_dialogue(f"please {key}") for key in KEYS for _ in range(2)]
    reader = Reader(tiny_lm)
    head = train_head(np.concatenate([reader.next_state(d) for d in dialogues]),
                      [key for key in KEYS for _ in range(2)], "history", f"path:{tiny_lm}", strength=10.0)
    head.save(tmp_path / "lm")
    alone = trained(tmp_path / "lm", tmp_path)
    assert alone.words is None and alone.keys == head.keys
    p = alone.chances(make_dialogue("please question"))
    assert max(p, key=lambda key: p[key]) == "question" and sum(p.values()) == pytest.approx(1.0)
    words_model = train_linear(cases(), "history")
    words_model.save(tmp_path / "lm")
    both = trained(tmp_path / "lm", tmp_path)
    dialogue = make_dialogue("please suggestions")
    expected = together(head.scores(reader.next_state(dialogue)),
                        np.array([[words_model.next_strategy(dialogue)[key] for key in head.keys]]))[0]
    assert [both.chances(dialogue)[key] for key in head.keys] == pytest.approx(expected.tolist(), abs=1e-6)
    few = train_linear(cases(KEYS[:3]), "history")
    few.save(tmp_path / "lm")
    with pytest.raises(UserError, match="know different strategies"):
        trained(tmp_path / "lm", tmp_path)


# --- the recorded dialogue ------------------------------------------------------------------------------------------

def origin(*used: str) -> Dialogue:
    texts = [f"t{n}" for n in range(2 * len(used))]
    return make_dialogue(*texts, used=used, stop_reason="user")


def oracle(dialogue: Dialogue, recorded: Dialogue, **changes: object):
    request = DialogueRequest(**{**PLAIN, "counselor": "oracle", "origin": dialogue_to_json(recorded), **changes})
    return decide([dialogue], make_cast(request=request))[0]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_recorded_strategies_come_in_their_order_and_say_so(place: int) -> None:
    used = ("question", "information", "suggestions")
    said = [f"x{n}" for n in range(2 * place + 1)]
    counsel = oracle(make_dialogue(*said, counselor="oracle", used=("others",) * place), origin(*used))
    assert counsel.chosen == used[place] and counsel.mode == "oracle"
    assert "oracle" in counsel.rationale and "oracle" in counsel.notes[0]
    assert [r.strategy for r in counsel.ranking] == [used[place]]


def test_after_the_last_recorded_turn_the_scores_decide_and_say_so() -> None:
    counsel = oracle(make_dialogue("a", "b", "c", counselor="oracle", used=("question",)), origin("question"))
    assert counsel.mode == "scored" and counsel.notes == (OVER,)


def test_a_recorded_turn_without_a_strategy_is_scored() -> None:
    recorded = origin("question").with_turn(Turn(2, "seeker", "s")).with_turn(Turn(3, "supporter", "plain"))
    counsel = oracle(make_dialogue("a", "b", "c", counselor="oracle", used=("question",)), recorded)
    assert counsel.mode == "scored" and counsel.notes == (OVER,)


def test_a_strategy_of_another_set_is_refused() -> None:
    with pytest.raises(UserError, match="is not a strategy of extes-16"):
        oracle(make_dialogue("a", counselor="oracle", strategies="extes-16"), origin("question"))


def test_an_oracle_without_a_recording_is_refused() -> None:
    with pytest.raises(UserError, match="no recorded dialogue"):
        DialogueRequest(counselor="oracle")
    with pytest.raises(UserError, match="no recorded dialogue"):
        decide([make_dialogue("a", counselor="oracle")], make_cast(request=DialogueRequest()))


def test_the_oracles_reason_is_not_shown_to_the_supporter() -> None:
    from backends.sweetiechat.views import view_for
    from backends.sweetiechat.wording import voice_of
    from tests.backends.sweetie import wording_of

    dialogue = make_dialogue("a", counselor="oracle")
    counsel = oracle(dialogue, origin("question"))
    prompt = view_for("supporter", dialogue, wording_of("en"), voice_of(LARGE), counsel=counsel)
    assert "oracle" not in words(prompt) and "recorded" not in words(prompt)


def test_a_decision_goes_to_json_and_back(folder: Path, tmp_path: Path) -> None:
    counsel = asked(folder, tmp_path, "please question")
    dialogue = make_dialogue("please question").with_turn(Turn(1, "supporter", "Why?", counsel.chosen, counsel))
    assert dialogue_from_json(json.loads(json.dumps(dialogue_to_json(dialogue)))) == dialogue
