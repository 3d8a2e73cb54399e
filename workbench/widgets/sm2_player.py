"""The player of one sentence: buttons, threshold, text, chart and figures; ``sm2_player.js`` brings them to life.

The server writes the frame and the packed states; what moves is drawn by the script in the browser, so that a moved
threshold is answered at once. A saved page holds the same frame, script and data (:func:`page`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache

from workbench.contract import Json
from workbench.text import catalogue, say
from workbench.theme import FOLDER, PALETTE
from workbench.widgets.markup import element, esc
from workbench.widgets.sm2_states import FIGURES, Play, Track, as_json

SCRIPT, STYLE = "sm2_player.js", "translation_simul.css"
WORDS = "translation_simul.js."
"""Texts of these keys are the script's."""
SPEEDS = (0.5, 1, 2, 4)
KEYS = ("start", "back", "play", "next", "end")
SAVES = ("html", "png", "gif")


@lru_cache(maxsize=1)
def script() -> str:
    """The script as text."""
    return (FOLDER / SCRIPT).read_text(encoding="utf-8")


def on_load() -> str:
    """``js_on_load`` of a ``gr.HTML`` that shows players or curves; its ``select`` events carry ``act`` (``"rest"``
    with the threshold it came to rest on, ``"save"`` with kind, threshold, track and step)."""
    return f"{script()}\nsm2.watch(element, (data) => trigger('select', data));"


def words(lang: str) -> dict[str, str]:
    """What the script says, by its own names."""
    return {key.removeprefix(WORDS): say(lang, key) for key in catalogue("en") if key.startswith(WORDS)}


def named(play: Play, track: Track, threshold: float, lang: str) -> str:
    """What a policy is called, as the script calls it."""
    if track.kind == "sm2":
        return say(lang, f"{WORDS}sm2", threshold=f"{threshold:.4f}" if threshold > 0.99 else f"{threshold:.3f}")
    return say(lang, f"{WORDS}full") if track.kind == "full" else say(lang, f"{WORDS}wait", k=play.k)


def player(play: Play, threshold: float, lang: str, saves: bool = True) -> str:
    """The player at a threshold, at its end; without ``saves`` it offers no files (a saved page is one)."""
    parts = [element("pre", as_json(play), hidden=True, class_="sp-data"), _controls(lang), _lines(lang)]
    if play.ranges:
        parts.append(_threshold(lang))
    parts += [element("p", "", class_="sp-now", data_sp="now", role="status"), _chart(play, lang),
              element("p", "", class_="sp-notes", data_sp="notes"), _saves(lang) if saves else ""]
    return element("section", "".join(parts), class_="sp", tabindex="0", data_threshold=threshold,
                   aria_label=say(lang, "translation_simul.player", text=play.text),
                   data_words=json.dumps(words(lang), ensure_ascii=False))


def _controls(lang: str) -> str:
    signs = {"start": "«", "back": "◀", "play": "", "next": "▶", "end": "»"}
    buttons = "".join(element("button", esc(signs[key] or say(lang, "translation_simul.js.play")), type="button",
                              class_="wb-small sp-go" if key == "play" else "wb-small", data_sp_do=key,
                              title=say(lang, f"translation_simul.do.{key}"),
                              aria_label=None if key == "play" else say(lang, f"translation_simul.do.{key}"))
                      for key in KEYS)
    place = element("input", type="range", min=0, max=1, value=0, data_sp="position",
                    aria_label=say(lang, "translation_simul.position"))
    speeds = "".join(element("option", f"{speed:g}×", value=speed, selected=speed == 1) for speed in SPEEDS)
    speed = element("select", speeds, data_sp="speed", aria_label=say(lang, "translation_simul.speed"))
    step = element("span", "", class_="sp-step", data_sp="step")
    return element("div", element("span", buttons, class_="sp-buttons") + place + step + speed, class_="sp-bar")


def _lines(lang: str) -> str:
    return "".join(element("p", element("b", esc(say(lang, f"translation_simul.{name}"))) + element(
        "span", "", data_sp=name, class_="sp-pieces"), class_=f"sp-line sp-{name}") for name in ("source", "target"))


def _threshold(lang: str) -> str:
    slider = element("input", type="range", min=0, max=1000, data_sp="slider",
                     aria_label=say(lang, "translation_simul.threshold"))
    number = element("input", type="number", min=0.001, max=1, step="any", data_sp="threshold",
                     aria_label=say(lang, "translation_simul.threshold"))
    jumps = [element("button", esc(sign), type="button", class_="wb-small", data_sp_do=name,
                     title=say(lang, f"translation_simul.do.{name}"),
                     aria_label=say(lang, f"translation_simul.do.{name}"))
             for name, sign in (("less", "‹"), ("more", "›"))]
    track = element("div", slider + element("div", "", class_="sp-ticks", data_sp="ticks", aria_hidden="true"),
                    class_="sp-slide")
    head = element("b", esc(say(lang, "translation_simul.threshold")))
    return element("div", head + track + element("span", number + "".join(jumps), class_="sp-jumps"),
                   class_="sp-threshold")


def _chart(play: Play, lang: str) -> str:
    svg = element("svg", "", data_sp="chart", role="img", xmlns="http://www.w3.org/2000/svg",
                  aria_label=say(lang, "translation_simul.chart", source=len(play.source)))
    scale = "".join(element("i", "", style=f"--s:{share}%") for share in range(0, 101, 10))
    legend = element("p", f"<span>0</span>{scale}<span>1</span> {esc(say(lang, 'translation_simul.scale'))}",
                     class_="sp-scale")
    about = "translation_simul.axes" if play.ranges else "translation_simul.axes.plain"
    axes = element("p", esc(say(lang, about)), class_="sp-axes")
    scroll = element("div", svg, class_="sp-scroll", tabindex="0", data_sp="scroll", role="region",
                     aria_label=say(lang, "translation_simul.chart", source=len(play.source)))
    heads = "".join(element("th", esc(name), scope="col", title=say(lang, f"translation_simul.figure.{name}"))
                    for name in FIGURES)
    top = (f"<thead><tr><th scope='col'>{esc(say(lang, 'translation_simul.policy'))}</th>"
           f"<th scope='col'>{esc(say(lang, 'translation_simul.unit'))}</th>{heads}</tr></thead>")
    table = element("div", element("table", top + '<tbody data-sp="figures"></tbody>'), class_="sp-figures",
                    tabindex="0")
    note = element("p", esc(say(lang, "translation_simul.laal")), class_="sp-axes")
    left = axes + scroll + (legend if play.ranges else "")
    return element("div", element("div", left, class_="sp-left")
                   + element("div", table + note, class_="sp-right"), class_="sp-body")


def _saves(lang: str) -> str:
    buttons = "".join(element("button", esc(say(lang, f"translation_simul.save.{kind}")), type="button",
                              class_="wb-link", data_sp_do="save", data_value=kind) for kind in SAVES)
    return element("p", f"{esc(say(lang, 'translation_simul.save'))} {buttons}", class_="sp-saves")


def page(play: Play, threshold: float, lang: str, facts: Mapping[str, Json]) -> str:
    """A whole HTML file that plays the sentence anywhere, without a network. ``facts`` stand under it (name: value)."""
    light = "".join(f"--wb-{name}:{pair[0]};" for name, pair in PALETTE.items())
    dark = "".join(f"--wb-{name}:{pair[1]};" for name, pair in PALETTE.items())
    style = (FOLDER / STYLE).read_text(encoding="utf-8")
    rows = "".join(f"<div><dt>{esc(name)}</dt><dd>{esc(value)}</dd></div>" for name, value in facts.items())
    return (f'<!doctype html><html lang="{esc(lang)}"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width"><title>' + esc(play.text) + "</title><style>"
            f":root{{{light}--wb-sans:system-ui,sans-serif;--wb-mono:ui-monospace,monospace;color-scheme:light dark}}"
            f"@media(prefers-color-scheme:dark){{:root{{{dark}}}}}{PLAIN}{style}</style><body>"
            f"<h1>{esc(say(lang, 'translation_simul.page'))}</h1>{player(play, threshold, lang, saves=False)}"
            f"<dl>{rows}</dl><script>{script()}\nsm2.watch(document.body, () => {{}});</script></body></html>")


PLAIN = """
body{font:13.5px/1.5 var(--wb-sans);margin:20px auto;max-width:1180px;padding:0 14px}
body{background:var(--wb-paper);color:var(--wb-ink)} h1{font-size:16px} p{margin:0}
dl{font-size:12.5px;color:var(--wb-dim)} dl div{display:flex;gap:10px} dt{min-width:9em}
dd{margin:0;overflow-wrap:anywhere} button{font:inherit;color:var(--wb-ink);background:var(--wb-sheet)}
button{border:1px solid var(--wb-edge);border-radius:3px;padding:1px 9px;cursor:pointer}
"""
