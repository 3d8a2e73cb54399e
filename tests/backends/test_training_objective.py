"""The loss: exact sums, packing equal to one example a reply, no gradient from the seeker."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from backends.common.language import Message
from backends.common.loading import open_weights
from backends.common.training.batches import IGNORED, collate
from backends.common.training.examples import CONTEXT, Example, Reply, apart, pack
from backends.common.training.measure import Variant, measure, perplexity, replies_of, variant_losses
from backends.common.training.objective import Objective, Sums, loss_of, token_losses
from tests.backends.training_cases import HEADS, SYSTEM, chat, examples, tokenizer_of
from workbench.contract import UserError


@pytest.fixture
def tokenizer(tiny_lm: Path):
    return tokenizer_of(tiny_lm)


@pytest.fixture
def model(tiny_lm: Path):
    """In float64, so that equal sums are equal to the last digits that matter."""
    return open_weights(tiny_lm, "float64", "cpu")


def loss(model, rows: list[Example], weight: float) -> torch.Tensor:
    return loss_of(Objective(model)(collate(rows, 0)), weight, float(sum(e.replies for e in rows)))


def value_of(model, rows: list[Example], weight: float) -> float:
    return loss(model, rows, weight).item()


def by_hand(model, tokenizer, replies: list[Reply], weight: float) -> float:
    """Equation A.8 read literally: one forward pass a reply, one log-probability a token."""
    from backends.common.language import Prompt
    from backends.common.prompts import encode

    total = 0.0
    for reply in replies:
        before = encode(tokenizer, Prompt(reply.messages))
        head = tokenizer(reply.head, add_special_tokens=False)["input_ids"] if reply.head else []
        rest = [*tokenizer(reply.text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        with torch.no_grad():
            scores = model(input_ids=torch.tensor([[*before, *head, *rest]])).logits[0].log_softmax(-1)
        for place, token in enumerate([*head, *rest]):
            value = -float(scores[len(before) + place - 1, token])
            total += value * (weight if place < len(head) else 1.0)
    return total / len(replies)


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("heads", [True, False])
def test_one_example_a_chat_has_exactly_the_loss_of_one_a_reply(model, tokenizer, weight: float, heads: bool) -> None:
    replies = chat(11, turns=4, heads=heads)
    packed = value_of(model, pack(tokenizer, "c", replies, 4096), weight)
    single = [value_of(model, [e], weight) for e in apart(tokenizer, "c", replies, 4096)]
    assert len(single) == 4
    assert packed == pytest.approx(sum(single) / 4, rel=1e-12)
    assert packed == pytest.approx(by_hand(model, tokenizer, replies, weight), rel=1e-10)


def test_packing_gives_the_same_gradient(model, tokenizer) -> None:
    replies = chat(12, turns=3)
    found = []
    for rows in (pack(tokenizer, "c", replies, 4096), apart(tokenizer, "c", replies, 4096)):
        model.zero_grad()
        loss(model, rows, 1.0).backward()
        found.append({name: p.grad.clone() for name, p in model.named_parameters()})
    largest = max(float(g.abs().max()) for g in found[0].values())
    apart_by = max(float((found[0][n] - found[1][n]).abs().max()) for n in found[0])
    assert apart_by < 1e-6 * largest, "the norms compute in float32, so a gradient has its digits"


def test_the_weight_of_the_head_only_changes_the_heads_share(model, tokenizer) -> None:
    rows = examples(tokenizer, 2)
    values = Objective(model)(collate(rows, 0)).detach()
    count = float(sum(e.replies for e in rows))
    none, one, two = (float(loss_of(values, weight, count)) for weight in (0.0, 1.0, 2.0))
    assert two - one == pytest.approx(one - none) and one - none == pytest.approx(float(values[0]) / count)
    given = [e for seed in range(2) for e in pack(tokenizer, "c", chat(seed, given=True), 4096)]
    assert value_of(model, given, 1.0) == pytest.approx(none), "a given head costs what a head of weight 0 costs"


def test_padding_changes_nothing(model, tokenizer) -> None:
    rows = examples(tokenizer, 4)
    together = Objective(model)(collate(rows, tokenizer.pad_token_id))
    alone = sum(Objective(model)(collate([e], 0)) for e in rows)
    assert torch.allclose(together, alone, rtol=1e-12)


def test_a_batch_of_seeker_turns_only_has_no_gradient(model, tokenizer) -> None:
    (learned,) = pack(tokenizer, "c", chat(13), 4096)
    seeker = Example("seeker", learned.ids, (CONTEXT,) * len(learned.ids), 1)
    value = loss(model, [seeker], 1.0)
    assert value.item() == 0.0
    value.backward()
    assert all(p.grad is None or not p.grad.abs().any() for p in model.parameters())


def test_changing_the_seekers_labels_changes_nothing_but_changing_a_reply_does(model, tokenizer) -> None:
    batch = collate(pack(tokenizer, "c", chat(14), 4096), 0)
    assert int((batch.labels != IGNORED).sum()) == pack(tokenizer, "c", chat(14), 4096)[0].learned
    before = Objective(model)(batch).detach()
    place = (batch.labels != IGNORED).nonzero()[0]
    batch.labels[place[0], place[1]] += 1
    assert Objective(model)(batch).sum().item() != before.sum().item()


def test_the_end_of_a_reply_is_learned(model, tokenizer) -> None:
    """After some steps on one reply the model ends it, and does not after steps on a reply without its end."""
    reply = Reply((SYSTEM, Message("user", "hello")), "hi", "[Others]")
    (with_end,) = pack(tokenizer, "c", [reply], 4096)
    without = Example("w", with_end.ids, (*with_end.kinds[:-1], CONTEXT), 1)
    chances = []
    for rows in ([with_end], [without]):
        from copy import deepcopy

        learner = deepcopy(model)
        optimizer = torch.optim.AdamW(learner.parameters(), lr=3e-3)
        for _ in range(12):
            optimizer.zero_grad()
            loss(learner, rows, 1.0).backward()
            optimizer.step()
        with torch.no_grad():
            scores = learner(input_ids=torch.tensor([with_end.ids[:-1]])).logits[0, -1].softmax(-1)
        chances.append(float(scores[tokenizer.eos_token_id]))
    assert chances[0] > 0.5 > chances[1]


def test_only_the_columns_that_are_learned_go_through_the_vocabulary(model, tokenizer) -> None:
    seen = []
    model.lm_head.register_forward_hook(lambda module, args, out: seen.append(out.shape))
    rows = pack(tokenizer, "c", chat(15), 4096)
    Objective(model)(collate(rows, 0))
    assert seen == [(1, rows[0].learned, model.config.vocab_size)]


class Dense(torch.nn.Module):
    """A model of an architecture that always gives all logits."""

    def __init__(self, model) -> None:
        super().__init__()
        self.inner = model

    def forward(self, input_ids, attention_mask, use_cache):
        return self.inner(input_ids=input_ids, attention_mask=attention_mask, use_cache=use_cache)


def test_a_model_that_gives_all_logits_has_the_same_loss(model, tokenizer) -> None:
    rows = examples(tokenizer, 2)
    assert torch.allclose(Objective(Dense(model))(collate(rows, 0)), Objective(model)(collate(rows, 0)), rtol=1e-12)


def test_token_losses_are_in_single_precision_at_least() -> None:
    logits = torch.tensor([[[2.0, 0.0]]], dtype=torch.bfloat16)
    assert token_losses(logits, torch.tensor([[0]])).dtype == torch.float32
    assert float(token_losses(logits, torch.tensor([[0]]))) == pytest.approx(math.log(1 + math.exp(-2.0)))
    assert float(token_losses(logits, torch.tensor([[IGNORED]]))) == 0.0


def test_measure_adds_up_without_dropout_and_leaves_the_mode(model, tokenizer) -> None:
    rows = examples(tokenizer, 5)
    objective = Objective(model).train()
    ticks = []
    whole = measure(objective, rows, 300, "cpu", lambda: ticks.append(1))
    assert objective.training and len(ticks) > 1
    again = measure(objective, rows, 10_000, "cpu")
    assert whole.rest == pytest.approx(again.rest, rel=1e-9) and whole.head == pytest.approx(again.head, rel=1e-9)
    assert whole.replies == sum(e.replies for e in rows)
    assert whole.head_tokens + whole.rest_tokens == sum(e.learned for e in rows)
    assert measure(objective, [], 100, "cpu") == Sums()


def test_perplexity() -> None:
    assert perplexity(10 * math.log(7), 10) == pytest.approx(7)
    assert math.isnan(perplexity(0.0, 0)) and math.isfinite(perplexity(1e9, 1))


def test_replies_of_finds_every_reply_again(tokenizer) -> None:
    replies = chat(16, turns=3)
    (example,) = pack(tokenizer, "c", replies, 4096)
    found = replies_of(example)
    assert [tokenizer.decode(head) for _, head, _ in found] == [r.head for r in replies]
    assert [tokenizer.decode(rest[:-1]) for _, _, rest in found] == [r.text for r in replies]
    assert all(example.kinds[at - 1] == CONTEXT for at, _, _ in found)
    (given,) = pack(tokenizer, "c", chat(16, turns=3, given=True), 4096)
    assert replies_of(given) == found


def test_variants_in_one_pass_equal_one_pass_each(model, tokenizer) -> None:
    replies = chat(17, turns=3)
    (example,) = pack(tokenizer, "c", replies, 4096)
    variants, expected = [], []
    for at, _, rest in replies_of(example):
        for name in HEADS:
            head = tuple(tokenizer(name, add_special_tokens=False)["input_ids"])
            variants.append(Variant(at, head, rest))
            with torch.no_grad():
                scores = model(input_ids=torch.tensor([[*example.ids[:at], *head, *rest]])).logits[0].log_softmax(-1)
            first = at + len(head) - 1
            expected.append(-sum(float(scores[first + k, token]) for k, token in enumerate(rest)))
        variants.append(Variant(at, (), rest))
        with torch.no_grad():
            scores = model(input_ids=torch.tensor([[*example.ids[:at], *rest]])).logits[0].log_softmax(-1)
        expected.append(-sum(float(scores[at - 1 + k, token]) for k, token in enumerate(rest)))
    assert variant_losses(model, example.ids, variants) == pytest.approx(expected, rel=1e-9)
    assert variant_losses(model, example.ids, []) == []


def test_the_gold_variant_equals_the_packed_loss(model, tokenizer) -> None:
    (example,) = pack(tokenizer, "c", chat(18, turns=4), 4096)
    gold = variant_losses(model, example.ids, [Variant(*reply) for reply in replies_of(example)])
    assert sum(gold) == pytest.approx(measure(Objective(model), [example], 10_000, "cpu").rest, rel=1e-9)


def test_a_variant_outside_the_trunk_is_refused(model) -> None:
    with pytest.raises(UserError, match="begins at token 9"):
        variant_losses(model, [1, 2, 3], [Variant(9, (), (4,))])
