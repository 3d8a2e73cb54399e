"""The embedded model itself, a few short checks: same tokens as ``generate``, reuse, scores, speed sanity."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.common.language import Decoding, Message, Prompt
from tests.backends.engine_cases import chat, greedy, log_probabilities, open_local, reference

GREEDY = Decoding(temperature=0.0, max_new_tokens=16)
TEXTS = ("I lost my job and I feel useless.", "My dog died last week.", "Hi", "I cannot sleep, my exam is tomorrow.")


@pytest.fixture(scope="module")
def folder(smollm: str) -> Path:
    from workbench import hub
    from workbench.settings import load_settings

    return hub.resolve(smollm, load_settings()).path


@pytest.fixture(scope="module")
def local(folder: Path):
    return open_local(folder)


@pytest.fixture(scope="module")
def plain(folder: Path):
    return reference(folder)


def test_a_batch_is_generate_one_by_one(local, plain) -> None:
    assert local.engine.loaded.packed
    prompts = [chat(text, key=str(i), prefill="I" if i == 1 else "") for i, text in enumerate(TEXTS)]
    for prompt, done in zip(prompts, local.generate(prompts, GREEDY), strict=True):
        assert done.text == greedy(plain, local.engine.loaded.tokenizer, prompt, 16)


def test_the_next_turn_reads_only_what_is_new_and_says_the_same(local, plain) -> None:
    history = [Message("system", "You are a kind listener. Answer in one sentence."), Message("user", TEXTS[0])]
    first = local.generate([Prompt(tuple(history), key="talk")], GREEDY)[0]
    history += [Message("assistant", first.text), Message("user", "Thank you. What could I do now?")]
    second = local.generate([Prompt(tuple(history), key="talk")], GREEDY)[0]
    assert second.reused_tokens >= first.prompt_tokens + 10
    assert second.text == greedy(plain, local.engine.loaded.tokenizer, Prompt(tuple(history)), 16)


def test_scores_are_the_plain_log_probabilities(local, plain) -> None:
    tokenizer, prompt = local.engine.loaded.tokenizer, chat(TEXTS[1], key="score", prefill="Strategy:")
    texts = [" Question", " Reflection of feelings", " Providing Suggestions"]
    for text, values in zip(texts, local.score([prompt], [texts])[0], strict=True):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert values == pytest.approx(log_probabilities(plain, tokenizer, prompt, ids), abs=1e-4)


def test_its_reply_to_a_plain_question_is_english_words(local) -> None:
    """The conversion kept the chat template and the end token: the model answers and stops by itself."""
    prompt = chat("What is the capital of France?", system="You are a helpful AI assistant named SmolLM.")
    done = local.generate([prompt], Decoding(temperature=0.0, max_new_tokens=30))[0]
    assert "Paris" in done.text and done.finish == "stop" and "<|" not in done.text
