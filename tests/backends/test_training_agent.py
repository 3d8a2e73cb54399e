"""The training task: what an agent reads and writes, what is split and left out, from data to a usable model."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from backends.common.prompts import encode
from backends.common.training.examples import HEAD, pack
from backends.sweetiechat.importers import import_dialogues
from backends.sweetiechat.library import ASSETS, choose_strategies
from backends.sweetiechat.objects import Dialogue, Private, Scenario, SeekerCard, Turn, dialogue_to_json
from backends.sweetiechat.train import notes, plan_of, run, threads_for
from backends.sweetiechat.train_card import card
from backends.sweetiechat.train_data import PRACTICE, read_one, read_sources, refused, strategy_counts
from backends.sweetiechat.train_requests import ClassifierRequest, TrainRequest
from backends.sweetiechat.train_text import (
    SILENCE,
    SYSTEM,
    head_of,
    heads_of,
    lines_of,
    prompt_for,
    read_reply,
    replies_of,
)
from tests.backends.training_cases import tokenizer_of
from workbench.context import MemoryContext
from workbench.contract import Cancelled, UserError
from workbench.fields import from_json, to_json
from workbench.files import read_lines
from workbench.hub import card as card_of
from workbench.settings import Settings

SET = choose_strategies("esconv-8")
SCENARIO = Scenario("s-1", "sleep", "anxiety", 4, "CANARYSCENARIO I cannot sleep at all.", trigger="CANARYTRIGGER")
CARD = SeekerCard("c-1", "s-1", gender="CANARYGENDER", hidden_facts=("CANARYFACT one", "CANARYFACT two"))


def dialogue(*said: tuple[str, str, str | None], name: str = "d-1", scenario: Scenario = SCENARIO,
             **fields) -> Dialogue:
    """A dialogue with private things in every place that has room for them."""
    turns = tuple(Turn(place, "seeker" if role == "s" else "supporter", text, strategy,  # type: ignore[arg-type]
                       private=Private("CANARYEMOTION", 3) if role == "s" else None, meta={"raw": "CANARYMETA"})
                  for place, (role, text, strategy) in enumerate(said))
    return Dialogue(name, scenario, CARD, SET, turns, "imported", **fields)


TALK = dialogue(("s", "I cannot sleep.", None), ("p", "Since when?", "question"), ("s", "A month.", None),
                ("p", "That is long.", "reflection"), ("s", "It is.", None), ("p", "Try tea.", "suggestions"))


@pytest.mark.parametrize(("variant", "said"), [
    ("joint", ["[Question] Since when?", "[Reflection of Feelings] That is long.", "[Providing Suggestions] Try tea."]),
    ("given", ["[Question] Since when?", "[Reflection of Feelings] That is long.", "[Providing Suggestions] Try tea."]),
    ("plain", ["Since when?", "That is long.", "Try tea."])])
def test_a_dialogue_becomes_one_reply_a_supporter_turn(variant: str, said: list[str]) -> None:
    replies = replies_of(TALK, variant)
    assert [r.head + r.text for r in replies] == said
    assert [r.given for r in replies] == [variant == "given"] * 3
    history = replies[-1].messages
    assert [m.role for m in history] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert history[0].content == SYSTEM["en", variant != "plain"]
    assert [m.content for m in history if m.role == "assistant"] == said[:2], "earlier strategies are history"


@pytest.mark.parametrize("variant", ["joint", "given", "plain"])
def test_nothing_private_reaches_training_or_use(variant: str) -> None:
    seen = repr([replies_of(TALK, variant), prompt_for(TALK, variant, "question"), prompt_for(TALK, variant)])
    assert "CANARY" not in seen
    assert "CANARYFACT" in repr(TALK) and "CANARYMETA" in repr(TALK), "there was something to leak"


@pytest.mark.parametrize("variant", ["joint", "given", "plain"])
def test_use_reads_the_ids_of_training(variant: str, tiny_lm: Path) -> None:
    tokenizer = tokenizer_of(tiny_lm)
    (example,) = pack(tokenizer, "d", replies_of(TALK, variant), 4096)
    for place, turn in enumerate(TALK.turns):
        if turn.role == "supporter":
            so_far = dataclasses.replace(TALK, turns=TALK.turns[:place])
            for key in ("", turn.strategy or ""):
                ids = encode(tokenizer, prompt_for(so_far, variant, key))
                assert list(example.ids[:len(ids)]) == ids
    assert (HEAD in example.kinds) == (variant == "joint")


def test_turns_of_one_speaker_are_joined_and_the_first_strategy_counts() -> None:
    talk = dialogue(("s", "Hi", None), ("s", " I am\nsad ", None), ("p", "Oh.", "reflection"),
                    ("p", "Why?", "question"), ("s", "  ", None))
    assert [(line.role, line.text, line.used) for line in lines_of(talk)] == [
        ("seeker", "Hi I am sad", ""), ("supporter", "Oh. Why?", "reflection")]
    (reply,) = replies_of(talk, "joint")
    assert (reply.head, reply.text) == ("[Reflection of Feelings]", " Oh. Why?")


def test_a_supporter_who_speaks_first_answers_silence() -> None:
    talk = dialogue(("p", "Hello!", "others"), ("s", "Hi.", None), ("p", "What happened?", "question"))
    first, second = replies_of(talk, "joint")
    assert [m.content for m in first.messages] == [SYSTEM["en", True], SILENCE]
    assert first.head + first.text == "[Others] Hello!"
    assert [m.content for m in second.messages][1:] == [SILENCE, "[Others] Hello!", "Hi."]
    assert prompt_for(dataclasses.replace(talk, turns=()), "joint").messages[-1].content == SILENCE


def test_a_turn_without_a_strategy_is_context_unless_strategies_do_not_matter() -> None:
    talk = dialogue(("s", "Hi", None), ("p", "Yes?", None), ("s", "Bad day.", None), ("p", "Why?", "question"))
    assert [r.text for r in replies_of(talk, "joint")] == [" Why?"]
    assert replies_of(talk, "joint")[0].messages[2].content == "Yes?"
    assert [r.text for r in replies_of(talk, "plain")] == ["Yes?", "Why?"]


def test_chinese_has_its_own_words_and_no_space_after_the_head() -> None:
    talk = dialogue(("s", "我睡不着。", None), ("p", "多久了？", "question"), language="zh")
    (reply,) = replies_of(talk, "joint")
    assert reply.head + reply.text == "[提问]多久了？" and reply.messages[0].content == SYSTEM["zh", True]


@pytest.mark.parametrize(("text", "expected"), [
    ("[Question] Why?", ("question", "Why?")), ("[Question]Why?", ("question", "Why?")),
    (" [reflection of feelings] Oh.", ("reflection", "Oh.")), ("[Affirmation and Reassurance]", ("affirmation", "")),
    ("[question] Why?", ("question", "Why?")), ("[Guessing] Why?", (None, "Why?")), ("Why?", (None, "Why?")),
    ("[Question Why?", (None, "[Question Why?")), ("No [Question] here", (None, "No [Question] here")),
    ("no information needed", (None, "no information needed")), ("", (None, "")), ("[]x", (None, "x")),
])
def test_what_an_agent_wrote_is_read_strictly(text: str, expected: tuple[str | None, str]) -> None:
    assert read_reply(text, SET, "en") == expected


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", ["esconv-8", "extes-16", "escot-13"])
def test_every_head_is_read_back_as_its_strategy(name: str, language: str) -> None:
    strategies = choose_strategies(name)
    heads = heads_of(strategies, language)
    assert len(set(heads)) == len(strategies.items)
    for item, head in zip(strategies.items, heads, strict=True):
        assert head == head_of(item, language)
        assert read_reply(f"{head} yes", strategies, language) == (item.key, "yes")


def test_the_practice_data_are_whole_and_use_every_strategy(tmp_path: Path) -> None:
    dialogues, skipped = read_one(PRACTICE, MemoryContext(tmp_path))
    assert len(dialogues) == 10 and skipped == []
    assert set(strategy_counts(dialogues)) == set(SET.keys)
    assert all(len(d.turns) >= 8 and d.turns[0].role == "seeker" for d in dialogues)


def write(path: Path, dialogues: list[Dialogue]) -> str:
    path.write_text("".join(json.dumps(dialogue_to_json(d)) + "\n" for d in dialogues))
    return f"path:{path}"


def scenario(number: int) -> Scenario:
    return dataclasses.replace(SCENARIO, id=f"s-{number}", situation=f"Situation number {number} told at some length.")


def test_what_is_held_out_shares_no_scenario_with_what_is_trained_on(tmp_path: Path) -> None:
    first = [dialogue(*_said(n), name=f"a-{n}", scenario=scenario(n)) for n in range(8)]
    second = [dialogue(*_said(n + 100), name=f"b-{n}", scenario=scenario(n)) for n in range(4, 12)]
    references = [write(tmp_path / "a.jsonl", first), write(tmp_path / "b.jsonl", second)]
    sources = read_sources(references, 0.3, 1, MemoryContext(tmp_path / "run"))
    trained = {d.scenario.id for s in sources for d in s.trained}
    held_out = {d.scenario.id for s in sources for d in s.held_out}
    assert not trained & held_out and len(held_out) >= 2
    assert sum(len(s.trained) + len(s.held_out) for s in sources) == 16
    again = read_sources(references, 0.3, 1, MemoryContext(tmp_path / "again"))
    assert [[d.id for d in s.held_out] for s in again] == [[d.id for d in s.held_out] for s in sources]
    assert not any(s.held_out for s in read_sources(references, 0.0, 1, MemoryContext(tmp_path / "none")))


def _said(number: int) -> list[tuple[str, str, str | None]]:
    return [("s", f"I have problem number {number} and it is a long story to tell you today.", None),
            ("p", f"Tell me about {number}.", "question")]


def test_what_quality_control_refused_is_left_out_and_counted(tmp_path: Path) -> None:
    dialogues = [dialogue(*_said(n), name=f"a-{n}", scenario=scenario(n),
                          qc={"report": {"status": status}} if status else {})
                 for n, status in enumerate(("accepted", "rejected", "quarantined", ""))]
    assert [refused(d) for d in dialogues] == [False, True, True, False]
    reference = write(tmp_path / "a.jsonl", dialogues)
    (source,) = read_sources([reference], 0.0, 1, MemoryContext(tmp_path / "run"))
    assert len(source.trained) == 2 and source.left_out == ("2 dialogues that quality control did not accept",)
    assert notes([source], 3) == (f"{reference}: {source.left_out[0]}",
                                  "3 replies lost the beginning of their history to the longest sequence")
    (everything,) = read_sources([reference], 0.0, 1, MemoryContext(tmp_path / "all"), only_accepted=False)
    assert len(everything.trained) == 4
    with pytest.raises(UserError, match="No dialogue is left"):
        read_sources([write(tmp_path / "b.jsonl", dialogues[1:3])], 0.0, 1, MemoryContext(tmp_path / "bad"))


@pytest.mark.parametrize(("fields", "words"), [
    ({"weights": (1.0, 2.0)}, "weights has 2 entries and data has 1"),
    ({"keep": "best", "held_out": 0.0}, "cannot be known"),
    ({"save": "both", "method": "full"}, "no adapter"),
    ({"epochs": 0.0}, "epochs is 0"), ({"variant": "other"}, "one of 'joint'"),
    ({"learning_rate": 2.0}, "learning_rate"),
    ({"data": ()}, "data is 0"), ({"tracker": "mlflow"}, "tracker"), ({"seed": -1}, "seed"),
])
def test_requests_that_make_no_sense_are_refused(fields: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        TrainRequest(**fields)


@pytest.mark.parametrize("request_", [TrainRequest(), ClassifierRequest(), TrainRequest(weights=(1.0,), held_out=0.0)])
def test_requests_survive_json(request_) -> None:
    assert from_json(type(request_), json.loads(json.dumps(to_json(request_)))) == request_


def test_defaults_are_those_of_the_specification() -> None:
    r = TrainRequest()
    assert (r.rank, r.alpha, r.dropout, r.learning_rate, r.warmup, r.epochs, r.length, r.strategy_weight) == (
        16, 32, 0.05, 1e-4, 0.03, 3.0, 2048, 1.0)
    assert plan_of(r, "cpu").precision == "float32" and plan_of(r, "cuda").precision == "bfloat16"
    assert plan_of(TrainRequest(precision="bfloat16"), "cpu").precision == "bfloat16"


def test_threads_are_the_settings_or_half_the_cores(tmp_path: Path) -> None:
    context = MemoryContext(tmp_path, settings=Settings(home=tmp_path, threads=3))
    assert threads_for(context) == 3
    plain = MemoryContext(tmp_path / "b", settings=Settings(home=tmp_path, threads=0))
    assert threads_for(plain) >= 1
    plain.world = 64
    assert threads_for(plain) == 1


def small(tiny_lm: Path, **fields) -> TrainRequest:
    return TrainRequest(**{"model": f"path:{tiny_lm}", "held_out": 0.2, "epochs": 2.0, "batch": 4, "rank": 4,
                           "alpha": 8, "learning_rate": 1e-2, "length": 1024, "seed": 5, **fields})


@pytest.fixture(scope="module")
def trained(tiny_lm: Path, tmp_path_factory: pytest.TempPathFactory):
    """The task run once on the practice data: (request, context, result)."""
    context = MemoryContext(tmp_path_factory.mktemp("runs") / "run")
    request = small(tiny_lm, save="both", name="Practice agent", licence="apache-2.0")
    return request, context, run(request, context)


def test_the_task_trains_measures_and_saves(trained) -> None:
    request, context, result = trained
    assert (result.dialogues, result.held_out, result.steps) == (8, 2, 4)
    assert result.last_loss < result.first_loss
    assert [m.step for m in result.measured] == [0, 2, 4]
    assert result.measured[-1].perplexity < result.measured[0].perplexity
    assert result.measured[-1].strategy_nats < result.measured[0].strategy_nats
    assert result.replies > 25 and result.learned_tokens > 1000 and result.left_out == ()
    assert 0 < result.trained_weights < result.all_weights
    assert {line["kind"] for line in read_lines(context.run / "artifacts.jsonl")} == {"model", "text", "dialogues"}
    assert not list((context.run / "checkpoints").glob("*")), "what is finished needs no checkpoint"
    assert json.loads(json.dumps(to_json(result)))["steps"] == 4
    assert "path:" + str(request.model).removeprefix("path:") in read_inputs(context)


def read_inputs(context: MemoryContext) -> dict:
    return json.loads((context.run / "inputs.json").read_text())


def test_the_model_opens_by_its_path_and_its_card_tells_what_it_is(trained) -> None:
    request, context, result = trained
    folder = next(s.path for s in result.saved if s.kind == "model")
    found = card_of(f"path:{folder}", context.settings)
    assert (found.title, found.kind, found.languages) == ("Practice agent", "chat", ("en",))
    assert found.licence == "apache-2.0"
    text = (Path(folder) / "README.md").read_text()
    for words in ("not the authors' model", "`practice`: dialogues for training 8, held out 2", "no therapist",
                  f"{result.measured[-1].perplexity:.2f}", "## Limits"):
        assert words in text
    facts = json.loads((Path(folder) / "training.json").read_text())
    assert facts["variant"] == "joint" and facts["strategy_set"]["name"] == "esconv-8"
    assert facts["request"] == to_json(request) and "saved" not in facts["result"]
    assert (Path(context.run) / "artifacts" / "adapter" / "adapter_model.safetensors").is_file()


def test_the_trained_model_answers_in_all_four_modes(trained) -> None:
    from backends.common.engine import LocalModel
    from backends.common.language import Decoding

    folder = Path(next(s.path for s in trained[2].saved if s.kind == "model"))
    model = LocalModel(folder, threads=1, dtype="float32", device="cpu")
    so_far = dataclasses.replace(TALK, turns=TALK.turns[:3])
    prompts = [prompt_for(so_far, "joint"), *(prompt_for(so_far, "joint", key) for key in SET.keys)]
    replies = model.generate(prompts, Decoding(max_new_tokens=6, temperature=0.0))
    assert len(replies) == 9
    assert [read_reply(r.text, SET, "en")[0] for r in replies[1:]] == list(SET.keys)
    (scores,) = model.score([prompt_for(so_far, "joint")], [heads_of(SET, "en")])
    assert len(scores) == 8 and all(value < 0 for row in scores for value in row)
    model.close()


def test_the_same_request_gives_the_same_result(trained, tiny_lm: Path, tmp_path: Path) -> None:
    request, _, result = trained
    again = run(request, MemoryContext(tmp_path / "run"))
    assert again.measured == result.measured and again.last_loss == result.last_loss
    other = run(dataclasses.replace(request, seed=6, save="adapter"), MemoryContext(tmp_path / "other"))
    assert other.last_loss != result.last_loss


@pytest.mark.parametrize("fields", [
    {"variant": "plain"}, {"variant": "given"}, {"method": "full", "keep": "best"}, {"strategy_weight": 0.0},
    {"held_out": 0.0}, {"loss_per": "token"}, {"precision": "bfloat16", "save": "adapter"},
    {"gradient_checkpointing": True, "micro_tokens": 64}, {"length": 400}])
def test_every_kind_of_training_runs(fields: dict, tiny_lm: Path, tmp_path: Path) -> None:
    request = small(tiny_lm, **{"epochs": 1.0, "max_steps": 2, **fields})
    result = run(request, MemoryContext(tmp_path / "run"))
    assert result.steps == 2 and all(Path(one.path).is_dir() for one in result.saved)
    learned = request.variant == "joint"
    assert all((m.strategy_nats is not None) == learned for m in result.measured)
    assert bool(result.left_out) == (request.length == 400)
    assert (result.measured == ()) == (request.held_out == 0.0)


def test_mixing_takes_from_the_sources_by_weight(tiny_lm: Path, tmp_path: Path) -> None:
    dialogues = [dialogue(*_said(n), name=f"a-{n}", scenario=scenario(n)) for n in range(6)]
    reference = write(tmp_path / "a.jsonl", dialogues)
    request = small(tiny_lm, data=("practice", reference), weights=(0.0, 1.0), held_out=0.0, max_steps=1, batch=16)
    context = MemoryContext(tmp_path / "run")
    mixed = run(request, context)
    alone = run(dataclasses.replace(request, weights=(1.0, 0.0)), MemoryContext(tmp_path / "alone"))
    assert mixed.dialogues == alone.dialogues == 16 and mixed.first_loss < alone.first_loss / 2, \
        "the short replies of one source alone"


def test_a_cancel_lets_go_and_a_second_call_goes_on(tiny_lm: Path, tmp_path: Path) -> None:
    request = small(tiny_lm, save_every=1, save="adapter")
    whole = run(request, MemoryContext(tmp_path / "whole"))

    class Stops(MemoryContext):
        def metric(self, step: int, **values: float) -> None:
            super().metric(step, **values)
            if step == 3:
                raise Cancelled

    with pytest.raises(Cancelled):
        run(request, Stops(tmp_path / "run"))
    assert list((tmp_path / "run" / "checkpoints").glob("step-*"))
    context = MemoryContext(tmp_path / "run")
    again = run(request, context)
    assert again.measured == whole.measured and again.last_loss == whole.last_loss
    assert [step for step, values in context.metrics if "loss" in values] == [3, 4]


@pytest.mark.parametrize(("fields", "words"), [
    ({"data": ("path:/no/such/file.jsonl",)}, "nothing at"), ({"data": ("nonsense",)}, "source is 'nonsense'"),
    ({"model": "path:/no/such/model"}, "nothing at"), ({"length": 32}, "no reply to learn"),
])
def test_what_cannot_be_done_is_said(fields: dict, words: str, tiny_lm: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=words):
        run(small(tiny_lm, **fields), MemoryContext(tmp_path / "run"))


def test_the_card_without_measurements_and_with_chinese(trained) -> None:
    request, _, result = trained
    sources = read_sources(["practice"], 0.0, 1, trained[1])
    chinese = [dataclasses.replace(s, trained=tuple(dataclasses.replace(d, language="zh") for d in s.trained))
               for s in sources]
    text = card(dataclasses.replace(request, name='A "quoted" 名字'), chinese, "package:x",
                dataclasses.replace(result, measured=()))
    assert '- zh' in text and 'model_name: "A \\"quoted\\" 名字"' in text and "| - | - | - | - |" in text
    import yaml

    assert yaml.safe_load(text[3:].split("\n---", 1)[0])["model_name"] == 'A "quoted" 名字'


def test_real_dialogues_are_read_and_packed(shared: Path, tiny_lm: Path) -> None:
    path = shared / "dialogue" / "multiesc_valid.jsonl"
    if not path.is_file():
        pytest.skip("multiesc_valid.jsonl is not in ../shared")
    tokenizer = tokenizer_of(tiny_lm)
    dialogues = import_dialogues(path, limit=5).dialogues
    for d in dialogues:
        (example,) = pack(tokenizer, d.id, replies_of(d, "joint"), 100_000)
        assert example.replies == sum(bool(t.strategy) for t in d.said_by("supporter"))


def test_practice_lies_with_the_other_assets() -> None:
    assert (ASSETS / "practice.esconv.json").is_file()
