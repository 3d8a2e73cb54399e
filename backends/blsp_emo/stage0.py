"""The task ``blsp_emo.stage0.v1``: a small language model that answers one sentence in five tones (spec G.2, choice
a).

Each pair is learned under the very prompts that stages 1 and 2 and the conversation use: the tone named (construction
of stage 2's data), and no tone named. The whole new model is trained, or LoRA on one that is named; then the gate is
asked, on sentences that were not learned. The bundled SmolLM2 does not write by emotion on its own (spec G.2), hence
this stage.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backends.blsp_emo import gate, prompts, talk
from backends.blsp_emo.requests import Stage0Request, Stage0Result
from backends.blsp_emo.ser import EMOTIONS, emotion_id
from backends.blsp_emo.storage import licence_of, weights_hash
from backends.common.language import Message
from workbench.contract import Context, UserError
from workbench.fields import to_json
from workbench.files import read_lines, write_json

END, START = "<|im_end|>", "<|im_start|>"
CHATML = ("{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
          "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
LENGTH = 256
OWN = "apache-2.0"
"""Licence of a model that has learned nothing but the practice talk: the project's."""


def run(request: Stage0Request, context: Context) -> Stage0Result:
    """Train, save, check. The model is kept even where it does not pass; stages 1 and 2 then refuse it."""
    from backends.common.training.fit import accelerated, fit
    from backends.common.training.plan import Plan
    from backends.common.training.weights import open_trainee, save_model

    context.report(0, 0, "writing the practice talk")
    pairs, held = _pairs(request, context)
    folder = context.resource(request.model) if request.model else new_model(context.run / "checkpoints" / "start",
                                                                             pairs, request)
    with accelerated(context, "", "blsp_emo", {}) as accelerator:
        trainee = open_trainee(folder, request.method if request.model else "full", seed=request.seed,
                               device=str(accelerator.device))
        examples = lessons(trainee.tokenizer, pairs, context.generator(request.seed))
        plan = Plan(epochs=request.epochs, max_steps=request.max_steps, batch=request.batch, micro_tokens=8192,
                    learning_rate=request.learning_rate, warmup=0.05, weight_decay=0.01, clip=1.0, loss_per="token",
                    seed=request.seed)
        fitted = fit(trainee, [examples], [], plan, context, accelerator, f"{weights_hash(folder)} {request.method}")
        trained, _ = trainee.counts()
        out = context.run / "artifacts" / "model"
        if context.rank == 0:
            if request.half:
                trainee.model.half()
            save_model(trainee, out, card(request, len(pairs), folder), {"task": "blsp_emo.stage0.v1"})
        accelerator.wait_for_everyone()
    result = _checked(out, [said.text for said in held], context)
    context.artifact("model", out, "model")
    return Stage0Result(str(out), result, len(pairs), fitted.steps, trained, fitted.first, fitted.last,
                        round(fitted.seconds, 2))


def _checked(out: Path, texts: Sequence[str], context: Context) -> Any:
    from backends.common.engine import LocalModel

    model = LocalModel(out, threads=1)
    try:
        result = gate.check(model, texts, weights_hash(out), lambda: context.report(0, 0, "asking in five emotions"))
    finally:
        model.close()
    write_json(out / gate.REPORT, to_json(result))
    context.artifact(gate.REPORT, out / gate.REPORT, "json")
    return result


def _pairs(request: Stage0Request, context: Context) -> tuple[list[talk.Pair], list[talk.Said]]:
    said, held = talk.divided(request.seed, request.sentences, request.checked)
    if not request.pairs:
        said = [*said, *talk.SAYINGS * request.sayings]
        return talk.pairs(said, context.generator(request.seed)), held
    path = context.resource(request.pairs)
    own = []
    for number, line in enumerate(read_lines(path), 1):
        values = [str(line.get(name, "")) if isinstance(line, dict) else "" for name in ("text", "emotion", "output")]
        if not values[0] or not values[2]:
            raise UserError(f"Line {number} of {path.name} lacks text or output.",
                            advice='Each line needs {"text", "emotion", "output"}.')
        emotion_id(values[1])
        own.append(talk.Pair(*values))
    if not own:
        raise UserError(f"{path.name} has no pair.", advice='Each line needs {"text", "emotion", "output"}.')
    return own, held


def lessons(tokenizer: Any, pairs: Sequence[talk.Pair], generator: random.Random) -> list[Any]:
    """The pairs as token ids of which the reply is learned, one example each.

    A pair with a tone is told under the prompt that names it. One without is told in turn under stage 1's prompt,
    under that of stage 2 (which names none) and as conversation, then after up to two other turns in any tone."""
    from backends.common.training.examples import Reply, apart

    found, plain = [], 0
    for number, pair in enumerate(pairs):
        past: list[Message] = []
        if pair.emotion:
            told = prompts.emotional(pair.emotion)
        else:
            told = (prompts.semantic(), prompts.chat(), prompts.heard(), prompts.chat())[plain % 4]
            plain += 1
            if told == prompts.chat():
                for earlier in generator.choices(pairs, k=generator.randrange(3)):
                    past += [Message("user", earlier.text), Message("assistant", earlier.output)]
        messages = (Message("system", told.system), *past, Message("user", told.instruction + pair.text))
        found += apart(tokenizer, f"pair-{number}", [Reply(messages, pair.output)], LENGTH)
    return found


def new_model(folder: Path, pairs: Sequence[talk.Pair], request: Stage0Request) -> Path:
    """A randomly initialised Llama with a vocabulary learned from the pairs and the prompts around them."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    if (folder / "config.json").is_file():
        return folder
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=request.vocabulary, special_tokens=[END, START], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    told = [prompts.semantic(), prompts.heard(), prompts.chat(), prompts.question(),
            *(prompts.emotional(e) for e in EMOTIONS)]
    around = [f"system\n{t.system}\nuser\n{t.instruction}\nassistant\n" for t in told]
    tokenizer.train_from_iterator([*around, *(t for p in pairs for t in (p.text, p.output))], trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=END,
                                   additional_special_tokens=[START])
    fast.chat_template = CHATML
    heads = max(1, request.width // 32)
    shape = LlamaConfig(vocab_size=len(fast), hidden_size=heads * 32 if request.width >= 32 else request.width,
                        intermediate_size=request.width * 8 // 3, num_hidden_layers=request.layers,
                        num_attention_heads=heads, max_position_embeddings=2048, tie_word_embeddings=True,
                        eos_token_id=fast.eos_token_id, pad_token_id=fast.pad_token_id, bos_token_id=fast.eos_token_id)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(request.seed)
        model = LlamaForCausalLM(shape)
    fast.save_pretrained(folder)
    model.save_pretrained(folder, safe_serialization=True)
    return folder


def card(request: Stage0Request, count: int, base: Path) -> str:
    """The card as Markdown with front matter. ``base``: the folder that was tuned, whose licence stays."""
    start = f"from {base.name}" if request.model else "from random weights"
    source = "own pairs" if request.pairs else "the project's practice talk (synthetic, combined from lists)"
    licence = "other" if request.pairs else licence_of(base) if request.model else OWN
    method = request.method if request.model else "full"
    return "\n".join(["---", f"license: {licence}", "language: en", "tags: [conversation, emotion]", "---", "",
                      "# Emotion-conditioned replies (stage 0)", "",
                      f"Trained {start} on {count:,} pairs of {source}: {method} tuning, seed {request.seed}.", "",
                      "It answers everyday sentences in five tones and knows nothing else. `gate.json` says how well.",
                      ""])
