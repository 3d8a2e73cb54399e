"""How a trained agent reads and writes a dialogue: ``[Strategy] response``, the same in training and in use (A.8).

The supporter is the assistant, the seeker the user. Three variants:

=========  =======================================================================================================
``joint``  the agent writes its strategy and then the response: p(s, y | h) = p(s | h) p(y | h, s)
``given``  the same text, but the strategy comes from outside (a counselor, a person) and is not learned: p(y | h, s)
``plain``  no strategies anywhere: p(y | h)
=========  =======================================================================================================

In use the four modes of the panel are: auto (``joint`` without prefill), counselor-guided and user-picked (the head as
prefill), and all strategies at once (one prompt a strategy). Only roles, texts and strategies are read of a dialogue,
never the card, the scenario or private states. The system texts are ours; the paper's prompts are not public.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from backends.common.language import Message, Prompt
from backends.common.training.examples import Reply
from backends.sweetiechat.exchange import bare
from backends.sweetiechat.objects import Dialogue, Language, Strategy, StrategySet
from backends.sweetiechat.projections import Line

Variant = Literal["joint", "given", "plain"]
SYSTEM: Mapping[tuple[str, bool], str] = {
    ("en", True): "You are a kind supporter in a chat with a person who has a problem. Begin every reply with your "
                  "strategy in square brackets.",
    ("en", False): "You are a kind supporter in a chat with a person who has a problem.",
    ("zh", True): "你是一位温和的倾听者，正在和一位遇到困难的人聊天。每次回复先在方括号里写出你的支持策略。",
    ("zh", False): "你是一位温和的倾听者，正在和一位遇到困难的人聊天。"}
SILENCE = "..."
"""What the seeker is taken to have said where the supporter speaks first: chat templates begin with the user."""
GAP: Mapping[str, str] = {"en": " ", "zh": ""}


def head_of(strategy: Strategy, language: Language) -> str:
    """The strategy as a reply begins with it, without the space that follows. A label's own square brackets become
    round ones, because the first closing one ends the head."""
    return f"[{_unbracketed(strategy.label(language))}]"


def _unbracketed(label: str) -> str:
    return " ".join(label.replace("[", "(").replace("]", ")").split())


def lines_of(dialogue: Dialogue) -> tuple[Line, ...]:
    """What everybody heard, with the supporter's strategies; turns of one speaker in a row are one line."""
    lines: list[Line] = []
    for turn in dialogue.turns:
        text = " ".join(turn.text.split())
        if not text:
            continue
        if lines and lines[-1].role == turn.role:
            last = lines.pop()
            lines.append(Line(turn.role, last.text + GAP[dialogue.language] + text, last.used or turn.strategy or ""))
        else:
            lines.append(Line(turn.role, text, turn.strategy or ""))
    return tuple(lines)


def messages_of(lines: Sequence[Line], strategies: StrategySet, language: Language, variant: Variant) -> list[Message]:
    """The chat so far: system text, then the lines; earlier replies carry their strategies unless ``plain``."""
    marked = variant != "plain"
    messages = [Message("system", SYSTEM[language, marked])]
    if lines and lines[0].role == "supporter":
        messages.append(Message("user", SILENCE))
    for line in lines:
        if line.role == "seeker":
            messages.append(Message("user", line.text))
        else:
            head, text = parts_of(line, strategies, language, variant)
            messages.append(Message("assistant", head + text))
    return messages


def parts_of(line: Line, strategies: StrategySet, language: Language, variant: Variant) -> tuple[str, str]:
    """Head and rest of a supporter's line; no head for ``plain`` or where the strategy is not known."""
    if variant == "plain" or line.used not in strategies.keys:
        return "", line.text
    return head_of(strategies.get(line.used), language), GAP[language] + line.text


def replies_of(dialogue: Dialogue, variant: Variant) -> list[Reply]:
    """Every supporter turn to learn from. With strategies, a turn without one is context only."""
    lines = lines_of(dialogue)
    chat = messages_of(lines, dialogue.strategy_set, dialogue.language, variant)
    shift = len(chat) - len(lines)
    replies = []
    for place, line in enumerate(lines):
        if line.role != "supporter":
            continue
        head, text = parts_of(line, dialogue.strategy_set, dialogue.language, variant)
        if head or variant == "plain":
            replies.append(Reply(tuple(chat[:place + shift]), text, head, given=variant == "given"))
    return replies


def prompt_for(dialogue: Dialogue, variant: Variant, strategy: str = "") -> Prompt:
    """The prompt of the next supporter turn. ``strategy`` (a key) makes the reply begin with its head; without it a
    ``joint`` agent chooses for itself. The same ids as in training (tested)."""
    lines = lines_of(dialogue)
    chat = messages_of(lines, dialogue.strategy_set, dialogue.language, variant)
    if chat[-1].role != "user":
        chat.append(Message("user", SILENCE))
    head = head_of(dialogue.strategy_set.get(strategy), dialogue.language) if strategy and variant != "plain" else ""
    return Prompt(messages=tuple(chat), prefill=head, key=f"{dialogue.id}/agent")


def heads_of(strategies: StrategySet, language: Language) -> list[str]:
    """The heads of all strategies in order: the continuations to score for p(s | h)."""
    return [head_of(item, language) for item in strategies.items]


def read_reply(text: str, strategies: StrategySet, language: Language) -> tuple[str | None, str]:
    """(strategy key, response) of what an agent wrote. The key is ``None`` where the brackets hold no label of the
    set; a bracket that is never closed, or stands later in the text, is no head."""
    told = text.strip()
    label, closed, rest = told[1:].partition("]") if told.startswith("[") else ("", "", told)
    if not closed:
        return None, told
    known = {bare(_unbracketed(name)): item.key for item in strategies.items
             for name in (item.key, item.label(language))}
    return known.get(bare(label)), rest.strip()
