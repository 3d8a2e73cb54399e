"""From prompts to tokens: templates, prefill, joins, and what does not fit."""

from __future__ import annotations

import pytest

from backends.common.language import Completion, Decoding, Message, Prompt, ResidentModel, open_model
from backends.common.prompts import check_fit, continuation, encode, merged, render
from tests.tiny import make_tokenizer
from workbench.contract import Cancelled, UserError
from workbench.fields import from_json, to_json

CHAT = (Message("system", "Be kind."), Message("user", "Hi"))
STRICT = ("{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
          "{{ bos_token }}{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
          "{{ raise_exception('roles must alternate') }}{% endif %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}")


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer()


def test_a_chat_ends_where_the_reply_begins(tokenizer) -> None:
    text = render(tokenizer, CHAT)
    assert text == ("<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")
    ids = encode(tokenizer, Prompt(CHAT, prefill="I feel"))
    assert tokenizer.decode(ids) == text + "I feel"
    assert ids[0] == tokenizer.bos_token_id and ids.count(tokenizer.bos_token_id) == 3, "no second beginning mark"


def test_the_tokens_are_those_of_transformers_own_template_call(tokenizer) -> None:
    plain = [{"role": m.role, "content": m.content} for m in CHAT]
    theirs = tokenizer.apply_chat_template(plain, add_generation_prompt=True, tokenize=True)
    assert encode(tokenizer, Prompt(CHAT)) == list(theirs["input_ids"] if hasattr(theirs, "keys") else theirs)


def test_raw_text_is_not_put_into_a_template(tokenizer) -> None:
    assert tokenizer.decode(encode(tokenizer, Prompt(text="Once", prefill=" upon"))) == "Once upon"


def test_a_strict_template_gets_merged_turns() -> None:
    strict = make_tokenizer()
    strict.chat_template = STRICT
    messages = (*CHAT, Message("user", "Are you there?"), Message("assistant", "Yes."), Message("user", "Good."))
    assert render(strict, messages) == ("<|im_start|><user>Be kind.\n\nHi\n\nAre you there?<assistant>Yes.<user>Good.")
    strict.chat_template = "{{ raise_exception('never') }}"
    with pytest.raises(UserError, match="refuses these messages: never"):
        render(strict, messages)


def test_merged_by_hand() -> None:
    found = merged([Message("system", "s"), Message("assistant", "a"), Message("assistant", "b"), Message("user", "u")])
    assert found == [Message("user", "s"), Message("assistant", "a\n\nb"), Message("user", "u")]


def test_a_base_model_says_that_it_is_one() -> None:
    base = make_tokenizer()
    base.chat_template = None
    with pytest.raises(UserError, match="base model"):
        encode(base, Prompt(CHAT))
    assert encode(base, Prompt(text="x"))


def test_a_continuation_is_what_follows_the_prompt(tokenizer) -> None:
    prompt = Prompt(CHAT, prefill="I ")
    ids = encode(tokenizer, prompt)
    assert tokenizer.decode(continuation(tokenizer, prompt, ids, "feel 难")) == "feel 难"
    with pytest.raises(UserError, match="empty"):
        continuation(tokenizer, prompt, ids, "")


def test_a_join_that_would_change_the_prompt_is_not_made() -> None:
    class Merging:
        """Reads 'ab' as one token, so that 'a' + 'b' changes the prompt's last token."""

        def __call__(self, text, add_special_tokens=True):
            return {"input_ids": [99 if part == "ab" else ord(part) for part in
                                  (["ab"] if text == "ab" else list(text))]}

    prompt = Prompt(text="a")
    assert continuation(Merging(), prompt, [97], "b") == [98]


@pytest.mark.parametrize(("prompt", "new", "window", "fits"), [
    (90, 10, 100, True), (91, 10, 100, False), (10**6, 1, 0, True), (0, 101, 100, False)])
def test_what_fits_the_window(prompt: int, new: int, window: int, fits: bool) -> None:
    if fits:
        check_fit(prompt, new, window)
    else:
        with pytest.raises(UserError, match=f"{prompt} tokens.*{prompt + new}.*holds {window}"):
            check_fit(prompt, new, window)


@pytest.mark.parametrize("fields", [
    {}, {"messages": CHAT, "text": "both"}, {"text": 3}, {"messages": [Message("user", "a list")]}])
def test_prompts_that_make_no_sense(fields: dict) -> None:
    with pytest.raises(UserError):
        Prompt(**fields)


@pytest.mark.parametrize(("fields", "says"), [
    ({"temperature": -0.1}, "temperature is -0.1; it must lie between 0 and 5"), ({"top_p": 0.0}, "top_p"),
    ({"top_p": 1.1}, "top_p"), ({"max_new_tokens": 0}, "max_new_tokens"), ({"seed": -1}, "seed"),
    ({"repetition_penalty": 0.0}, "repetition_penalty"), ({"min_new_tokens": 41}, "must not exceed"),
    ({"stop": ("",)}, "empty text"), ({"stop": "a string"}, "stop"), ({"top_k": 1.5}, "top_k"),
    ({"temperature": float("nan")}, "temperature"), ({"temperature": True}, "temperature")])
def test_decoding_is_checked(fields: dict, says: str) -> None:
    with pytest.raises(UserError, match=says):
        Decoding(**fields)


def test_a_message_has_one_of_three_roles() -> None:
    with pytest.raises(UserError, match="role"):
        Message("counselor", "hello")  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [Prompt(CHAT, prefill="x", key="k"), Prompt(text="难"), Decoding(stop=("a", "b")),
                                   Completion("t", 1, 2, 3, 0.5, "stop")])
def test_json_and_back(value) -> None:
    assert from_json(type(value), to_json(value)) == value


class Wire:
    """A line that answers with given events and remembers what it was asked."""

    def __init__(self, *events: dict, card: dict | None = None) -> None:
        self.card = card or {"kind": "chat"}
        self.events, self.asked, self.closed, self.ended = events, [], 0, 0

    def ask(self, operation, payload):
        self.asked.append((operation, payload))
        try:
            yield from self.events
        finally:
            self.ended += 1

    def close(self) -> None:
        self.closed += 1


DONE = {"result": [to_json(Completion("ab", 2, 5, 0, 0.1, "length"))]}


def test_a_resident_model_is_asked_in_plain_json_and_answers_in_objects() -> None:
    line = Wire({"taken": True}, {"tick": 0.2}, {"delta": [0, "a"]}, {"delta": [0, "b"]}, DONE)
    model, heard = ResidentModel(line), []
    done = model.generate([Prompt(CHAT)], Decoding(), lambda row, text: heard.append((row, text)))
    assert done == [Completion("ab", 2, 5, 0, 0.1, "length")] and heard == [(0, "a"), (0, "b")]
    assert line.asked[0][0] == "generate" and line.asked[0][1]["stream"] is True
    assert model.generate([], Decoding()) == [] and len(line.asked) == 1
    model.close()
    assert line.closed == 1 and line.ended == 1


def test_a_cancel_between_two_events_closes_the_line() -> None:
    line, calls = Wire({"tick": 0.2}, {"tick": 0.4}, DONE), []

    def cancelled() -> None:
        calls.append(1)
        if len(calls) == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        ResidentModel(line).generate([Prompt(CHAT)], Decoding(), None, cancelled)
    assert line.ended == 1


def test_an_answer_without_a_result_is_an_error() -> None:
    with pytest.raises(UserError, match="without an answer"):
        ResidentModel(Wire({"tick": 1})).score([Prompt(CHAT)], [["a"]])


def test_the_other_operations_pass_through() -> None:
    line = Wire({"result": [[[-1.0]]]})
    assert ResidentModel(line).score([Prompt(CHAT)], [["a"]]) == [[[-1.0]]]
    ResidentModel(line).forget(["a", "b"])
    assert line.asked[1] == ("forget", {"keys": ["a", "b"]})
    assert ResidentModel(Wire({"result": {"window": 7}})).info() == {"window": 7}


def test_open_model_asks_the_context() -> None:
    class Context:
        def model(self, reference: str) -> Wire:
            return Wire(card={"reference": reference, "kind": "base"})

    opened = open_model(Context(), "path:/somewhere")  # type: ignore[arg-type]
    assert isinstance(opened, ResidentModel) and opened.card["reference"] == "path:/somewhere"
