"""From a :class:`Prompt` to token ids: the model's chat template, the prefill, and what does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backends.common.language import Message, Prompt
from workbench.contract import UserError


def encode(tokenizer: Any, prompt: Prompt) -> list[int]:
    """Token ids of a prompt with its prefill. Chat prompts go through the template once, which writes the special
    tokens itself, so none are added again; raw text gets the ones the model begins a text with."""
    if prompt.text:
        ids: list[int] = tokenizer(prompt.text + prompt.prefill)["input_ids"]
    else:
        ids = tokenizer(render(tokenizer, prompt.messages) + prompt.prefill, add_special_tokens=False)["input_ids"]
    if not ids:
        raise UserError("The prompt has no tokens.", advice="Write at least one character.")
    return list(ids)


def render(tokenizer: Any, messages: Sequence[Message]) -> str:
    """The chat as the model's template writes it, ending where the assistant's reply begins.

    A template that refuses system messages or two turns of one role in a row is given the system text at the head
    of the first user turn and joined turns instead."""
    if not getattr(tokenizer, "chat_template", None):
        raise UserError("This model is a base model: it has no chat template.",
                        advice="Give it raw text to continue, or choose a chat model.")
    try:
        return _apply(tokenizer, messages)
    except Exception as first:  # a template is a program: it raises whatever its author chose
        try:
            return _apply(tokenizer, merged(messages))
        except Exception:
            raise UserError(f"The model's chat template refuses these messages: {first}") from first


def _apply(tokenizer: Any, messages: Sequence[Message]) -> str:
    plain = [{"role": m.role, "content": m.content} for m in messages]
    text: str = tokenizer.apply_chat_template(plain, tokenize=False, add_generation_prompt=True)
    return text


def merged(messages: Sequence[Message]) -> list[Message]:
    """The same chat with system text inside the first user turn and neighbours of one role joined."""
    result: list[Message] = []
    for message in messages:
        role = "user" if message.role == "system" else message.role
        if result and result[-1].role == role:
            result[-1] = Message(role, f"{result[-1].content}\n\n{message.content}")
        else:
            result.append(Message(role, message.content))
    return result


def continuation(tokenizer: Any, prompt: Prompt, ids: Sequence[int], text: str) -> list[int]:
    """Tokens of ``text`` after a prompt: as they fall when both are read together, or on their own where the join
    would change the prompt's last token."""
    if not text:
        raise UserError("A continuation to score is empty.", advice="Give at least one character.")
    joined = encode(tokenizer, Prompt(prompt.messages, prompt.text, prompt.prefill + text, prompt.key))
    if joined[:len(ids)] == list(ids) and len(joined) > len(ids):
        return joined[len(ids):]
    alone: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return list(alone)


def check_fit(prompt_tokens: int, new_tokens: int, window: int) -> None:
    """``UserError`` with the numbers when prompt and reply exceed the context window (0 = unknown)."""
    if window and prompt_tokens + new_tokens > window:
        raise UserError(f"The prompt has {prompt_tokens} tokens and the reply may take {new_tokens}; together "
                        f"{prompt_tokens + new_tokens}, but this model's context window holds {window}.",
                        advice="Shorten the text or the history, or choose a model with a longer window.")
