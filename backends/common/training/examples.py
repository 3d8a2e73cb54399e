"""From chats to token ids in which every token has a kind: context, head of a reply, its rest, its end.

A reply is ``head + text``, for example ``"[Question]" + " What happened?"``. The ids are made by the same
:func:`backends.common.prompts.encode` that makes the prompts of generation, once with and once without the reply, so
a model is trained on exactly the ids that it will see. Where the ids of a chat up to one reply are the beginning of
the ids up to the next one, all replies of the chat share one example (*packing*); where a template rewrites its past,
or the window is full, the next reply begins an example of its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backends.common.language import Message, Prompt
from backends.common.prompts import encode, render
from workbench.contract import UserError

CONTEXT, HEAD, TEXT, END, GIVEN = 0, 1, 2, 3, 4
"""Kinds of token. Only HEAD, TEXT and END are learned; GIVEN is a head that somebody else decides."""
LEARNED = (HEAD, TEXT, END)
PLAIN_TEMPLATE = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ m['content'] }}\n\n"
    "{% elif m['role'] == 'user' %}User:\n{{ m['content'] }}\n"
    "{% else %}Assistant:\n{{ m['content'] }}{{ eos_token }}\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}Assistant:\n{% endif %}")
"""The template that a base model without one is given (ours); it is saved with the trained model."""


@dataclass(frozen=True)
class Reply:
    """A reply to learn and the messages before it. ``given``: the head is part of the question, not of the answer."""

    messages: tuple[Message, ...]
    text: str
    head: str = ""
    given: bool = False

    def __post_init__(self) -> None:
        if not (self.head + self.text).strip():
            raise UserError("A reply to learn is empty.", advice="Leave the turn out, or write at least one word.")


@dataclass(frozen=True)
class Example:
    """Token ids of one sequence with the kind of each; ``replies`` of them are learned, ``cut`` lost their beginning
    of history to the window."""

    name: str
    ids: tuple[int, ...]
    kinds: tuple[int, ...]
    replies: int
    cut: int = 0

    @property
    def learned(self) -> int:
        """How many tokens are learned."""
        return sum(kind in LEARNED for kind in self.kinds)


@dataclass(frozen=True)
class _Read:
    """One reply as ids: the prompt, the reply, and the kinds of the reply's tokens."""

    prompt: list[int]
    reply: list[int]
    kinds: list[int]
    cut: bool


def prepare(tokenizer: Any) -> Any:
    """Give a base model's tokenizer the plain template and a padding token; chat models stay as they are."""
    if tokenizer.eos_token_id is None:
        raise UserError("This tokenizer has no end-of-text token, so a model could not learn where a reply ends.",
                        advice="Choose another base model.")
    if not getattr(tokenizer, "chat_template", None):
        tokenizer.chat_template = PLAIN_TEMPLATE
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def end_ids(tokenizer: Any) -> list[int]:
    """What ends a reply: the first token that the template writes after one, if it is a special one; else the
    end-of-text token. It is learned, so that the model knows when to stop."""
    asked, word = [Message("user", "x")], "y"
    before = render(tokenizer, asked) + word
    plain = [{"role": "user", "content": "x"}, {"role": "assistant", "content": word}]
    after = tokenizer.apply_chat_template(plain, tokenize=False)
    closing = after[len(before):] if after.startswith(before) else ""
    ids = tokenizer(closing, add_special_tokens=False)["input_ids"] if closing else []
    special = {*tokenizer.all_special_ids, tokenizer.eos_token_id}
    return [ids[0]] if ids and ids[0] in special else [tokenizer.eos_token_id]


def fitted(tokenizer: Any, messages: Sequence[Message], room: int) -> tuple[Message, ...]:
    """The messages without the oldest ones that do not fit into ``room`` tokens; the system text and the last
    message stay, and what is left begins with the user. The same rule for training and for generation."""
    kept = list(messages)
    first = 1 if kept and kept[0].role == "system" else 0
    while len(kept) > first + 1 and len(encode(tokenizer, Prompt(tuple(kept)))) > room:
        del kept[first]
        while len(kept) > first + 1 and kept[first].role == "assistant":
            del kept[first]
    return tuple(kept)


def pack(tokenizer: Any, name: str, replies: Sequence[Reply], length: int) -> list[Example]:
    """As few examples as hold the replies, each with all its replies learned. ``replies`` stand in their order and
    the messages of each contain the earlier ones. A reply that leaves no room for a prompt is left out."""
    done: list[Example] = []
    ends = end_ids(tokenizer)
    ids: list[int] = []
    kinds: list[int] = []
    count = cuts = 0
    for reply in replies:
        read = _read(tokenizer, reply, length, ends)
        if read is None:
            continue
        grown = len(read.prompt) + len(read.reply)
        if not (ids and not read.cut and grown <= length and read.prompt[:len(ids)] == ids):
            if count:
                done.append(Example(f"{name}#{len(done)}", tuple(ids), tuple(kinds), count, cuts))
            ids, kinds, count, cuts = [], [], 0, 0
        kinds += [CONTEXT] * (len(read.prompt) - len(ids)) + read.kinds
        ids = read.prompt + read.reply
        count, cuts = count + 1, cuts + read.cut
    if count:
        done.append(Example(f"{name}#{len(done)}", tuple(ids), tuple(kinds), count, cuts))
    return done


def apart(tokenizer: Any, name: str, replies: Sequence[Reply], length: int) -> list[Example]:
    """One example a reply: more computation than :func:`pack`, the same loss."""
    return [dataclasses.replace(example, name=f"{name}#{number}")
            for number, reply in enumerate(replies) for example in pack(tokenizer, name, [reply], length)]


def _read(tokenizer: Any, reply: Reply, length: int, ends: Sequence[int]) -> _Read | None:
    head, body = _reply_ids(tokenizer, reply)
    answer = [*head, *body, *ends]
    if len(answer) > length // 2:
        body = body[:max(0, length // 2 - len(head))]
        answer, ends = [*head, *body], ()
    messages = fitted(tokenizer, reply.messages, length - len(answer))
    prompt = encode(tokenizer, Prompt(messages))
    if len(prompt) + len(answer) > length:
        return None
    kinds = [GIVEN if reply.given else HEAD] * len(head) + [TEXT] * len(body) + [END] * len(ends)
    return _Read(prompt, answer, kinds, len(messages) < len(reply.messages))


def _reply_ids(tokenizer: Any, reply: Reply) -> tuple[list[int], list[int]]:
    """Ids of head and text as they fall behind the prompt. Where head and text would melt into one token, the text is
    read on its own, because generation is given the head and writes the text."""
    last = reply.messages[-1:]
    bare = encode(tokenizer, Prompt(last))
    head = _behind(tokenizer, last, bare, reply.head) if reply.head else []
    both = _behind(tokenizer, last, bare, reply.head + reply.text)
    if both[:len(head)] == head:
        return head, both[len(head):]
    return head, list(tokenizer(reply.text, add_special_tokens=False)["input_ids"])


def _behind(tokenizer: Any, messages: Sequence[Message], bare: Sequence[int], text: str) -> list[int]:
    joined = encode(tokenizer, Prompt(tuple(messages), prefill=text))
    if joined[:len(bare)] == list(bare):
        return joined[len(bare):]
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])
