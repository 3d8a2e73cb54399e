"""Chat templates as they are met in the wild: whatever they do, training sees the ids of generation."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backends.common.language import Message, Prompt
from backends.common.prompts import encode
from backends.common.training.examples import CONTEXT, END, GIVEN, HEAD, LEARNED, TEXT, Reply, apart, end_ids, pack
from tests.backends.training_cases import HEADS, SYSTEM, chat, tokenizer_of
from tests.tiny import make_tokenizer

LLAMA3 = (
    "{{ '<|begin|>' }}{% for m in messages %}"
    "{{ '<|head|>' + m['role'] + '<|/head|>\n\n' + m['content'] | trim + '<|eot|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|head|>assistant<|/head|>\n\n' }}{% endif %}")
GEMMA = (
    "{{ '<|begin|>' }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('No system role') }}{% endif %}"
    "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate') }}{% endif %}"
    "{{ '<|turn|>' + ('model' if m['role'] == 'assistant' else m['role']) + '\n' }}"
    "{{ m['content'] | trim + '<|eot|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|turn|>model\n' }}{% endif %}")
MISTRAL = (
    "{{ '<|begin|>' }}{% for m in messages %}"
    "{% if m['role'] == 'system' %}{{ raise_exception('Only user and assistant') }}"
    "{% elif m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}{% else %}"
    "{{ ' ' + m['content'] + eos_token }}{% endif %}{% endfor %}")
ZEPHYR = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>\n' + m['content'] + eos_token + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}")
THINKING = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}{% if m['role'] == 'assistant' %}"
    "{{ '<think>\n\n</think>\n\n' if loop.last else '' }}{% endif %}{{ m['content'] + '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>\n\n</think>\n\n' }}{% endif %}")
DATED = (
    "{% for m in messages %}{% if loop.first %}{{ 'Turns so far: ' + messages | length | string + '\n' }}{% endif %}"
    "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")
PLAIN_END = (
    "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}")
TEMPLATES = {
    "llama3": (LLAMA3, True, "<|eot|>"), "gemma": (GEMMA, True, "<|eot|>"), "mistral": (MISTRAL, False, "<|im_end|>"),
    "zephyr": (ZEPHYR, True, "<|im_end|>"), "thinking": (THINKING, False, "<|im_end|>"),
    "dated": (DATED, False, "<|im_end|>"), "no end": (PLAIN_END, False, "<|im_end|>")}
SPECIAL = ["<|begin|>", "<|head|>", "<|/head|>", "<|eot|>", "<|turn|>"]
"""Name: (template, whether a chat of it can be packed into one example, the token that ends a reply)."""


def tokenizer_with(template: str):
    tokenizer = make_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": SPECIAL})
    tokenizer.chat_template = template
    return tokenizer


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("seed", range(3))
def test_every_reply_is_trained_behind_the_prompt_of_generation(name: str, seed: int) -> None:
    template, _, end = TEMPLATES[name]
    tokenizer = tokenizer_with(template)
    replies = chat(seed, turns=4)
    examples = pack(tokenizer, name, replies, 8192)
    assert sum(e.replies for e in examples) == 4
    prompts = [encode(tokenizer, Prompt(r.messages)) for r in replies]
    whole = [encode(tokenizer, Prompt(r.messages, prefill=r.head + r.text)) for r in replies]
    stop = tokenizer.convert_tokens_to_ids(end)
    answers = [[*ids[len(prompt):], stop] for ids, prompt in zip(whole, prompts, strict=True)]
    single = apart(tokenizer, name, replies, 8192)
    for example, prompt, answer in zip(single, prompts, answers, strict=True):
        assert list(example.ids) == prompt + answer
        assert list(example.kinds[:len(prompt)]) == [CONTEXT] * len(prompt)
        assert set(example.kinds[len(prompt):]) == {HEAD, TEXT, END}


@pytest.mark.parametrize("name", TEMPLATES)
def test_packing_happens_exactly_where_the_past_stays_as_it_was(name: str) -> None:
    template, packs, _ = TEMPLATES[name]
    examples = pack(tokenizer_with(template), name, chat(5, turns=3), 8192)
    if packs:
        assert [e.replies for e in examples] == [3]
    else:
        assert sum(e.replies for e in examples) == 3, "one by one where the template or a join rewrites the past"


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_end_that_is_learned_is_a_token_that_stops_generation(name: str) -> None:
    template, _, end = TEMPLATES[name]
    tokenizer = tokenizer_with(template)
    assert end_ids(tokenizer) == [tokenizer.convert_tokens_to_ids(end)]


@pytest.mark.parametrize("name", TEMPLATES)
def test_packed_and_single_examples_learn_the_same_tokens_in_the_same_places(name: str) -> None:
    tokenizer = tokenizer_with(TEMPLATES[name][0])
    replies = chat(7, turns=4)
    learned = []
    for examples in (pack(tokenizer, name, replies, 8192), apart(tokenizer, name, replies, 8192)):
        learned.append([(place, token) for e in examples
                        for place, (token, kind) in enumerate(zip(e.ids, e.kinds, strict=True)) if kind in LEARNED])
    assert sorted(learned[0]) == sorted(learned[1])


@pytest.mark.parametrize("given_", [True, False])
@pytest.mark.parametrize("name", ["llama3", "gemma", "zephyr"])
def test_a_guided_reply_begins_with_the_ids_of_training(name: str, given_: bool) -> None:
    tokenizer = tokenizer_with(TEMPLATES[name][0])
    for reply in chat(3, turns=3, given=given_):
        (example,) = pack(tokenizer, name, [reply], 8192)
        guided = encode(tokenizer, Prompt(reply.messages, prefill=reply.head))
        assert list(example.ids[:len(guided)]) == guided
        heads = [k for k in example.kinds if k in (HEAD, GIVEN)]
        assert len(heads) == len(reply.head) and set(heads) == {GIVEN if given_ else HEAD}


TEXTS = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="<|"), min_size=1, max_size=30).map(
    lambda text: " ".join(text.split())).filter(bool)


@st.composite
def chats(draw: st.DrawFn) -> list[Reply]:
    """Chats of any words, with and without heads."""
    messages = [SYSTEM]
    replies = []
    for _ in range(draw(st.integers(1, 5))):
        messages.append(Message("user", draw(TEXTS)))
        head = draw(st.sampled_from(("", *HEADS)))
        text = (" " if head else "") + draw(TEXTS)
        replies.append(Reply(tuple(messages), text, head, draw(st.booleans())))
        messages.append(Message("assistant", head + text))
    return replies


@given(chats(), st.integers(60, 600))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_said_nothing_but_replies_is_learned(replies: list[Reply], length: int) -> None:
    tokenizer = make_tokenizer()
    tokenizer.chat_template = TEMPLATES["zephyr"][0]
    for examples in (pack(tokenizer, "c", replies, length), apart(tokenizer, "c", replies, length)):
        assert all(len(e.ids) == len(e.kinds) <= length for e in examples)
        assert sum(e.replies for e in examples) <= len(replies)
        for example in examples:
            ends = [i for i, kind in enumerate(example.kinds) if kind == END]
            assert all(example.ids[i] == tokenizer.eos_token_id for i in ends) and len(ends) <= example.replies
            assert example.kinds[0] == CONTEXT
    whole = pack(tokenizer, "c", replies, 100_000)
    assert sum(e.replies for e in whole) == len(replies)
    said = "".join(r.text for r in replies)
    learned = [i for e in whole for i, k in zip(e.ids, e.kinds, strict=True) if k == TEXT]
    assert tokenizer.decode(learned) == said


@given(chats())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_packing_never_changes_how_much_is_learned(replies: list[Reply]) -> None:
    tokenizer = make_tokenizer()
    packed, single = (make(tokenizer, "c", replies, 100_000) for make in (pack, apart))
    assert sum(e.learned for e in packed) == sum(e.learned for e in single)
    assert sum(len(e.ids) for e in packed) <= sum(len(e.ids) for e in single)


@pytest.mark.parametrize("length", [80, 120, 200, 400, 4096])
def test_no_length_loses_a_reply_that_fits(length: int, tiny_lm: Path) -> None:
    tokenizer = tokenizer_of(tiny_lm)
    generator = random.Random(length)
    for seed in range(4):
        replies = chat(seed, turns=generator.randint(1, 6))
        found = sum(e.replies for e in pack(tokenizer, "c", replies, length))
        fits = 0
        for reply in replies:
            answer = min(len(reply.head + reply.text) + 1, length // 2)
            shortest = len(encode(tokenizer, Prompt((reply.messages[0], reply.messages[-1]))))
            fits += shortest + answer <= length
        assert found == fits
