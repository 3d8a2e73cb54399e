"""Pickers of the dialogue set-up: problems by category, seeker cards, strategies to choose as the counselor.

Each button carries ``data-act`` and ``data-key``; ``PRESS`` turns a press into the event that the panel listens to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

from workbench.contract import Json
from workbench.widgets import ranking
from workbench.widgets.loose import tables

Say = Callable[..., str]
PRESS = """element.addEventListener('click', (e) => {
  const b = e.target.closest('[data-act]');
  if (b) trigger('select', {act: b.dataset.act, key: b.dataset.key || '', turn: b.dataset.turn || ''});
});"""
"""``js_on_load`` of every ``gr.HTML`` with buttons in it; ``event._data`` is ``{"act", "key", "turn"}``."""


def problem_picker(groups: Sequence[tuple[str, Sequence[tuple[str, str, str]]]], chosen: str) -> str:
    """Every problem under its category; ``groups`` is ``(category, [(id, name, gloss)])``."""
    rows = []
    for category, entries in groups:
        buttons = "".join(_choice("problem", key, name, key == chosen, gloss) for key, name, gloss in entries)
        rows.append(f'<div class="dt-group"><h5>{escape(category)}</h5><div>{buttons}</div></div>')
    return f'<div class="dt dt-problems">{"".join(rows)}</div>'


def _choice(act: str, key: str, name: str, on: bool, hint: str = "") -> str:
    return (f'<button type="button" data-act="{act}" data-key="{escape(key, quote=True)}" aria-pressed='
            f'"{"true" if on else "false"}" title="{escape(hint, quote=True)}">{escape(name)}</button>')


def card_picker(cards: Sequence[Mapping[str, Json]], chosen: str, say: Say) -> str:
    """The cards of a scenario: who, traits, style and openness in three lines each."""
    rows = []
    for card in cards:
        key = str(card.get("id", ""))
        traits = card.get("personality") or ""
        traits = ", ".join(map(str, traits)) if isinstance(traits, list | tuple) else str(traits)
        style = str(card.get("talk_style", ""))
        words = say(f"dialogue.style.{style}") if style in ("terse", "chatty", "guarded") else style
        who = " · ".join(str(card[name]) for name in ("occupation", "age_band", "gender") if card.get(name))
        rows.append(f'<button type="button" data-act="card" data-key="{escape(key, quote=True)}" aria-pressed='
                    f'"{"true" if key == chosen else "false"}"><b>{escape(who)}</b><span>{escape(traits)}</span>'
                    f'<span>{escape(words)} · {escape(say("dialogue.card.openness", level=card.get("openness", "")))}'
                    f"</span></button>")
    return f'<div class="dt dt-cards">{"".join(rows)}</div>'


def strategy_picker(strategies: Sequence[Mapping[str, Json]], counselor: Mapping[str, Json], lang: str,
                    say: Say) -> str:
    """The strategies for a person who plays the counselor, with the model's own ranking where there is one."""
    zh = lang.startswith("zh")
    entries = tables(counselor.get("ranking"))
    parts = dict(zip([str(e.get("strategy")) for e in entries], ranking.shares(entries), strict=True))
    rows = []
    for item in strategies:
        key = str(item.get("key", ""))
        name, meaning = (str(item.get(f"{field}_{'zh' if zh else 'en'}") or "") for field in ("label", "definition"))
        share = f'<span class="dt-num">{parts[key]:.2f}</span>' if key in parts else ""
        rows.append(f'<button type="button" data-act="strategy" data-key="{escape(key, quote=True)}">'
                    f"<b>{escape(name)}</b>{share}<span>{escape(meaning)}</span></button>")
    title = escape(say("dialogue.choose_strategy"))
    return f'<div class="dt dt-strategies"><h4>{title}</h4><div>{"".join(rows)}</div></div>' if rows else ""
