"""What each role sees: the exact prompts of one turn side by side, and the barrier between them as a table.

The table is not drawn from what ought to be there: every cell is looked up in the text of the prompt itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from html import escape

from workbench.contract import Json
from workbench.widgets.loose import listed, table, tables
from workbench.widgets.transcript import ROLES, paragraph

Say = Callable[..., str]
SECRETS = ("situation", "hidden_facts", "occupation", "definitions", "rationale", "dialogue")


def prompt_text(prompt: Json) -> str:
    """All words of a prompt (``messages``, ``text`` and ``prefill``) in one string."""
    if not isinstance(prompt, Mapping):
        return ""
    messages = [str(m.get("content", "")) for m in tables(prompt.get("messages"))]
    return "\n".join([*messages, str(prompt.get("text") or ""), str(prompt.get("prefill") or "")])


def role_views(prompts: Mapping[str, Json], dialogue: Mapping[str, Json], place: int, say: Say) -> str:
    """The barrier table and one column a role for the turn at ``place``; roles without a prompt say so."""
    columns = "".join(_column(role, prompts.get(role), say) for role in ROLES)
    title = escape(say("dialogue.views.title", turn=place + 1))
    return (f'<div class="dt dt-views"><h4>{title}</h4>{barrier_table(prompts, dialogue, place, say)}'
            f'<div class="dt-columns">{columns}</div></div>')


def _column(role: str, prompt: Json, say: Say) -> str:
    head = f'<h5><span class="dt-role">{escape(say(f"dialogue.role.{role}"))}</span> {_when(prompt, say)}</h5>'
    if not prompt_text(prompt).strip():
        return f'<section class="dt-{role}">{head}<p class="dt-sub">{escape(say("dialogue.views.none"))}</p></section>'
    blocks = [_block(str(m.get("role", "")), m.get("content")) for m in tables(prompt.get("messages"))]
    blocks += [_block(name, prompt[name]) for name in ("text", "prefill") if prompt.get(name)]
    return f'<section class="dt-{role}">{head}{"".join(blocks)}</section>'


def _when(prompt: Json, say: Say) -> str:
    """For which turn the prompt was made, and whether it is the very one that was sent."""
    if not isinstance(prompt, Mapping) or not isinstance(prompt.get("turn"), int):
        return ""
    words = say("dialogue.views.turn", turn=prompt["turn"] + 1)
    if prompt.get("verified") is not None:
        words += " · " + say("dialogue.views.verified" if prompt["verified"] else "dialogue.views.changed")
    return f'<span class="dt-sub">{escape(words)}</span>'


def _block(name: str, text: Json) -> str:
    return f'<div class="dt-block"><em>{escape(name)}</em><p>{paragraph(text)}</p></div>'


def barrier_table(prompts: Mapping[str, Json], dialogue: Mapping[str, Json], place: int, say: Say) -> str:
    """Rows: pieces of knowledge. Columns: roles. A mark where the piece's words occur in that role's prompt."""
    said = {role: prompt_text(prompts.get(role)) for role in ROLES}
    pieces = knowledge(dialogue, place)
    head = "".join(f'<th scope="col" class="dt-{role}"><span class="dt-role">'
                   f'{escape(say(f"dialogue.role.{role}"))}</span></th>' for role in ROLES)
    rows = []
    for name in SECRETS:
        words = pieces.get(name, ())
        if not words:
            continue
        cells = "".join(_cell(any(w in said[role] for w in words), role, say) for role in ROLES)
        rows.append(f'<tr><th scope="row">{escape(say(f"dialogue.views.{name}"))}</th>{cells}</tr>')
    return f'<table class="dt-barrier"><thead><tr><th></th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def _cell(seen: bool, role: str, say: Say) -> str:
    word = escape(say("dialogue.views.yes" if seen else "dialogue.views.no"))
    return f'<td class="dt-{role}{" dt-on" if seen else ""}">{word}</td>'


def knowledge(dialogue: Mapping[str, Json], place: int) -> dict[str, Sequence[str]]:
    """Texts by which each piece of knowledge is recognised in a prompt (texts under four characters are left out)."""
    scenario, card = table(dialogue.get("scenario")), table(dialogue.get("card"))
    strategies = tables(table(dialogue.get("strategy_set")).get("items"))
    turns = [table(turn) for turn in listed(dialogue.get("turns"))]
    counsel = table(turns[place].get("counselor")) if place < len(turns) else {}
    found: dict[str, Sequence[Json]] = {
        "situation": [scenario.get("situation")], "hidden_facts": listed(card.get("hidden_facts")),
        "occupation": [card.get("occupation")],
        "definitions": [first_clause(item.get(name)) for item in strategies
                        for name in ("definition_en", "definition_zh")],
        "rationale": [counsel.get("rationale")], "dialogue": [turn.get("text") for turn in turns[:place]],
    }
    return {name: [text for text in texts if isinstance(text, str) and len(text) > 3] for name, texts in found.items()}


def first_clause(text: Json) -> str:
    """The words of a text up to its first mark: a prompt may hold a definition in short."""
    return re.split(r"[.,;:。，；：]", text, maxsplit=1)[0].strip() if isinstance(text, str) else ""
