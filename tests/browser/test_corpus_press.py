"""The script of the corpus charts alone, in a browser without a server: what it sends for presses, drags and keys."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest

from panels import corpus_turns
from workbench.theme import FOLDER
from workbench.widgets import corpus_funnel as funnel
from workbench.widgets import corpus_histogram as hist
from workbench.widgets import corpus_table as table
from workbench.widgets.corpus_press import GIVE, LIMIT, PRESS, TAKE

EDGES = tuple(float(edge) for edge in range(0, 110, 10))
STYLE = (FOLDER / "corpus.css").read_text(encoding="utf-8")
FRAME = """<style>{style} .co-hist {{ width: 300px }}</style><div id="one" class="co">{one}</div>
<div id="two" class="co">{two}</div><input id="typing"><textarea id="long"></textarea>"""
START = """(id) => { window.sent = window.sent || []; const element = document.getElementById(id);
  const trigger = (name, data) => { window.sent.push({name, pane: id, ...data});
                                    if (!window.slow) window.coTurns.give(); }; %s }"""


def chart(**changed: Any) -> str:
    return hist.histogram(hist.Histogram(**{
        "column": "n_chars", "edges": EDGES, "every": (1,) * 10, "shown": (1,) * 10, "kept": (1,) * 10,
        **changed}), "en")


def rules(now: float = 20.0) -> str:
    slider = funnel.Slider(4, "n_chars", "<", 20.0, now, (0.0, 20.0, 45.5, 100.0), (4, 3, 2, 1))
    return funnel.funnel([funnel.Step("length", 10, 3, 4, 2, (slider,))], 10, [], "en")


def rows() -> str:
    lines = tuple(table.Line(place, "a", place, "text", (), "law", ()) for place in range(3))
    return table.table(table.Listing(lines, (), 3, 0, 50, "place", False), "en")


@pytest.fixture(scope="module")
def blank(browser: Any) -> Iterator[Any]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture
def page(blank: Any) -> Any:
    """Two panes, each with the script: charts and rules in the first, the list in the second."""
    blank.goto("about:blank")
    blank.set_content(FRAME.format(style=STYLE, one=chart() + rules(), two=rows()))
    for pane in ("one", "two"):
        blank.evaluate(START % PRESS, pane)
    return blank


def sent(page: Any, wait: int = 0) -> list[tuple[str, str, str]]:
    """What was sent since the last look."""
    page.wait_for_timeout(wait)
    found = page.evaluate("window.sent.splice(0)")
    assert all(one["name"] == "select" for one in found)
    return [(one["act"], one["key"], one["value"]) for one in found]


def drag(page: Any, begin: float, end: float) -> None:
    box = page.locator("[data-brush]").bounding_box()
    page.mouse.move(box["x"] + begin * box["width"], box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], box["y"] + 20, steps=3)
    page.mouse.up()


def test_a_press_sends_what_the_button_says_and_once(page: Any) -> None:
    page.click("[data-focus='first.length']")
    assert sent(page) == [("first", "length", "")]
    page.click("[data-focus='open.2']")
    assert sent(page) == [("open", "2", "")]


@pytest.mark.parametrize(("begin", "end", "value"), [
    (0.22, 0.57, "20 60"), (0.57, 0.22, "20 60"), (0.33, 0.33, "30 40"), (0.85, 1.6, "80 100"), (0.15, -0.4, "0 20"),
    (0.001, 0.999, "0 100")])
def test_a_drag_sends_the_edges_around_it(page: Any, begin: float, end: float, value: str) -> None:
    drag(page, begin, end)
    assert sent(page) == [("brush", "n_chars", value)]


def test_the_shade_follows_the_pointer(page: Any) -> None:
    box = page.locator("[data-brush]").bounding_box()
    page.mouse.move(box["x"] + 65, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 155, box["y"] + 20)
    style = page.evaluate("(({hidden, style}) => [hidden, style.left, style.width])"
                          "(document.querySelector('[data-shade]'))")
    page.mouse.up()
    assert style == [False, "20%", "40%"]


def test_a_drag_with_the_other_button_is_none(page: Any) -> None:
    box = page.locator("[data-brush]").bounding_box()
    page.mouse.click(box["x"] + 30, box["y"] + 20, button="right")
    assert sent(page) == []


def test_a_slider_sends_its_stop_when_it_comes_to_rest(page: Any) -> None:
    page.focus("[data-focus=slide4]")
    page.keyboard.press("ArrowRight")
    assert page.input_value("[data-focus=number4]") == "45.5"
    page.keyboard.press("ArrowRight")
    assert page.input_value("[data-focus=number4]") == "100"
    assert page.evaluate("document.querySelector('[data-now]').style.left") == "100%"
    assert sent(page, 500) == [("move", "4", "100")]


def test_a_typed_number_is_sent_and_an_emptied_limit_is_not(page: Any) -> None:
    page.fill("[data-focus=number4]", "33.25")
    page.press("[data-focus=number4]", "Enter")
    assert sent(page, 100) == [("move", "4", "33.25")]
    page.fill("[data-focus=number4]", "")
    page.press("[data-focus=number4]", "Tab")
    assert sent(page, 100) == []


def test_ends_of_a_range_can_be_emptied(page: Any) -> None:
    page.fill("[data-focus='low.n_chars']", "12")
    page.press("[data-focus='low.n_chars']", "Tab")
    assert sent(page, 100) == [("low", "n_chars", "12")]
    page.fill("[data-focus='low.n_chars']", "")
    page.press("[data-focus='low.n_chars']", "Tab")
    assert sent(page, 100) == [("low", "n_chars", "")]


@pytest.mark.parametrize(("key", "step"), [("j", "1"), ("n", "1"), ("k", "-1"), ("p", "-1")])
def test_letters_step_through_the_list_wherever_the_page_is(page: Any, key: str, step: str) -> None:
    page.keyboard.press(key)
    assert sent(page) == [("step", "", step)]
    page.focus("[data-focus='first.length']")
    page.keyboard.press(key)
    assert sent(page) == [("step", "", step)]


def test_letters_with_a_command_key_or_in_a_field_are_left_alone(page: Any) -> None:
    for combined in ("Control+j", "Alt+k", "x", "Meta+n"):
        page.keyboard.press(combined)
    for field in ("#typing", "#long", "[data-focus='low.n_chars']"):
        page.focus(field)
        page.keyboard.press("j")
        page.keyboard.press("k")
    assert [one for one in sent(page, 100) if one[0] == "step"] == []
    assert page.input_value("#typing") == "jk"


def test_a_list_that_is_not_seen_does_not_listen(page: Any) -> None:
    page.evaluate("document.getElementById('two').style.display = 'none'")
    page.keyboard.press("j")
    assert sent(page) == []


def redraw(page: Any, pane: str, content: str) -> None:
    page.evaluate("([id, html]) => { document.getElementById(id).innerHTML = html; }", [pane, content])
    page.wait_for_timeout(50)


def focused(page: Any) -> str:
    return str(page.evaluate("document.activeElement.dataset.focus || document.activeElement.id || ''"))


def test_what_had_the_focus_has_it_again_after_a_drawing(page: Any) -> None:
    page.focus("[data-focus=slide4]")
    redraw(page, "one", chart() + rules(45.5))
    assert focused(page) == "slide4"
    redraw(page, "two", rows())
    assert focused(page) == "slide4"


def test_a_pane_takes_no_focus_from_another(page: Any) -> None:
    page.click("[data-focus='open.1']")
    page.focus("[data-focus=slide4]")
    redraw(page, "two", rows())
    redraw(page, "one", chart() + rules(45.5))
    assert focused(page) == "slide4"


def test_who_went_elsewhere_is_not_called_back(page: Any) -> None:
    page.focus("[data-focus=slide4]")
    page.click("#typing")
    redraw(page, "one", chart() + rules(45.5))
    assert focused(page) == "typing"
    page.focus("[data-focus=slide4]")
    page.mouse.click(500, 550)
    redraw(page, "one", rules(45.5))
    assert focused(page) in ("", "slide4")


def test_a_drawing_without_the_focused_part_is_no_error(page: Any) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.focus("[data-focus=slide4]")
    redraw(page, "one", "<p>nothing</p>")
    assert not errors and focused(page) == ""


# --- one after the other ---------------------------------------------------------------------------------------------

def test_panes_wait_for_one_another(page: Any) -> None:
    """The next press is sent when the answer to the one before has come, whichever pane it is of."""
    page.evaluate("window.slow = true")
    page.click("[data-focus='first.length']")
    page.click("[data-focus='open.2']")
    page.click("[data-focus='first.length']")
    assert sent(page, 100) == [("first", "length", "")]
    page.evaluate(GIVE)
    assert sent(page) == [("open", "2", "")]
    page.evaluate(GIVE)
    assert sent(page) == [("first", "length", "")]
    page.evaluate(GIVE)
    page.evaluate(GIVE)
    page.click("[data-focus='open.1']")
    assert sent(page) == [("open", "1", "")], "an answer that nobody waited for changes nothing"


def test_other_events_take_their_turn(page: Any) -> None:
    page.evaluate("window.slow = true")
    page.click("[data-focus='first.length']")
    page.evaluate(f"window.came = 0; ({TAKE})().then(() => window.came++); 0")
    page.click("[data-focus='open.2']")
    assert sent(page, 50) == [("first", "length", "")] and page.evaluate("window.came") == 0
    page.evaluate(GIVE)
    assert sent(page, 50) == [] and page.evaluate("window.came") == 1
    page.evaluate(GIVE)
    assert sent(page) == [("open", "2", "")]


def test_an_answer_that_never_comes_holds_nobody_for_ever(blank: Any) -> None:
    blank.goto("about:blank")
    blank.set_content(FRAME.format(style=STYLE, one=rules(), two=rows()))
    assert str(1000 * LIMIT) in PRESS and LIMIT > 60, "a search may take a minute"
    short = PRESS.replace(str(1000 * LIMIT), "120")
    for pane in ("one", "two"):
        blank.evaluate(START % short, pane)
    blank.evaluate("window.slow = true")
    blank.click("[data-focus='open.1']")
    blank.click("[data-focus='open.2']")
    assert [key for _, key, _ in sent(blank)] == ["1"]
    assert [key for _, key, _ in sent(blank, 400)] == ["2"]


def test_a_held_key_does_not_pile_up_steps(page: Any) -> None:
    page.evaluate("window.slow = true")
    for _ in range(6):
        page.keyboard.down("j")
    page.keyboard.up("j")
    for _ in range(6):
        page.evaluate(GIVE)
    assert sent(page) == [("step", "", "1")] * 2


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    """A page of two panes and a search box over one note, connected as the Inspect view is; its answers are slow."""
    def both(text: str) -> list[str]:
        return [text, f'<i id="log">{text}</i>']

    def pressed(held: str, event: gr.EventData) -> list[str]:
        key = str(event._data["key"])
        time.sleep({"slow": 0.6}.get(key, 0.0))
        if key == "refused":
            raise gr.Error("not this one")
        return both(f"{held} {key}")

    def searched(words: str, held: str) -> list[str]:
        time.sleep(0.2)
        return both(f"{held} {words}")
    button = '<button type="button" data-act="x" data-key="{0}" id="{0}">{0}</button>'
    with gr.Blocks(analytics_enabled=False) as blocks:
        held, shown = gr.Textbox("", visible=False), gr.HTML("", elem_id="shown")
        panes = [gr.HTML("".join(map(button.format, names)), js_on_load=PRESS)
                 for names in (("slow", "refused"), ("quick",))]
        words, go = gr.Textbox("words", elem_id="words"), gr.Button("go", elem_id="go")
        for pane in panes:
            corpus_turns.pressed(pane, pressed, [held], [held, shown])
        corpus_turns.in_turn([go.click], searched, [words, held], [held, shown])
    _, address, _ = blocks.launch(prevent_thread_lock=True, quiet=True, share=False, ssr_mode=False)
    yield address
    blocks.close()


def test_quick_presses_all_hold(browser: Any, served: str) -> None:
    """Over Gradio itself: presses of two panes and a search at once, a refused one among them."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(served)
    for name in ("#slow", "#quick", "#refused", "#go"):
        page.wait_for_selector(name)
    page.evaluate("for (const id of ['slow', 'quick', 'refused', 'quick', 'slow', 'go', 'go', 'quick'])"
                  " document.getElementById(id).click()")
    page.wait_for_function("document.getElementById('log')?.innerText.trim().split(/\\s+/).length === 7",
                           timeout=20_000)
    assert sorted(page.inner_text("#log").split()) == ["quick"] * 3 + ["slow"] * 2 + ["words"] * 2
    page.click("#quick")
    page.wait_for_function("document.getElementById('log').innerText.match(/quick/g).length === 4", timeout=20_000)
    context.close()
