"""A trained agent for tests: the tiny model with the ``training.json`` of a real training, and talks for it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from backends.common.engine import LocalModel
from backends.sweetiechat.library import choose_strategies
from tests.backends.sweetie import make_dialogue
from workbench.fields import to_json

SET = choose_strategies("esconv-8")
CARD = {"title": "Tiny", "kind": "chat", "languages": [], "parameters": 100_000, "can_score": True}


def agent_folder(tiny: Path, folder: Path, variant: str = "joint", strategies=SET) -> Path:
    """A copy of the tiny model that says it was trained as an agent."""
    shutil.copytree(tiny, folder)
    facts = {"method": "sweetiechat", "variant": variant, "strategy_set": to_json(strategies) if strategies else {}}
    (folder / "training.json").write_text(json.dumps(facts))
    return folder


def open_tiny(context, reference: str) -> LocalModel:
    """An opener that loads ``path:`` references in this process."""
    return LocalModel(context.resource(reference), CARD, threads=1)


def talk(turns: int = 3, **changes):
    """A talk whose last word is the seeker's when ``turns`` is odd; every word and strategy is different."""
    texts = [f"{'I feel' if n % 2 == 0 else 'I hear'} thing{n} today." for n in range(turns)]
    keys = SET.keys
    return make_dialogue(*texts, used=[keys[n % len(keys)] for n in range(turns // 2)], **changes)


def heads(prompt) -> str:
    """What the scripted agent writes: its own head unless one is given."""
    return f"{prompt.prefill} Tell me more about it." if prompt.prefill else "[Question] What happened then?"
