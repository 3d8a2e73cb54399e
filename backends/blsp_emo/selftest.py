"""The task ``blsp_emo.selftest.v1``: does the sound matter to a speech model at all?

Elsewhere an argument was dropped without a word and every clip got the same answer (lmms-eval, pull request 1081).
Here another clip, silence of the same length, and no vectors at all must each change what the model makes of a clip.
"""

from __future__ import annotations

from backends.blsp_emo.requests import TAUGHT
from backends.blsp_emo.talking_lines import LAST_CLIP, base_of, sound_of
from backends.blsp_emo.talking_requests import SelftestRequest, SelftestResult
from backends.common.serving import result_of
from workbench.contract import Context, Model


def run(request: SelftestRequest, context: Context) -> SelftestResult:
    """Ask the model's process. Raises ``UserError`` or ``MissingResource`` for a model or a sound that will not do."""
    reference = request.model or TAUGHT
    context.report(0, 0, "opening the model")
    base_of(context.resource(reference))
    line: Model = context.model(reference)
    try:
        first, second = (str(sound_of(one, context)) for one in (request.first, request.second or LAST_CLIP))
        told = result_of(line.ask("selftest", {"first": {"audio": first}, "second": {"audio": second}}),
                         lambda event: context.report(0, 0, "testing"))
    finally:
        line.close()
    return SelftestResult(told["passed"], tuple(told["checks"]))
