"""The threshold lab: figures at the corpus's prevalence, the curve, what is kept, the recipe it leads to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backends.mdfg.explore.corpus import Corpus
from backends.mdfg.explore.labels import Label, command_of
from backends.mdfg.explore.shelf import Shelf
from backends.mdfg.recipes import dump_recipe, load_recipe, parse_recipe
from backends.mdfg.rules.verdicts import Test
from panels import corpus_lab as view
from panels.corpus_label_desk import LabelDesk
from tests.panels.corpus_label_cases import corpus, desk_of, pressed, put_run, records, shell_of
from tests.panels.test_dialogue_wiring import ANN, BOB, OTHER, Page, asking, noting
from workbench.contract import UserError
from workbench.runs import Run


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One page for all tests."""
    with noting(tmp_path_factory.mktemp("lab")) as built:
        yield built


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return corpus(tmp_path_factory.mktemp("source"), records=records(60))


@pytest.fixture(scope="module")
def desk() -> LabelDesk:
    return desk_of(Shelf())


def judge(page: Page, run: Run, what: str, border: float, names: tuple[str, str], count: int = 60) -> None:
    """Label documents by a rule on their score: positive from ``border`` on."""
    held = Corpus.open(run.path)
    for place, score in held.rows(f"SELECT place, {what} FROM docs WHERE {what} IS NOT NULL ORDER BY place LIMIT ?",
                                  [count]):
        page.service.command(ANN, run.id, command_of(
            Label(place, held.texts([place])[0].id, what, names[score < border], "Ann", drawn="bins")))


@pytest.fixture(scope="module")
def labelled(page: Page, source: Path) -> Run:
    """A run in which everything from .5 on was called good, and from .3 on toxic."""
    run = put_run(page, source)
    judge(page, run, "quality", 0.5, ("good", "bad"))
    judge(page, run, "toxicity", 0.3, ("toxic", "harmless"))
    return run


def looks(page: Page, desk: LabelDesk, run: Run | str, threshold: float | None = 0.5, percent: str = "",
          what: str = "quality", lang: str = "en", show: str = "all", cookie: str = "") -> list[str]:
    request = asking(cookie, lang) if cookie else asking(lang=lang)
    run_id = run if isinstance(run, str) else run.id
    return view.looks(shell_of(page), desk, request, (run_id, what, show), threshold, percent)


def figure(html: str, name: str) -> str:
    return re.findall(rf"<dt>{re.escape(name)}</dt><dd><b>(.*?)</b>", html)[0]


# --- figures ------------------------------------------------------------------------------------------------------

def test_a_score_that_is_right_has_full_precision_and_recall_at_its_border(page: Page, desk: LabelDesk,
                                                                           labelled: Run) -> None:
    html = looks(page, desk, labelled)[0]
    assert figure(html, "precision").startswith("100.0 %") and figure(html, "recall").startswith("100.0 %")
    assert figure(html, "average precision") == "1.000"


@pytest.mark.parametrize(("threshold", "precision", "recall"), [(0.0, False, True), (0.25, False, True),
                                                                (0.75, True, False)])
def test_another_threshold_trades_one_for_the_other(page: Page, desk: LabelDesk, labelled: Run, threshold: float,
                                                    precision: bool, recall: bool) -> None:
    html = looks(page, desk, labelled, threshold)[0]
    assert figure(html, "precision").startswith("100.0 %") is precision
    assert figure(html, "recall").startswith("100.0 %") is recall


def test_every_share_has_its_interval(page: Page, desk: LabelDesk, labelled: Run) -> None:
    html = looks(page, desk, labelled, 0.25)[0]
    for name in ("precision", "recall", "prevalence"):
        value, low, high = map(float, re.findall(r"([\d.]+) % \[([\d.]+), ([\d.]+)\]", figure(html, name))[0])
        assert 0 <= low <= value <= high <= 100


def test_kept_documents_are_counted_not_estimated(page: Page, desk: LabelDesk, labelled: Run) -> None:
    held = Corpus.open(labelled.path)
    (above, characters), = held.rows("SELECT count(*), sum(n_chars) FROM docs WHERE quality >= 0.5")
    (total, every), = held.rows("SELECT count(*), sum(n_chars) FROM docs WHERE quality IS NOT NULL")
    html = looks(page, desk, labelled)[0]
    assert figure(html, "kept documents").startswith(f"{above:,} / {total:,} (")
    assert f"{characters:,} / {every:,} (" in html


def test_toxic_documents_are_those_that_go(page: Page, desk: LabelDesk, labelled: Run) -> None:
    held = Corpus.open(labelled.path)
    (below, total), = held.rows("SELECT count(*) FILTER (WHERE toxicity < 0.3), count(*) FROM docs "
                                "WHERE toxicity IS NOT NULL")
    html = looks(page, desk, labelled, 0.3, what="toxicity")[0]
    assert figure(html, "kept documents").startswith(f"{below:,} / {total:,} (")
    assert "of all toxic documents" in html


def test_precision_at_another_prevalence_follows_the_formula(page: Page, desk: LabelDesk, labelled: Run) -> None:
    html = looks(page, desk, labelled, 0.25, "10")[0]
    held = Corpus.open(labelled.path)
    (hits, goods, wrong, bads), = held.rows(
        "SELECT count(*) FILTER (WHERE quality >= .5), count(*) FILTER (WHERE quality >= .5), "
        "count(*) FILTER (WHERE quality >= .25 AND quality < .5), count(*) FILTER (WHERE quality < .5) FROM docs "
        "WHERE quality IS NOT NULL")
    rate, false = hits / goods, wrong / bads
    wanted = 100 * rate * 0.1 / (rate * 0.1 + false * 0.9)
    assert float(figure(html, "precision at 10 %").removesuffix(" %")) == pytest.approx(wanted, abs=2.0)
    assert "precision at" not in looks(page, desk, labelled, 0.25)[0]


@pytest.mark.parametrize("percent", ["x", "101", "-1", "nan"])
def test_a_prevalence_that_is_none_is_named(page: Page, desk: LabelDesk, labelled: Run, percent: str) -> None:
    answer = looks(page, desk, labelled, 0.5, percent)
    assert "it must be a number between 0 and 100" in answer[0] and answer[1] == ""


@pytest.mark.parametrize("percent", ["0", "100", " 5 % "])
def test_the_ends_of_the_scale_are_prevalences(page: Page, desk: LabelDesk, labelled: Run, percent: str) -> None:
    assert "precision at" in looks(page, desk, labelled, 0.25, percent)[0]


def test_no_threshold_is_a_half(page: Page, desk: LabelDesk, labelled: Run) -> None:
    assert looks(page, desk, labelled, None) == looks(page, desk, labelled, 0.5)


# --- the charts ---------------------------------------------------------------------------------------------------

def test_the_curve_has_the_points_and_the_chosen_one_is_ringed(page: Page, desk: LabelDesk, labelled: Run) -> None:
    html = looks(page, desk, labelled, 0.25)[1]
    keys = [float(key) for key in re.findall(r'data-act="threshold" data-key="([^"]+)"', html)]
    assert len(keys) > 20 and all(0 <= key <= 1 for key in keys)
    assert html.count("cl-now") == 1 and html.count("<svg") == 2 and len(html) < 60_000


def test_charts_and_figures_in_chinese(page: Page, desk: LabelDesk, labelled: Run) -> None:
    html = "".join(looks(page, desk, labelled, lang="zh-CN"))
    assert "精确率" in html and "召回率" in html and not re.search(r"label\.[a-z]", html)


# --- refusals -----------------------------------------------------------------------------------------------------

def test_too_few_labels_are_refused_with_what_to_do(page: Page, desk: LabelDesk, source: Path) -> None:
    run = put_run(page, source)
    answer = looks(page, desk, run)
    assert "0 drawn documents have a label of quality" in answer[0] and "at least 20" in answer[0] and answer[1] == ""
    judge(page, run, "quality", 0.0, ("good", "bad"), 30)
    assert "0 of 30 labelled documents are bad" in looks(page, desk, run)[0]


def test_domains_have_no_threshold(page: Page, desk: LabelDesk, labelled: Run) -> None:
    assert "no score with one threshold" in looks(page, desk, labelled, what="domain")[0]


def test_a_private_run_and_no_run_say_so(page: Page, desk: LabelDesk, labelled: Run) -> None:
    assert "There is no run" in looks(page, desk, labelled, cookie=OTHER)[0]
    assert "tr-note" in looks(page, desk, "")[0]


def test_labels_of_the_whole_corpus_speak_for_a_part_of_it(page: Page, desk: LabelDesk, labelled: Run) -> None:
    kept = looks(page, desk, labelled, show="kept")
    (count,), = Corpus.open(labelled.path).rows("SELECT count(*) FROM docs WHERE kept AND quality IS NOT NULL")
    assert f"for {count:,} documents with a score" in kept[0] or "at least" in kept[0]


# --- the recipe ---------------------------------------------------------------------------------------------------

RECIPE = load_recipe("zh-paper-code")


@pytest.mark.parametrize(("rules", "test", "places"), [
    ((), Test("quality", "quality.score", "<", 0.4), [-1]),
    ((Test("good", "quality.score", "<", 0.1),), Test("quality", "quality.score", "<", 0.4), [0]),
    ((Test("good", "quality.score", ">", 0.9),), Test("quality", "quality.score", "<", 0.4), [0, -1])])
def test_a_threshold_takes_the_place_of_the_rule_that_looks_the_same_way(rules: tuple[Test, ...], test: Test,
                                                                         places: list[int]) -> None:
    from dataclasses import replace

    made = view.with_rule(replace(RECIPE, rules=(*rules, *RECIPE.rules)), test)
    about = [one for one in made.rules if one.column == "quality.score"]
    assert len(about) == len(places) and any(one.limit == 0.4 and one.drop_if == "<" for one in about)
    assert all(one in made.rules for one in RECIPE.rules), "the other rules stay"
    assert load_recipe(dump_recipe(made)).hash == made.hash


def test_rules_said_twice_become_one() -> None:
    from dataclasses import replace

    twice = replace(RECIPE, rules=(Test("a", "q", "<", 0.1), Test("b", "q", "<=", 0.2), *RECIPE.rules))
    made = view.with_rule(twice, Test("quality", "q", "<", 0.5))
    assert [(one.rule, one.limit) for one in made.rules if one.column == "q"] == [("a", 0.5)]


def test_a_long_name_still_fits() -> None:
    from dataclasses import replace

    made = view.with_rule(replace(RECIPE, name="n" * 200), Test("quality", "q", "<", 0.5))
    assert len(made.name) <= 200 and made.name.endswith("+ quality")


@pytest.mark.parametrize(("what", "sign"), [("quality", "<"), ("toxicity", ">=")])
def test_the_recipe_drops_what_the_threshold_says(page: Page, desk: LabelDesk, labelled: Run, what: str,
                                                  sign: str) -> None:
    made = parse_recipe(view.recipe_text(shell_of(page), desk, asking(), labelled.id, what, 0.35))
    assert (made.rules[-1].drop_if, made.rules[-1].limit) == (sign, 0.35)
    assert made.hash != Corpus.open(labelled.path).recipe.hash


def test_the_recipe_is_run_on_the_same_sources(page: Page, desk: LabelDesk, labelled: Run) -> None:
    text = view.recipe_text(shell_of(page), desk, asking(), labelled.id, "quality", 0.35)
    page.made.clear()
    html = view.run_with(shell_of(page), asking(), labelled.id, text)
    task, fields, more = page.made[-1]
    assert task == "mdfg.filter.v1" and more["parents"] == (labelled.id,)
    assert parse_recipe(fields["recipe"]).hash == parse_recipe(text).hash and parse_recipe(text).hash in html
    assert fields["sources"] == labelled.fields["sources"] and fields["scorers"] == [], "they are in the recipe"
    assert "tab=corpus&amp;run=r-new" in html


@pytest.mark.parametrize("text", ["", "rules: 5", "a: [", "!!python/object:os.system x"])
def test_a_recipe_that_was_broken_by_hand_is_refused(page: Page, labelled: Run, text: str) -> None:
    page.made.clear()
    with pytest.raises(UserError):
        view.run_with(shell_of(page), asking(), labelled.id, text)
    assert not page.made


def test_a_corpus_without_the_score_gives_no_recipe(page: Page, desk: LabelDesk, tmp_path: Path) -> None:
    bare = put_run(page, corpus(tmp_path, records=[{"text": f"第{n}篇，没有分数的文档。" * 30} for n in range(12)]))
    with pytest.raises(UserError, match="score of toxicity"):
        view.recipe_text(shell_of(page), desk, asking(), bare.id, "toxicity", 0.5)


def test_somebody_else_s_private_run_gives_no_recipe(page: Page, desk: LabelDesk, source: Path) -> None:
    run = put_run(page, source, owner=BOB)
    with pytest.raises(UserError, match="There is no run"):
        view.recipe_text(shell_of(page), desk, asking(), run.id, "quality", 0.5)


# --- the page -----------------------------------------------------------------------------------------------------

def handler(page: Page, name: str) -> Any:
    """The handler of this view (other modules begin with the same letters)."""
    return next(block.fn for block in page.handlers("panels.corpus_lab")
                if block.fn.__module__ == "panels.corpus_lab" and block.fn.__name__ == name)


def test_the_handlers_of_the_page(page: Page, labelled: Run) -> None:
    drawn = handler(page, "draw")(asking(), labelled.id, "quality", "all", 0.5, "")
    assert "100.0 %" in drawn[0] and "<svg" in drawn[1]
    text, run, made = handler(page, "write")(labelled.id, "quality", 0.5, asking())
    assert text["visible"] and run["visible"] and made == "" and "quality" in text["value"]
    assert "r-new" in handler(page, "filter_with")(labelled.id, text["value"], asking())


@pytest.mark.parametrize(("key", "value"), [("0.25", 0.25), ("1", 1.0), ("x", None), ("", None)])
def test_a_press_on_a_point_sets_the_slider(page: Page, key: str, value: float | None) -> None:
    answer: Any = handler(page, "pick")(pressed("threshold", key))
    assert answer == value if value is not None else isinstance(answer, dict)
