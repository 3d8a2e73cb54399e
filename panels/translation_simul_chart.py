"""The curve under the player: a model's quality against latency, with a ring where the player's threshold stands.

The chart is that of :mod:`panels.translation_chart`. The ring lies on the straight lines between SM2's
measured thresholds (the script of :mod:`workbench.widgets.sm2_player` moves it), which is said beside it.
"""

from __future__ import annotations

import json

from backends.sm2.requests import CurveResult
from panels import translation_chart
from panels.translation_chart import Say
from workbench.widgets.markup import element, esc

RING = '<g class="sp-ring" hidden="hidden"><circle r="8"></circle><title></title></g>'


def chart(result: CurveResult, name: str, say: Say) -> str:
    """The chart with its ring and a line on the test set; a sentence alone when nothing can be drawn."""
    drawn = translation_chart.chart({name: result}, say, RING)
    if not drawn:
        return element("p", esc(say("translation_simul.curve.nothing")), class_="wb-dim")
    facts = element("p", esc(say("translation_simul.curve.facts", n=result.sentences, signature=result.signature)))
    said = element("p", "", class_="sp-said")
    return element("div", drawn + said + facts, class_="sp-curve", data_points=json.dumps(places(result)),
                   data_words=say("translation_simul.curve.now"))


def places(result: CurveResult) -> list[list[float]]:
    """Threshold, x and y of every SM2 point that has a latency, lowest threshold first."""
    shown = [point for point in result.points if point.words.get("AL") is not None]
    across, up = translation_chart.scales(shown)
    return [[point.setting, round(across.at(translation_chart.lag(point)), 1), round(up.at(point.bleu), 1)]
            for point in sorted(shown, key=lambda point: point.setting) if point.kind == "sm2"]
