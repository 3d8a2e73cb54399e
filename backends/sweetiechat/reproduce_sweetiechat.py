"""``reproduce sweetiechat``: every claim of the method in one table, in the order of the project's acceptance list.

=============  ==========================================================================================
counselor      the strategy classifier beats its baselines, by dialogue
conditioning   a reply is likelier under its own strategy than under none or a wrong one
metrics        the strategy metrics give the published reference output
generation     dialogues are made, judged, written and read again without loss; the counselor lowers the bias
training       a killed run continues to the same bits; mask, packing, gradient, ends, ids of use
agent          the tuned agent against the untuned model on held-out dialogues
=============  ==========================================================================================

Each part can be run by its own name, ``reproduce sweetiechat-agent`` for example. ``--quick`` takes under three
minutes; without it the neural parts take hours on one core, keep what they have done under ``<home>/reproduce`` and
go on there.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from workbench.contract import UserError, load
from workbench.evidence import Claim, Reproduction
from workbench.settings import Settings

PARTS: Mapping[str, str] = {
    "counselor": "backends.sweetiechat.reproduce_counselor:counselor",
    "conditioning": "backends.sweetiechat.reproduce_conditioning:conditioning",
    "metrics": "backends.sweetiechat.reproduce_metrics:metrics",
    "generation": "backends.sweetiechat.reproduce_sweetiechat:generation",
    "training": "backends.sweetiechat.reproduce_training:training",
    "agent": "backends.sweetiechat.reproduce_agent:agent"}


def generation(settings: Settings, quick: bool = False) -> Reproduction:
    """The claims about generated dialogues."""
    began = time.monotonic()
    made = load("backends.sweetiechat.reproduce_generation:claims")(settings, quick, print)
    return Reproduction("generation", tuple(made), time.monotonic() - began)


def sweetiechat(settings: Settings, quick: bool = False, parts: Mapping[str, str] = PARTS) -> Reproduction:
    """All claims of all parts. A part that cannot be run here (a model that is missing, say) counts as a claim that
    does not hold, and the others go on."""
    began = time.monotonic()
    made: list[Claim] = []
    for name, dotted in parts.items():
        start = time.monotonic()
        try:
            found: Reproduction = load(dotted)(settings, quick)
        except UserError as error:
            made.append(Claim(f"{name}: could not be run: {error}", 0.0, 1.0, False))
            continue
        made += [Claim(f"{name}: {c.what}", c.value, c.target, c.holds, c.control, c.interval) for c in found.claims]
        print(f"{name}: {sum(c.holds for c in found.claims)} of {len(found.claims)} claims hold, "
              f"{time.monotonic() - start:.0f} s")
    return Reproduction("sweetiechat", tuple(made), time.monotonic() - began)
