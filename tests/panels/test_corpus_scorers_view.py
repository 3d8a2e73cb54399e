"""The Scorers view: texts tried with every scorer and why, training runs, judged texts, keywords, rights."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest

from backends.mdfg.domain_requests import DomainRoundsRequest
from backends.mdfg.scorer_requests import ToxicityRoundsRequest, TrainScorerRequest
from panels import corpus_scorers_domains as domains
from panels import corpus_scorers_kinds as kinds
from panels import corpus_scorers_make as make
from panels import corpus_scorers_review as review
from panels import corpus_scorers_rounds as rounds
from panels import corpus_scorers_show as show
from panels import corpus_scorers_try as trying
from tests.panels.corpus_label_cases import SCRIPT, commands, job, pressed, put_run, shell_of
from tests.panels.test_dialogue_panel import skipped
from tests.panels.test_dialogue_wiring import ANN, BOB, OTHER, Page, asking, noting
from workbench.contract import UserError
from workbench.fields import from_json, to_json
from workbench.files import append_line, write_json
from workbench.hub_local import BUNDLED
from workbench.runs import Run

LAW = "原告请求判决被告赔偿损失，法院审理认为合同有效，被告提起上诉。"
TRAIN, ROUNDS, DOMAINS = (kinds.KINDS[name].task for name in ("train", "rounds", "domains"))
TRAINED = {"path": "p", "name": "quality", "version": "abc", "outputs": ["score"], "texts": 480, "held_out": 120,
           "figures": {"accuracy": 0.9, "AUC": None}, "size_mb": 0.5, "provenance": "synthetic",
           "notes": ["Only 120 texts were held out: figures are rough.", SCRIPT], "seconds": 2.0}
ROUND = {"name": "R0", "f1": 0.5, "auc": 0.9, "precision_at_99": None, "recall_at_99": 0.0, "judged": 2,
         "found_toxic": 1, "for_people": 1}
ROUNDED = {"path": "p", "judge": "simulated (known labels, 5% wrong)", "rounds": [ROUND, {**ROUND, "name": "R1",
           "f1": 0.75}], "control": [{**ROUND, "f1": 0.4}, {**ROUND, "name": "R1", "f1": 0.6}], "kappa": 0.8,
           "compared": 2, "tokens": 0, "provenance": "synthetic", "seconds": 3.0}
JUDGED = [{"round": 1, "text": f"第一条{SCRIPT}", "judge": "j", "toxic": None, "votes": [
    {"prompt": "p", "raw": '{"toxic": 1}', "toxic": True, "tokens": 5, "seconds": 0.1},
    {"prompt": "p", "raw": "unclear", "toxic": None, "tokens": 5, "seconds": 0.1}]},
    {"round": 1, "text": "第二条", "judge": "j", "toxic": True, "votes": []},
    {"round": 2, "text": "第三条", "judge": "j", "toxic": False, "votes": []}]
PROPOSED = [{"label": "law", "word": "上诉", "log_odds": 2.0, "strength": 3.5, "inside": 9, "outside": 1,
             "example": SCRIPT},
            {"label": "news", "word": "记者", "log_odds": 1.0, "strength": 2.5, "inside": 5, "outside": 2,
             "example": ""}]
ROUNDS_OF_DOMAINS = {
    "path": "p", "number": 2, "texts": 480, "counts": {"law": 30, "general": 50}, "sure": {"law": 5},
    "keywords": {"law": 21, "news": 20}, "proposals": PROPOSED, "changed": 2,
    "gained": {"law": 2}, "lost": {"general": 2},
    "unused": ["math"], "figures": {"micro-F1": 0.75}, "tested": 120, "leaked": 3, "provenance": "synthetic"}
CHANGES = [{"id": "a", "row": 0, "gained": ["law"], "lost": ["general"], "begins": f"法院{SCRIPT}"}]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page for all tests."""
    with noting(tmp_path_factory.mktemp("scorers")) as built:
        yield built


def trained(page: Page, **more: Any) -> Run:
    """A training run with a real scorer in it."""
    run = job(page, TRAIN, to_json(TrainScorerRequest()), TRAINED, **more)
    shutil.copytree(BUNDLED / "mdfg-zh-quality", run.path / "artifacts" / "scorer")
    append_line(run.path / "artifacts.jsonl", {"name": "scorer", "path": "artifacts/scorer", "kind": "scorer"})
    return run


def judged(page: Page, **more: Any) -> Run:
    return job(page, ROUNDS, to_json(ToxicityRoundsRequest()), ROUNDED,
               files={"judgements.jsonl": JUDGED, "queue.jsonl": JUDGED[:1]}, **more)


def proposed(page: Page, **more: Any) -> Run:
    return job(page, DOMAINS, to_json(DomainRoundsRequest(keywords="law: [court]", data=("path:/x",))),
               ROUNDS_OF_DOMAINS, files={"changes.jsonl": CHANGES}, **more)


def tried(page: Page, text: str = LAW, scorers: list[str] | None = None, chosen: str = "", lang: str = "en",
          cookie: str = "") -> list[str]:
    request = asking(cookie, lang) if cookie else asking(lang=lang)
    references = [reference for _, reference in trying.bundled()] if scorers is None else scorers
    return trying.answer(shell_of(page), request, text, references, chosen)


# --- trying a text ------------------------------------------------------------------------------------------------

def test_every_bundled_scorer_scores_and_the_first_is_explained(page: Page) -> None:
    scores, why, chosen = tried(page)
    assert scores.count('class="cl-scorer"') == len(trying.bundled()) >= 5
    assert chosen == "bundled:mdfg-zh-domain|law" and "law = " in why and "bits of evidence" in why
    assert "法院" in why and "cl-up" in why


def test_chinese_scorers_come_first() -> None:
    names = [name for name, _ in trying.bundled()]
    assert names == sorted(names, key=lambda name: "-zh-" not in name)


@pytest.mark.parametrize("chosen", ["bundled:mdfg-zh-toxicity|score", "bundled:mdfg-zh-domain|news"])
def test_another_score_is_explained_when_asked(page: Page, chosen: str) -> None:
    scores, why, now = tried(page, chosen=chosen)
    assert now == chosen and f'data-key="{chosen}" aria-pressed="true"' in scores and "What pushed" in why


@pytest.mark.parametrize("chosen", ["", "x", "bundled:mdfg-zh-domain|sport", "run:1/scorer|score", "|"])
def test_a_score_that_is_not_there_falls_back_to_the_first(page: Page, chosen: str) -> None:
    assert tried(page, chosen=chosen)[2] == "bundled:mdfg-zh-domain|law"


@pytest.mark.parametrize(("text", "scorers", "problem"), [
    ("", None, "no text"), (" \n ", None, "no text"), ("x" * 20_001, None, "20,001 characters; at most 20,000"),
    (LAW, [], "at least one scorer"), (LAW, ["path:/etc"], "no scorer of this list"),
    (LAW, ["bundled:nothing"], "no bundled model"), (LAW, ["bundled:../models/mdfg-zh-domain"], "bundled"),
    (LAW, ["run:20260101T000000-abcdef/scorer"], "There is no run"), (LAW, ["hub:a/b"], "no scorer of this list"),
    (LAW, ["endpoint:http://x"], "no scorer of this list")])
def test_what_cannot_be_scored_is_said(page: Page, text: str, scorers: list[str] | None, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        tried(page, text, scorers)


def test_a_text_is_escaped_wherever_it_is_shown(page: Page) -> None:
    for chosen in ("bundled:mdfg-zh-toxicity|score", "bundled:mdfg-zh-domain|law"):
        scores, why, _ = tried(page, f"{SCRIPT} {LAW}", chosen=chosen)
        assert "<script" not in scores + why


@pytest.mark.parametrize(("text", "words"), [
    ("1234567890 %%% --- 2024 12 31", "mostly digits and symbols"), (LAW, "not toxic")])
def test_rules_about_toxicity_are_said(page: Page, text: str, words: str) -> None:
    assert words in tried(page, text, ["bundled:mdfg-zh-toxicity"])[0]


def test_domains_are_named_and_those_below_the_threshold_are_marked(page: Page) -> None:
    assert ">law<" in tried(page, LAW, ["bundled:mdfg-zh-domain"])[0]
    low = tried(page, "今天的天气。", ["bundled:mdfg-zh-domain"])
    assert "general" in low[0]
    zh = "".join(tried(page, LAW, lang="zh-CN"))
    assert "法律" in zh and not re.search(r"label\.[a-z]", zh)


def test_one_s_own_scorers_are_offered_and_used(page: Page) -> None:
    run = trained(page, title=SCRIPT)
    reference = f"run:{run.id}/scorer"
    offered = {value: name for name, value in trying.offered(shell_of(page), ANN)}
    assert run.id in offered[reference] and "bundled:mdfg-zh-quality" in offered
    scores, _, chosen = tried(page, scorers=[reference, "bundled:mdfg-zh-quality"])
    assert chosen == f"{reference}|score" and "<script" not in scores
    values = re.findall(r'<span class="dt-num">([\d.]+)</span>', scores)
    assert values[0] == values[1], "it is a copy of the bundled one"


def test_somebody_else_s_scorer_is_neither_offered_nor_opened(page: Page) -> None:
    run = trained(page)
    reference = f"run:{run.id}/scorer"
    assert reference not in [value for _, value in trying.offered(shell_of(page), BOB)]
    with pytest.raises(UserError, match="There is no run"):
        tried(page, scorers=[reference], cookie=OTHER)


def test_a_run_without_a_scorer_of_ours_says_where_to_score(page: Page) -> None:
    run = job(page, TRAIN, to_json(TrainScorerRequest(method="berteval")), TRAINED)
    folder = run.path / "artifacts" / "scorer"
    folder.mkdir()
    write_json(folder / "berteval.json", {"format": "x"})
    append_line(run.path / "artifacts.jsonl", {"name": "scorer", "path": "artifacts/scorer", "kind": "scorer"})
    assert f"run:{run.id}/scorer" not in [value for _, value in trying.offered(shell_of(page), ANN)]
    with pytest.raises(UserError, match=r"mdfg\.score\.v1"):
        tried(page, scorers=[f"run:{run.id}/scorer"])


def test_a_scorer_is_opened_once_until_it_changes(page: Page) -> None:
    one = trying.open_for(shell_of(page), ANN, "bundled:mdfg-zh-quality")
    assert trying.open_for(shell_of(page), ANN, "bundled:mdfg-zh-quality") is one


# --- what is offered and started ----------------------------------------------------------------------------------

def test_each_kind_has_a_task_a_request_and_an_example_that_fits() -> None:
    for name, kind in kinds.KINDS.items():
        request = kind.request()
        from_json(request, {**to_json(request()), **kind.example})
        assert set(kind.sources) <= set(to_json(request())), name


def test_texts_of_filtering_runs_are_offered_as_data(page: Page) -> None:
    run = put_run(page)
    (run.path / "artifacts" / "documents").mkdir(parents=True)
    (run.path / "artifacts" / "kept.jsonl").write_text("{}\n")
    for kind, names in (("train", ["kept.jsonl"]), ("domains", ["documents", "kept.jsonl"])):
        found = [value for _, value in kinds.sources(shell_of(page), ANN, "en", kind) if run.id in value]
        assert found == [f"run:{run.id}/{name}" for name in names]
    assert not kinds.sources(shell_of(page), BOB, "en", "domains")


def test_runs_of_all_three_kinds_are_listed_for_who_may_see_them(page: Page) -> None:
    made = [trained(page).id, judged(page).id, proposed(page).id]
    found = [value for _, value in kinds.choices(shell_of(page), ANN, "en")]
    assert set(made) <= set(found)
    assert not set(made) & {
        value for _, value in kinds.choices(shell_of(page), BOB, "en")}


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_the_example_of_each_kind_is_started(page: Page, kind: str) -> None:
    page.made.clear()
    assert make.start(shell_of(page), asking(), kind, kinds.KINDS[kind].example) == "r-new"
    task, fields, more = page.made[-1]
    assert (task, fields, more["visitor"]) == (kinds.KINDS[kind].task, kinds.KINDS[kind].example, ANN)
    assert more["title"]


def test_the_form_s_plan_is_kept_as_text(page: Page) -> None:
    for kind in kinds.KINDS:
        wanted = json.loads(make.plan(shell_of(page), asking(lang="zh-CN"), kind))
        assert wanted["kind"] == kind and wanted["lang"] == "zh-CN"
        from_json(kinds.KINDS[kind].request(), wanted["fields"])


# --- what is shown of a run ---------------------------------------------------------------------------------------

def looks(page: Page, run: Run, lang: str = "en", visitor: str = ANN) -> dict[str, Any]:
    return show.looks(shell_of(page), visitor, page.service.run(visitor, run.id), lang)


def test_a_trained_scorer_shows_figures_notes_name_and_card(page: Page) -> None:
    run = trained(page)
    look = looks(page, run)
    assert "0.900" in look["result"] and "–" in look["result"] and "480" in look["result"]
    assert f"run:{run.id}/scorer" in look["result"] and "<script" not in look["result"]
    assert "mdfg.ngram.v1" in look["result"] and look["try"] and not look["next"] and not look["by"]


@pytest.mark.parametrize("status", ["queued", "running", "failed", "cancelled", "lost", "paused"])
def test_a_run_that_has_not_ended_well_shows_no_result(page: Page, status: str) -> None:
    run = job(page, TRAIN, {}, None, status=status)
    look = show.looks(shell_of(page), ANN, run, "en")
    assert look["result"] == "" and not look["try"] and not look["next"]
    assert look["stop"] is (run.status in ("queued", "running", "paused"))
    assert look["continue"] is (run.status in ("failed", "cancelled", "lost", "paused"))


def test_somebody_else_s_shared_run_has_no_buttons_that_change_it(page: Page) -> None:
    run = proposed(page, shared=True)
    look = show.looks(shell_of(page), BOB, run, "en")
    assert look["result"] and not look["next"] and not look["stop"] and not look["continue"]


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_every_kind_is_shown_in_both_languages(page: Page, lang: str) -> None:
    for run in (trained(page), judged(page), proposed(page)):
        html = "".join(value for value in looks(page, run, lang).values() if isinstance(value, str))
        assert not re.search(r">label\.[a-z]", html) and "<script" not in html


def test_a_tick_sends_only_what_changed(page: Page) -> None:
    run = trained(page)
    first = make.tick(shell_of(page), run.id, "{}", asking())
    again = make.tick(shell_of(page), run.id, first[-1], asking())
    assert not skipped(first[0]) and all(skipped(update) for update in again)
    assert skipped(make.tick(shell_of(page), "", "{}", asking()))
    other = job(page, "mdfg.score.v1", {}, None)
    assert skipped(make.tick(shell_of(page), other.id, "{}", asking())), "not a kind of this view"


# --- toxicity rounds ----------------------------------------------------------------------------------------------

def test_rounds_stand_beside_their_control_with_who_judged(page: Page) -> None:
    html = looks(page, judged(page))["result"]
    assert "0.750<small>0.600</small>" in html and "+0.150" in html
    assert "This judge is simulated" in html and "kappa 0.800 over 2 texts" in html and "3 texts judged" in html
    assert "Nobody has labelled a judged text" in html


def test_a_damaged_result_is_said(page: Page) -> None:
    run = job(page, ROUNDS, {}, {"rounds": "none"})
    assert "has no rounds to show" in rounds.figures(run, lambda key, **values: key)


@pytest.mark.parametrize(("only", "texts"), [("undecided", ["第一条"]), ("all", ["第一条", "第二条", "第三条"]),
                                             ("toxic", ["第二条"]), ("harmless", ["第三条"]), ("against", []),
                                             ("<odd>", ["第一条"])])
def test_judged_texts_are_chosen_by_verdict(page: Page, only: str, texts: list[str]) -> None:
    html = review.shown(shell_of(page), asking(), review.Asked(judged(page).id, only=only))
    assert [word for word in ("第一条", "第二条", "第三条") if word in html] == texts and "<script" not in html
    assert "unclear" in html or "第一条" not in html


def test_a_person_s_answer_is_kept_and_compared_with_the_judge(page: Page) -> None:
    run = judged(page)
    asked = review.Asked(run.id, by="  Ann ", only="all")
    for value, place in (("toxic", "0"), ("harmless", "1"), ("harmless", "2")):
        assert review.decide(shell_of(page), asking(), asked, value, place) == "{}"
    assert [(one["place"], one["value"], one["by"], one["drawn"]) for one in commands(page, run)] == [
        (0, "toxic", "Ann", "judged"), (1, "harmless", "Ann", "judged"), (2, "harmless", "Ann", "judged")]
    against = review.shown(shell_of(page), asking(), review.Asked(run.id, only="against"))
    assert "第二条" in against and "第三条" not in against
    assert "with people here: kappa" in looks(page, run)["result"]
    assert re.search(r'data-act="harmless" data-key="1" aria-pressed="true"', against)


@pytest.mark.parametrize(("by", "value", "place", "problem"), [
    ("", "toxic", "0", "Write your name"), ("Ann", "maybe", "0", "toxicity is maybe"),
    ("Ann", "toxic", "77", "no judged text '77'"), ("Ann", "toxic", "", "no judged text")])
def test_an_answer_that_cannot_be_kept_is_refused(page: Page, by: str, value: str, place: str, problem: str) -> None:
    run = judged(page)
    with pytest.raises(UserError, match=problem):
        review.decide(shell_of(page), asking(), review.Asked(run.id, by=by), value, place)
    assert not commands(page, run)


def test_only_the_owner_answers(page: Page) -> None:
    run = judged(page)
    with pytest.raises(UserError, match="There is no run"):
        review.decide(shell_of(page), asking(OTHER), review.Asked(run.id, by="Bo"), "toxic", "0")
    with pytest.raises(UserError, match="belongs to somebody else"):
        rounds.label(shell_of(page), asking(OTHER), run, "Bo", "toxic", "0")


# --- domain rounds ------------------------------------------------------------------------------------------------

def test_a_round_shows_counts_changes_and_what_it_was_measured_on(page: Page) -> None:
    html = looks(page, proposed(page))["result"]
    assert "Round 2: 480 texts" in html and ">30<" in html and "0.750" in html
    assert "Found in no text, so not learned: math" in html and "2 texts changed their labels (1 shown)" in html
    assert "<ins>+ law</ins>" in html and "<del>− general</del>" in html and "<script" not in html
    assert "Measured on 120 labelled texts; 3 were left out" in html


@pytest.mark.parametrize(("before", "act", "key", "after"), [
    ("{}", "accept", "law|上诉", {"law|上诉": "accept"}), ('{"law|上诉": "accept"}', "accept", "law|上诉", {}),
    ('{"law|上诉": "accept"}', "reject", "law|上诉", {"law|上诉": "reject"}), ("{}", "burn", "law|上诉", {}),
    ("{}", "accept", "nothing", {}), ("broken", "accept", "a|b", {"a|b": "accept"}), ("[1]", "reject", "a|b",
                                                                                   {"a|b": "reject"}),
    ("", "accept", "a|b|c", {"a|b|c": "accept"})])
def test_decisions_are_taken_and_taken_back(before: str, act: str, key: str, after: dict[str, str]) -> None:
    assert json.loads(domains.toggled(before, key, act)) == after


def test_proposals_are_shown_by_domain_with_the_decisions(page: Page) -> None:
    run = proposed(page)
    picks = review.decide(shell_of(page), asking(), review.Asked(run.id), "accept", "law|上诉")
    html = review.shown(shell_of(page), asking(), review.Asked(run.id, picks))
    assert "1 accepted, 0 rejected" in html and "cl-is-accept" in html and "z 3.5 · 9 / 1" in html
    assert "<h4>law</h4>" in html and "<h4>news</h4>" in html and "<script" not in html


def test_the_next_round_goes_on_from_this_one_with_the_decisions(page: Page) -> None:
    run = proposed(page)
    picks = json.dumps({"law|上诉": "accept", "news|记者": "reject"})
    fields = review.next_round(shell_of(page), asking(), run.id, picks)
    request = from_json(DomainRoundsRequest, fields)
    assert request.previous == f"run:{run.id}/round" and request.accepted == ("law: 上诉",)
    assert request.rejected == ("news: 记者",) and request.data == () and request.keywords == ""


@pytest.mark.parametrize(("data", "kept"), [
    (["run:20260101T000000-abcdef/kept.jsonl"], ("run:20260101T000000-abcdef/kept.jsonl",)),
    (["path:/data/a.jsonl"], ()), ("nonsense", ()), (None, ())])
def test_texts_of_a_run_are_named_again_in_the_next_round(page: Page, data: Any, kept: tuple[str, ...]) -> None:
    run = proposed(page)
    request = run.path / "request.json"
    content = json.loads(request.read_text())
    content["fields"]["data"] = data
    request.write_text(json.dumps(content))
    fields = review.next_round(shell_of(page), asking(), run.id, '{"law|上诉": "accept"}')
    assert tuple(fields.get("data") or ()) == kept


def test_a_next_round_without_a_decision_or_of_another_kind_is_refused(page: Page) -> None:
    with pytest.raises(UserError, match="Accept or reject at least one"):
        review.next_round(shell_of(page), asking(), proposed(page).id, "{}")
    with pytest.raises(UserError, match="proposes no keywords"):
        review.next_round(shell_of(page), asking(), trained(page).id, '{"law|a": "accept"}')


def test_nothing_is_reviewed_where_nothing_has_ended(page: Page) -> None:
    assert review.shown(shell_of(page), asking(), review.Asked("")) == ""
    running = job(page, DOMAINS, {}, None, status="failed")
    assert review.shown(shell_of(page), asking(), review.Asked(running.id)) == ""
    assert review.shown(shell_of(page), asking(), review.Asked(trained(page).id)) == ""


# --- the page -----------------------------------------------------------------------------------------------------

def handler(page: Page, module: str, name: str) -> Any:
    return next(block.fn for block in page.handlers(f"panels.{module}") if block.fn.__name__ == name)


def test_the_handlers_of_the_page(page: Page) -> None:
    run = proposed(page)
    references = ["bundled:mdfg-zh-toxicity", "bundled:mdfg-zh-domain"]
    scores, _, chosen = handler(page, "corpus_scorers_try", "score")(LAW, references, "", asking())
    assert "cl-scorer" in scores and chosen.startswith("bundled:mdfg-zh-toxicity")
    explained = handler(page, "corpus_scorers_try", "explain")(LAW, references, chosen, asking(),
                                                              pressed("explain", "bundled:mdfg-zh-domain|law"))
    assert explained[2] == "bundled:mdfg-zh-domain|law"
    assert len(handler(page, "corpus_scorers_try", "example")(references, "", asking())) == 4
    html, picks = handler(page, "corpus_scorers_make", "decided")(asking(), pressed("accept", "law|上诉"), run.id, "{}",
                                                                 "", "all")
    assert json.loads(picks) == {"law|上诉": "accept"} and "1 accepted" in html
    page.made.clear()
    assert handler(page, "corpus_scorers_make", "following")(run.id, picks, asking()) == "r-new"
    assert page.made[-1][0] == DOMAINS and page.made[-1][2]["parents"] == (run.id,)
    assert handler(page, "corpus_scorers_make", "begin_example")("rounds", asking()) == "r-new"
    handler(page, "run_controls", "stop")(run.id, asking())
    handler(page, "run_controls", "proceed")(run.id, asking())
    assert page.cancelled[-1] == page.resumed[-1] == run.id


def test_try_it_brings_the_scorer_to_the_text(page: Page) -> None:
    run = trained(page)
    tabs, scorers, chosen = handler(page, "corpus_scorers", "try_it")(run.id, ["bundled:mdfg-zh-domain"], asking())
    assert isinstance(tabs, gr.Tabs) and tabs.selected == "try"
    assert scorers["value"] == [f"run:{run.id}/scorer", "bundled:mdfg-zh-domain"] and chosen == f"run:{run.id}/scorer|"


def test_the_form_is_drawn_once_for_a_kind_and_language(page: Page) -> None:
    draw = handler(page, "corpus_scorers_make", "draw")
    asked = draw("", "train", asking())
    assert skipped(draw(asked, "train", asking())) and not skipped(draw(asked, "rounds", asking()))
    assert json.loads(draw(asked, "train", asking(lang="zh-CN")))["lang"] == "zh-CN"
