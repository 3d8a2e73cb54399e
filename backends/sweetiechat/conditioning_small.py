"""A small Transformer from scratch: its own tokenizer, pre-trained on all dialogue text, then the two arms.

The pilot of the spec trained such a model on responses only and saw no effect: with so little text it had not learned
the language, let alone strategies. So here it first reads whole dialogues (both speakers, every token learned, the mark
that says nothing on every reply) until held-out loss no longer falls, and only then the arms part. A strategy is one
token. Both arms keep the step with the lowest loss on held-out training dialogues.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.common.training.examples import CONTEXT, TEXT, Example, pack
from backends.common.training.plan import Plan
from backends.sweetiechat import conditioning_models
from backends.sweetiechat.conditioning_claims import Conditions
from backends.sweetiechat.conditioning_data import NEUTRAL, neutral
from backends.sweetiechat.conditioning_models import Arm, Say
from backends.sweetiechat.objects import Dialogue
from backends.sweetiechat.train_text import head_of, lines_of
from backends.sweetiechat.train_text import replies_of as dialogue_replies
from workbench.context import MemoryContext

USER, REPLY, END = "<|user|>", "<|reply|>", "<|end|>"
TEMPLATE = ("{% for m in messages %}{% if m['role'] == 'user' %}<|user|>{{ m['content'] }}<|end|>"
            "{% elif m['role'] == 'assistant' %}<|reply|>{{ m['content'] }}<|end|>{% endif %}{% endfor %}"
            "{% if add_generation_prompt %}<|reply|>{% endif %}")
"""No system text: it would be the same in every dialogue."""


@dataclass(frozen=True)
class Size:
    """Of the model, its vocabulary, and of the training: epochs of pre-training and of each arm."""

    width: int = 128
    layers: int = 2
    vocabulary: int = 2000
    length: int = 512
    read_epochs: float = 6.0
    arm_epochs: float = 4.0
    read_rate: float = 3e-3
    arm_rate: float = 1e-3


def tokenizer_for(dialogues: Sequence[Dialogue], size: Size) -> Any:
    """A byte-level tokenizer with pairs learned from the dialogues, and one token for every strategy."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    heads = {head_of(item, d.language) for d in dialogues for item in d.strategy_set.items}
    special = [END, USER, REPLY, *sorted({*heads, *(head_of(item, "en") for item in NEUTRAL.items)})]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size.vocabulary, special_tokens=special, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator((line.text for d in dialogues for line in lines_of(d)), trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=END,
                                   additional_special_tokens=special[1:])
    fast.chat_template = TEMPLATE
    return fast


def make_model(folder: Path, tokenizer: Any, size: Size, seed: int) -> Path:
    """A randomly initialised Llama of this size as a model folder."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    if (folder / "config.json").is_file():
        return folder
    shape = LlamaConfig(vocab_size=len(tokenizer), hidden_size=size.width, intermediate_size=size.width * 8 // 3,
                        num_hidden_layers=size.layers, num_attention_heads=max(1, size.width // 32),
                        max_position_embeddings=4096, tie_word_embeddings=True, eos_token_id=tokenizer.eos_token_id,
                        pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.eos_token_id)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(shape)
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder, safe_serialization=True)
    return folder


def whole(tokenizer: Any, dialogues: Sequence[Dialogue], length: int) -> list[Example]:
    """Dialogues with every token learned, whoever said it."""
    found = []
    for dialogue in dialogues:
        for example in pack(tokenizer, dialogue.id, dialogue_replies(neutral(dialogue), "given"), length)[:1]:
            kinds = (CONTEXT, *(TEXT for _ in example.ids[1:]))
            found.append(dataclasses.replace(example, kinds=kinds))
    return found


def read_everything(path: Path, out: Path, dialogues: Sequence[Dialogue], held_out: Sequence[Dialogue], size: Size,
                    seed: int, say: Say) -> Path:
    """Pre-train the model in ``path`` and write it to ``out``; nothing is done where ``out`` is there already."""
    from backends.common.training.fit import accelerated, fit
    from backends.common.training.weights import open_trainee, save_model

    if (out / "config.json").is_file():
        return out
    plan = Plan(epochs=size.read_epochs, batch=8, learning_rate=size.read_rate, warmup=0.1, weight_decay=0.1, clip=1.0,
                loss_per="token", keep="best", seed=seed)

    class Telling(MemoryContext):
        def metric(self, step: int, **values: float) -> None:
            super().metric(step, **values)
            if "held_out_perplexity" in values:
                say(f"pre-training: step {step}, held-out perplexity {values['held_out_perplexity']:.1f}")

    context = Telling(out.with_name(f"{out.name}-run"))
    with accelerated(context, "", "conditioning", {}) as accelerator:
        trainee = open_trainee(path, "full", seed=seed)
        fit(trainee, [whole(trainee.tokenizer, dialogues, size.length)],
            whole(trainee.tokenizer, held_out, size.length), plan, context, accelerator, "reading")
        return save_model(trainee, out, "A small model for one experiment.\n", {})


def run(train: Sequence[Dialogue], more: Sequence[Dialogue], test: Sequence[Dialogue], folder: Path, seed: int,
        size: Size | None = None, say: Say = print) -> Conditions:
    """Everything, from text to the three conditions. A tenth of the training dialogues chooses the steps."""
    size = size or Size()
    order = list(train)
    random.Random(seed).shuffle(order)
    cut = max(1, len(order) // 10)
    held_out, kept = order[:cut], order[cut:]
    tokenizer = tokenizer_for([*kept, *more], size)
    start = make_model(folder / "start", tokenizer, size, seed)
    read = read_everything(start, folder / "read", [*kept, *more], held_out, size, seed, say)
    plan = Plan(epochs=size.arm_epochs, batch=4, learning_rate=size.arm_rate, warmup=0.1, weight_decay=0.1, clip=1.0,
                loss_per="token", keep="best", seed=seed)
    arm = Arm(f"Transformer from scratch ({size.layers} layers, width {size.width})", "full", size.length, plan)
    return conditioning_models.run(read, arm, kept, held_out, test, folder, seed, say)
