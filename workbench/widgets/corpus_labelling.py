"""One document to label: why it is here, its text, the answers as buttons with keys, and what was given before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workbench.widgets.markup import element, esc

Say = Callable[..., str]
LONGEST = 6000
"""Characters of a text that are shown; the whole one is in the reader (our default)."""
KEYS = "1234567890-="
PRESS = """const send = (act, key) => { const b = element.querySelector('[data-place]');
  trigger('select', {act: act, key: key, turn: b ? b.dataset.place : ''}); };
element.addEventListener('click', (e) => {
  const b = e.target.closest('[data-act]');
  if (!b) return;
  if (b.dataset.act === 'toggle') { b.setAttribute('aria-pressed', b.getAttribute('aria-pressed') !== 'true'); return; }
  if (b.dataset.act === 'confirm') {
    const on = [...element.querySelectorAll('[data-act="toggle"][aria-pressed="true"]')].map((o) => o.dataset.key);
    if (on.length) send(b.dataset.key || 'label', on.join('|'));
    return;
  }
  send(b.dataset.act, b.dataset.key || '');
});
document.addEventListener('keydown', (e) => {
  if (!element.isConnected || !element.offsetParent || e.ctrlKey || e.metaKey || e.altKey || e.repeat) return;
  if (e.target.closest('input,textarea,select,[contenteditable],[role="listbox"]')) return;
  if (e.key === 'Enter' && e.target.closest('button,a') && !e.target.closest('[data-act="toggle"]')) return;
  if (e.key.startsWith('Arrow') && !element.contains(e.target)) return;
  const b = [...element.querySelectorAll('[data-shortcut]')].find((o) => o.dataset.shortcut.split(' ').includes(e.key));
  if (b) { e.preventDefault(); b.click(); }
});"""
"""``js_on_load``: a press or a key becomes ``{act, key, turn}``, where ``turn`` is the place of the shown document, so
that a second press while the first is on its way can never label the next one. Buttons with ``data-act="toggle"`` are
chosen in the browser; ``confirm`` sends all that are chosen, as ``label`` or as the act in its ``data-key``."""


@dataclass(frozen=True)
class Card:
    """What is shown. ``answers`` are (value, name); ``several`` lets more than one be chosen; ``automatic`` is the
    scorer's own label, empty while it is hidden."""

    place: int
    title: str
    why: str
    text: str
    answers: tuple[tuple[str, str], ...]
    several: bool
    automatic: str = ""


def card(shown: Card, say: Say) -> str:
    """The document with its buttons. Keys: 1, 2, .. answers, u unsure, s skip, z undo, Enter confirms several."""
    act = "toggle" if shown.several else "label"
    buttons = [_button(act, value, name, KEYS[number] if number < len(KEYS) else "")
               for number, (value, name) in enumerate(shown.answers)]
    if shown.several:
        buttons.append(_button("confirm", "", say("label.confirm"), "Enter", "cl-confirm"))
    more = [_button("label", "unsure", say("label.value.unsure"), "u"), _button("skip", "", say("label.skip"), "s"),
            _button("undo", "", say("label.undo"), "z")]
    text = esc(shown.text[:LONGEST]).replace("\n", "<br>")
    rest = len(shown.text) - LONGEST
    cut = element("p", esc(say("label.cut", count=f"{rest:,}")), class_="tr-note") if rest > 0 else ""
    automatic = element("p", esc(say("label.automatic", value=shown.automatic)),
                        class_="cl-automatic") if shown.automatic else ""
    title = element("h4", esc(shown.title)) if shown.title else ""
    return (f'<article class="dt cl-card" data-place="{shown.place}"><p class="cl-why">{esc(shown.why)}</p>{title}'
            f'<div class="cl-document" tabindex="0">{text}</div>{cut}{automatic}'
            f'<div class="cl-answers" role="group" aria-label="{esc(say("label.answers"))}">{"".join(buttons)}</div>'
            f'<div class="cl-answers cl-others">{"".join(more)}</div></article>')


def _button(act: str, key: str, name: str, shortcut: str, more: str = "") -> str:
    shown = {"Enter": "⏎"}.get(shortcut, shortcut)
    inner = (f"<kbd>{esc(shown)}</kbd>" if shown else "") + esc(name)
    return element("button", inner, type="button", data_act=act, data_key=key or None,
                   data_shortcut=shortcut or None, class_=f"cl-value {more}".strip(),
                   aria_pressed="false" if act == "toggle" else None, aria_keyshortcuts=shortcut or None)


def done(words: str, say: Say) -> str:
    """Nothing is left in this queue; the last label can still be taken back."""
    undo = _button("undo", "", say("label.undo"), "z")
    return (f'<article class="dt cl-card" data-place=""><p class="cl-why">{esc(words)}</p>'
            f'<div class="cl-answers cl-others">{undo}</div></article>')


def track(drawn: int, mine: int, complete: int, say: Say) -> str:
    """How far this queue is: labelled by this person, and by enough people."""
    share = 100 * mine / drawn if drawn else 0.0
    both = 100 * complete / drawn if drawn else 0.0
    words = say("label.track", done=mine, drawn=drawn, complete=complete)
    bar = element("div", f'<i style="width:{share:.1f}%"></i><b style="width:{both:.1f}%"></b>', class_="cl-bar",
                  role="progressbar", aria_valuemin=0, aria_valuemax=drawn, aria_valuenow=mine, aria_label=words)
    return f'<div class="dt cl-track">{bar}<span role="status">{esc(words)}</span></div>'


def history(rows: Sequence[tuple[int, str, str, str]], say: Say) -> str:
    """The last labels of a person: (place, what, answer, beginning of the text), newest first."""
    lines = "".join(f'<li><span class="cl-answer">{esc(answer)}</span><span class="cl-what">{esc(what)}</span>'
                    f'<span class="cl-snippet">{esc(text)}</span></li>' for _, what, answer, text in rows)
    if not lines:
        return ""
    return f'<section class="dt cl-history"><h4>{esc(say("label.history"))}</h4><ol>{lines}</ol></section>'
