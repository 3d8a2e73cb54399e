"""Chats to ids: the ids of generation, the right tokens learned, one example a chat or one a reply."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.common.language import Message, Prompt
from backends.common.prompts import encode, render
from backends.common.training.examples import (
    CONTEXT,
    END,
    GIVEN,
    HEAD,
    LEARNED,
    TEXT,
    Reply,
    apart,
    end_ids,
    fitted,
    pack,
    prepare,
)
from tests.backends.training_cases import SYSTEM, chat, tokenizer_of
from workbench.contract import UserError

STRIPPING = ("{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['role'] == 'assistant' and not loop.last %}"
             "(said){% else %}{{ m['content'] }}{% endif %}<|im_end|>\n{% endfor %}"
             "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
"""A template that rewrites earlier replies, as some reasoning models do with their thoughts."""
NO_SYSTEM = ("{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system here') }}{% endif %}"
             "<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
             "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")


@pytest.fixture
def tokenizer(tiny_lm: Path):
    return tokenizer_of(tiny_lm)


def spans(example, kinds: tuple[int, ...]) -> list[list[int]]:
    """Runs of tokens of these kinds."""
    runs: list[list[int]] = []
    inside = False
    for token, kind in zip(example.ids, example.kinds, strict=True):
        if kind in kinds:
            runs = runs if inside else [*runs, []]
            runs[-1].append(token)
        inside = kind in kinds and kind != END
    return runs


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("heads", [True, False])
def test_training_ids_are_the_prompt_of_generation_and_the_reply(tokenizer, seed: int, heads: bool) -> None:
    replies = chat(seed, turns=4, heads=heads)
    (example,) = pack(tokenizer, "chat", replies, 4096)
    for number, reply in enumerate(replies):
        prompt = encode(tokenizer, Prompt(reply.messages))
        whole = encode(tokenizer, Prompt(reply.messages, prefill=reply.head + reply.text))
        assert list(example.ids[:len(whole)]) == whole
        assert example.ids[len(whole)] == tokenizer.eos_token_id
        assert example.kinds[len(prompt) - 1] == CONTEXT and example.kinds[len(prompt)] in LEARNED
        guided = encode(tokenizer, Prompt(reply.messages, prefill=reply.head))
        assert list(example.ids[:len(guided)]) == guided, "a head that a counselor gives is read as in training"
        assert number < example.replies


def test_ids_equal_the_template_applied_to_the_whole_chat(tokenizer) -> None:
    replies = chat(1, turns=3)
    (example,) = pack(tokenizer, "chat", replies, 4096)
    whole = [*replies[-1].messages, Message("assistant", replies[-1].head + replies[-1].text)]
    text = tokenizer.apply_chat_template([{"role": m.role, "content": m.content} for m in whole], tokenize=False)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert list(example.ids) == ids[:len(example.ids)]
    assert tokenizer.decode(ids[len(example.ids):]) == "\n", "only what follows the end of the last reply is left out"


def test_learned_tokens_are_the_supporters_and_nothing_else(tokenizer) -> None:
    replies = chat(2, turns=3)
    (example,) = pack(tokenizer, "chat", replies, 4096)
    expected = [tokenizer(r.head + r.text, add_special_tokens=False)["input_ids"] + end_ids(tokenizer) for r in replies]
    assert spans(example, LEARNED) == expected
    assert example.learned == sum(map(len, expected))
    assert [tokenizer.decode(run) for run in spans(example, (HEAD,))] == [r.head for r in replies]
    assert [tokenizer.decode(run) for run in spans(example, (TEXT,))] == [r.text for r in replies]
    assert sum(kind == END for kind in example.kinds) == 3, "every reply's end is learned"


def test_a_given_head_is_seen_but_not_learned(tokenizer) -> None:
    (joint,) = pack(tokenizer, "chat", chat(2), 4096)
    (given,) = pack(tokenizer, "chat", chat(2, given=True), 4096)
    assert joint.ids == given.ids
    assert [k if k != HEAD else GIVEN for k in joint.kinds] == list(given.kinds)
    assert given.learned == joint.learned - sum(k == HEAD for k in joint.kinds)


def test_apart_learns_the_same_tokens_one_reply_an_example(tokenizer) -> None:
    replies = chat(4, turns=4)
    (packed,) = pack(tokenizer, "chat", replies, 4096)
    single = apart(tokenizer, "chat", replies, 4096)
    assert len(single) == 4 and {e.replies for e in single} == {1}
    assert len({e.name for e in single}) == 4
    assert sum(e.learned for e in single) == packed.learned
    for example in single:
        assert list(packed.ids[:len(example.ids)]) == list(example.ids)


def test_a_template_that_rewrites_its_past_is_not_packed(tokenizer) -> None:
    tokenizer.chat_template = STRIPPING
    replies = chat(5, turns=3)
    found = pack(tokenizer, "chat", replies, 4096)
    assert [e.replies for e in found] == [1, 1, 1]
    for example, reply in zip(found, replies, strict=True):
        whole = encode(tokenizer, Prompt(reply.messages, prefill=reply.head + reply.text))
        assert list(example.ids) == [*whole, tokenizer.eos_token_id], "exactly what generation will see"


def test_a_template_without_system_messages_still_packs(tokenizer) -> None:
    tokenizer.chat_template = NO_SYSTEM
    (example,) = pack(tokenizer, "chat", chat(6), 4096)
    assert example.replies == 3
    assert tokenizer.decode(example.ids).startswith("<|im_start|>user\nYou support people.")


def test_a_long_chat_is_cut_by_the_rule_of_generation(tokenizer) -> None:
    replies = chat(7, turns=8)
    found = pack(tokenizer, "chat", replies, 220)
    assert sum(e.replies for e in found) == 8
    assert all(len(e.ids) <= 220 for e in found)
    assert sum(e.cut for e in found) > 0 and found[0].cut == 0
    last = replies[-1]
    answer = [*tokenizer(last.head + last.text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    kept = fitted(tokenizer, last.messages, 220 - len(answer))
    assert list(found[-1].ids) == encode(tokenizer, Prompt(kept)) + answer


def test_fitted_keeps_the_system_text_the_last_message_and_begins_with_the_user(tokenizer) -> None:
    messages = chat(8, turns=6)[-1].messages
    kept = fitted(tokenizer, messages, 150)
    assert kept[0] == SYSTEM and kept[-1] == messages[-1] and kept[1].role == "user"
    assert len(encode(tokenizer, Prompt(kept))) <= 150
    assert fitted(tokenizer, messages, 10_000) == messages
    assert fitted(tokenizer, messages, 1) == (SYSTEM, messages[-1]), "less than that is no prompt"
    bare = fitted(tokenizer, messages[1:], 120)
    assert bare[0].role == "user" and bare[-1] == messages[-1]


def test_a_reply_without_room_is_left_out_and_a_long_one_loses_its_end(tokenizer) -> None:
    huge = Reply((SYSTEM, Message("user", "x" * 400)), "yes")
    assert pack(tokenizer, "chat", [huge], 200) == []
    long = Reply((SYSTEM, Message("user", "why")), " y" * 300, "[Others]")
    (example,) = pack(tokenizer, "chat", [long], 200)
    assert len(example.ids) <= 200 and END not in example.kinds, "a reply that was cut does not teach an end"
    assert sum(k == HEAD for k in example.kinds) == len("[Others]")


def test_a_base_model_gets_a_template_whose_end_is_learned(tokenizer) -> None:
    tokenizer.chat_template = None
    prepare(tokenizer)
    assert end_ids(tokenizer) == [tokenizer.eos_token_id]
    (example,) = pack(tokenizer, "chat", chat(9), 4096)
    assert example.replies == 3
    assert "User:\n" in tokenizer.decode(example.ids) and "Assistant:\n[" in tokenizer.decode(example.ids)
    assert render(tokenizer, [SYSTEM, Message("user", "a")]).endswith("Assistant:\n")


def test_the_end_is_the_templates_own_or_the_end_of_text(tokenizer) -> None:
    assert end_ids(tokenizer) == [tokenizer.convert_tokens_to_ids("<|im_end|>")]
    tokenizer.chat_template = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}" \
                              "{% if add_generation_prompt %}assistant: {% endif %}"
    assert end_ids(tokenizer) == [tokenizer.eos_token_id], "a line break is no end"


def test_what_cannot_be_learned_is_refused(tokenizer) -> None:
    with pytest.raises(UserError, match="empty"):
        Reply((SYSTEM,), "  ")
    tokenizer.eos_token = None
    with pytest.raises(UserError, match="end-of-text"):
        prepare(tokenizer)


def test_head_and_text_that_melt_into_one_token_are_read_apart(tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tokenizer that reads "] " as one token would give another head than generation does."""
    from backends.common.training import examples

    real = examples._behind

    def melting(tokenizer, messages, bare, text):
        ids = real(tokenizer, messages, bare, text)
        return ids if text.endswith("]") else [*ids[:9], 999, *ids[11:]] if text.startswith("[") else ids

    monkeypatch.setattr(examples, "_behind", melting)
    reply = Reply((SYSTEM, Message("user", "hi")), " why", "[Question]")
    head, text = examples._reply_ids(tokenizer, reply)
    assert tokenizer.decode(head) == "[Question]" and tokenizer.decode(text) == " why" and 999 not in head + text


def test_the_embedded_model_packs_and_reads_heads_alike(smollm: str) -> None:
    from workbench import hub
    from workbench.settings import load_settings

    tokenizer = tokenizer_of(hub.resolve(smollm, load_settings(), None).path)
    replies = chat(3, turns=4)
    (example,) = pack(tokenizer, "chat", replies, 4096)
    assert example.replies == 4 and example.cut == 0
    for reply in replies:
        whole = encode(tokenizer, Prompt(reply.messages, prefill=reply.head + reply.text))
        guided = encode(tokenizer, Prompt(reply.messages, prefill=reply.head))
        assert list(example.ids[:len(whole)]) == whole and whole[:len(guided)] == guided
