"""One round of the pool: what is asked, what joins with which parent, what is logged, and when it ends."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from backends.sweetiechat.scenarios.evolve import Growth, next_round
from backends.sweetiechat.scenarios.fit import Question, fits
from backends.sweetiechat.scenarios.pool import start
from backends.sweetiechat.scenarios.request import ScenarioRequest
from backends.sweetiechat.scenarios.writer import make_writer
from backends.sweetiechat.wording import voice_of
from tests.backends.scenario_cases import LARGE, own_scores, reply, scripted, writer_of
from tests.backends.sweetie import BASE, words
from workbench.contract import UserError


def begin(language: str = "en", seeds: str = "esconv") -> Growth:
    return Growth(start(language, seeds))


def fixed(*lines: str):
    """A model that gives these lines after its prefill, in turn, whatever it is asked."""
    given = iter(lines * 100)
    return scripted(lambda prompt: f"{prompt.prefill} {next(given)}")


def rounds(writer, count: int, state: Growth | None = None) -> tuple[Growth, list]:
    state, log = state or begin(), []
    for _ in range(count):
        state, lines = next_round(state, writer)
        log += lines
    return state, log


def test_types_that_pass_join_with_parent_depth_and_birth() -> None:
    writer = writer_of(scripted(), prompts=5, per_prompt=2)
    state, log = rounds(writer, 1)
    assert len(state.pool.types) + len(log) == 12 + 10
    assert state.rounds == 1 and state.dry == 0 and state.sizes == (len(state.pool.types),)
    for kind in state.pool.evolved:
        parent = next(each for each in state.pool.types if each.id == kind.parent_id)
        assert kind.depth == parent.depth + 1 and kind.origin == "evolved"
        born = state.pool.born[kind.id]
        assert born["round"] == 0 and 0 <= born["similarity"] < 0.5 and born["nearest"]


def test_the_pool_reaches_its_target_and_no_further() -> None:
    writer = writer_of(scripted(), target=30)
    state, stop = begin(), ""
    while not (stop := state.stop(30, 5, 60)):
        state, _ = next_round(state, writer)
    assert stop == "target" and len(state.pool.types) == 30
    sizes = Counter(kind.category for kind in state.pool.types)
    assert max(sizes.values()) - min(sizes.values()) <= 2, "prompts go to the smallest categories"
    assert list(state.sizes) == sorted(state.sizes) and state.sizes[-1] == 30
    assert len({kind.id for kind in state.pool.types}) == 30
    assert max(kind.depth for kind in state.pool.evolved) >= 2, "evolved types become examples and parents"


def test_a_dry_spell_of_five_rounds_ends_it() -> None:
    writer = writer_of(fixed("Sleep problems | Falling or staying asleep has become a nightly struggle."))
    state = begin()
    while not (stop := state.stop(45, 5, 60)):
        state, log = next_round(state, writer)
        assert all({"new_name", "similarity"} <= set(line["reasons"]) for line in log)
    assert stop == "dry spell" and state.rounds == state.dry == 5 and len(state.pool.types) == 12
    assert state.rejected == 50 and state.sizes == (12,) * 5


def test_one_new_type_ends_the_dry_spell() -> None:
    state, _ = rounds(writer_of(fixed("Sleep problems | x")), 4)
    assert state.dry == 4
    state, _ = rounds(writer_of(scripted()), 1, state)
    assert state.dry == 0


@pytest.mark.parametrize(
    ("state", "stop"),
    [
        (Growth(start("en", "esconv")), ""),
        (Growth(start("en", "esconv"), rounds=9, dry=5), "dry spell"),
        (Growth(start("en", "esconv"), rounds=60, dry=1), "rounds"),
        (Growth(start("en", "bundled"), rounds=60, dry=9), "target"),
    ],
)
def test_why_it_stops(state: Growth, stop: str) -> None:
    assert state.stop(30, 5, 60) == stop


def test_no_round_at_all_can_be_asked_for() -> None:
    assert begin().stop(45, 5, 0) == "rounds"


def test_the_second_of_two_alike_meets_the_first() -> None:
    line = "Noise at night | Sounds through the wall make a home feel unsafe."
    state, log = rounds(writer_of(fixed(line), prompts=2, per_prompt=1), 1)
    assert [kind.name_en for kind in state.pool.evolved] == ["Noise at night"]
    [second] = log
    assert set(second["reasons"]) == {"new_name", "similarity"}
    assert next(v for v in second["verdicts"] if v["rule"] == "similarity")["value"] == {
        "rouge-l": 1.0,
        "nearest": "noise-at-night",
    }


def test_the_log_has_every_rule_with_value_and_reason() -> None:
    state, log = rounds(writer_of(fixed("Suicide | A person wants to die.", "only a name"), prompts=2, per_prompt=1), 1)
    assert state.rejected == 2
    assert [line["what"] for line in log] == ["type", "type"] and [line["round"] for line in log] == [0, 0]
    assert log[0]["reasons"] == ["safety"] and log[1]["reasons"] == ["shape"]
    assert all(
        set(v) == {"rule", "passed", "value", "reason"} and v["reason"] for line in log for v in line["verdicts"]
    )
    assert log[0]["candidate"]["name"] == "Suicide" and json.loads(json.dumps(log)) == log


def test_lines_are_asked_one_at_a_time_with_the_category_begun() -> None:
    model = scripted()
    rounds(writer_of(model, prompts=3, per_prompt=2), 1)
    assert len(model.prompts) == 6 and model.decodings[0].stop == ("\n",)
    names = {c.name_en for c in start("en", "esconv").categories}
    for prompt in model.prompts:
        head, *rows = [line for line in prompt.text.split("\n") if line]
        assert head.startswith("Problems that people bring") and len(rows) == 4
        assert all(row.split(" | ")[0] in names for row in rows)
        assert prompt.prefill.removesuffix(" |") in names and not prompt.messages
    assert {prompt.key for prompt in model.prompts} == {f"types/0/{n}" for n in range(6)} == set(model.forgotten)


def test_examples_are_two_seeds_and_two_evolved_once_there_are_any() -> None:
    model = scripted()
    writer = writer_of(model)
    state, _ = rounds(writer, 2)
    model.prompts.clear()
    before = {kind.name_en for kind in state.pool.evolved}
    next_round(state, writer)
    for prompt in model.prompts:
        shown = [line.split(" | ")[1] for line in prompt.text.strip().split("\n")[2:]]
        assert len(shown) == 4 and sum(name in before for name in shown) == 2


def test_a_large_model_is_asked_for_json_in_a_chat() -> None:
    model = scripted(card=LARGE)
    state, log = rounds(writer_of(model, prompts=3, per_prompt=2), 1)
    assert len(model.prompts) == 3 and all(prompt.messages and not prompt.text for prompt in model.prompts)
    assert "Write 2 new problem types" in words(model.prompts[0])
    assert len(state.pool.evolved) + len(log) == 6 and len(state.pool.evolved) >= 4
    for kind in state.pool.evolved:
        asked = [p for p in model.prompts if "Sleep problems" in words(p)]
        assert kind.parent_id == "sleep" or len(asked) < 3, (
            "the parent that the model names is taken where it was shown"
        )


def test_json_gets_one_repair_and_then_counts_as_wrong() -> None:
    def broken_once(prompt):
        return "Noise, fear, light" if not prompt.key.endswith("/repair") else reply(prompt)

    model = scripted(broken_once, LARGE)
    state, _ = rounds(writer_of(model, prompts=2, per_prompt=1), 1)
    repairs = [p for p in model.prompts if p.key.endswith("/repair")]
    assert len(repairs) == 2 and state.pool.evolved
    assert "That was not valid: there is no JSON object in it" in words(repairs[0])
    assert repairs[0].messages[-2].content == "Noise, fear, light"
    state, log = rounds(writer_of(scripted(lambda p: "no"), form="json", prompts=2, per_prompt=1), 1)
    assert [line["reasons"] for line in log] == [["shape"]] * 2 and log[0]["candidate"][
        "problem"
    ] == "there is no JSON object in it"


def test_only_as_many_types_as_asked_are_looked_at() -> None:
    rows = [
        {"name": f"Type {n}", "gloss": f"Thing {n} is wrong in many ways today.", "category": "health_body"}
        for n in range(20)
    ]
    state, log = rounds(writer_of(scripted(lambda p: json.dumps({"types": rows}), LARGE), prompts=1, per_prompt=3), 1)
    assert len(state.pool.evolved) + len(log) == 3


def test_a_round_depends_on_the_seed_and_its_number_only() -> None:
    first, _ = rounds(writer_of(scripted(), seed=3), 3)
    again, _ = rounds(writer_of(scripted(), seed=3), 3)
    other, _ = rounds(writer_of(scripted(), seed=4), 3)
    assert first == again != other
    two, _ = rounds(writer_of(scripted(), seed=3), 2)
    three, _ = rounds(writer_of(scripted(), seed=3), 1, two)
    assert three == first


def test_fit_is_asked_for_candidates_that_pass_everything_else() -> None:
    def scores(prompt, texts):
        fits_own = prompt.text == "Noise at night:"
        return [[-1.0 if fits_own else -2.0] * 3 for _ in texts]

    line = "Noise at night | Sounds through the wall make a home feel unsafe."
    model = scripted(lambda p: f"{p.prefill} {line}", scores=scores)
    state, log = rounds(writer_of(model, fit=True, prompts=1, per_prompt=1), 1)
    [kind] = state.pool.evolved
    assert state.pool.born[kind.id]["fit"] == pytest.approx(1.0) and len(model.scored) == 5
    worse = scripted(lambda p: f"{p.prefill} {line}", scores=lambda p, t: [[-1.0] * 3 for _ in t])
    state, log = rounds(writer_of(worse, fit=True, prompts=1, per_prompt=1), 1)
    assert not state.pool.evolved and log[0]["reasons"] == ["fit"]
    assert "no better than others (+0.000 nats a token)" in log[0]["verdicts"][-1]["reason"]
    broken = scripted(lambda p: f"{p.prefill} x", scores=scores)
    rounds(writer_of(broken, fit=True, prompts=1, per_prompt=1), 1)
    assert broken.scored == [], "a candidate that failed already costs no scores"


def test_fit_is_not_checked_where_it_cannot_be() -> None:
    silent = scripted(card={**LARGE, "can_score": False})
    question = Question("text", "own", ("other",))
    [verdict] = fits(silent, [question])
    assert verdict.passed is None and "gives no scores" in verdict.reason
    first, second = fits(scripted(scores=own_scores), [Question("text", "long own context", ()), question])
    assert first.passed is None and second.passed is False
    assert fits(scripted(scores=own_scores), []) == []


def test_fit_is_the_margin_to_the_best_other_context() -> None:
    table = {"own": -1.0, "near": -1.25, "far": -3.0}
    model = scripted(scores=lambda prompt, texts: [[table[prompt.text]] * 4 for _ in texts])
    [good] = fits(model, [Question("x y", "own", ("near", "far"))])
    [bad] = fits(model, [Question("x y", "near", ("own", "far"))])
    assert (good.value, good.passed, bad.value, bad.passed) == (0.25, True, -0.25, False)


def test_chinese_prompts_are_chinese() -> None:
    model = scripted(lambda prompt: f"{prompt.prefill} 邻居噪音 | 隔壁的响动让人在自己家里也不得安宁。")
    model.card["languages"] = ["zh"]
    state, _ = rounds(writer_of(model, "zh", prompts=1, per_prompt=1), 1, begin("zh"))
    [kind] = state.pool.evolved
    assert kind.name("zh") == "邻居噪音" and re.search("情绪支持", model.prompts[0].text)
    assert not re.search("[A-Za-z]", model.prompts[0].text)


@pytest.mark.parametrize(
    ("card", "form", "lines"),
    [
        ({"parameters": 135_000_000, "kind": "chat"}, "auto", True),
        ({"parameters": 7_000_000_000, "kind": "chat"}, "auto", False),
        (BASE, "auto", True),
        ({"kind": "chat"}, "auto", False),
        ({"parameters": 135_000_000, "kind": "chat"}, "json", False),
        ({"kind": "chat"}, "lines", True),
    ],
)
def test_the_form_goes_by_the_model(card: dict, form: str, lines: bool) -> None:
    assert writer_of(scripted(card=card), form=form).wording.lines is lines
    assert voice_of(card).small is lines or form != "auto"


def test_a_model_that_does_not_speak_the_language_is_refused() -> None:
    with pytest.raises(UserError, match="Scripted speaks English only; it cannot write in Chinese"):
        writer_of(scripted(), "zh")


def test_lines_need_a_model_that_continues_a_text() -> None:
    request = ScenarioRequest(form="lines")
    with pytest.raises(UserError, match="The form is lines"):
        make_writer(scripted(card=LARGE), "endpoint:http://127.0.0.1:1/v1", request, None, lambda: None)
    assert make_writer(scripted(card=LARGE), "endpoint:http://127.0.0.1:1/v1", ScenarioRequest(), None, lambda: None)


def test_cancelling_reaches_the_model() -> None:
    class Stop(Exception):
        pass

    def stop() -> None:
        raise Stop

    writer = make_writer(scripted(), "path:x", ScenarioRequest(), __import__("random").Random, stop)
    with pytest.raises(Stop):
        next_round(begin(), writer)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("target", 0),
        ("max_similarity", 2.0),
        ("dry_rounds", 0),
        ("examples", 1),
        ("form", "xml"),
        ("seeds", "none"),
        ("scenarios", -1),
        ("batch", 0),
        ("temperature", 3.0),
        ("language", "de"),
        ("cards", 11),
    ],
)
def test_a_wrong_request_is_refused(field: str, value: object) -> None:
    with pytest.raises(UserError, match=field):
        ScenarioRequest(**{field: value})
