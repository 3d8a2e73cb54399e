"""Request and result of the data-set mode: a manifest of clips, a recogniser, and how well it hears them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Literal

from backends.blsp_emo.requests import DATA, EXPERT, MODEL, WHISPER, Encoder
from backends.common.speech.emotions import EMOTIONS
from backends.common.speech.practice import PRACTICE
from workbench.contract import Json, Knob, UserError
from workbench.fields import validate

MEASURE = "Measure"
PROBE = "probe"
Calibration = Literal["none", "minus", "both", "all"]
Folds = Literal["speaker", "file", "leaky"]
HUMAN: Mapping[str, float] = MappingProxyType({"voice": 0.416, "both": 0.722})
"""How often the majority of listeners heard the emotion that the actors of CREMA-D meant: six emotions, 7,442 clips,
voice alone and voice with face. ``reproduce ser`` recomputes the first from the votes."""
OPTIMISTIC = ("all",)
"""Calibrations that know more of the tested speaker than anybody would in use."""


@dataclass(frozen=True)
class RecogniseRequest:
    """Let a recogniser tell the emotion of every clip of a manifest, and measure it against the labels.

    ``probe``: one linear layer on a frozen encoder, learned here, on the other folds or on a manifest of its own. Any
    other name is a model that has learned already: one of stage 1 or 2 (its emotion head), or a saved probe."""

    manifest: Annotated[str, Knob("Manifest with one clip a line: audio, emotion, speaker (path: or run:; practice: "
                                  "the clips that come with the project)", None, 500, group=DATA)] = PRACTICE
    root: Annotated[str, Knob("Folder that relative audio paths begin at (path:; empty: the manifest's own)", None, 500,
                              group=DATA)] = ""
    recogniser: Annotated[str, Knob("probe: learned here; else a speech model or a saved probe (path:, run:, bundled:)",
                                    1, 500, group=MODEL, widget="model")] = PROBE
    learn_from: Annotated[str, Knob("Learn from this manifest instead, and test on all of the other (another corpus: "
                                    "zero-shot)", None, 500, group=MODEL, shown_if=("recogniser", (PROBE,)))] = ""
    learn_root: Annotated[str, Knob("Folder that relative audio paths of that manifest begin at", None, 500,
                                    group=MODEL, shown_if=("recogniser", (PROBE,)))] = ""
    encoder: Encoder = WHISPER
    layer: Annotated[int, Knob("Encoder layer that the probe reads (0: what enters the first; -1: the last)", -1, 64, 1,
                               group=MODEL, shown_if=("recogniser", (PROBE,)))] = 2
    folds: Annotated[Folds, Knob("speaker: nobody on both sides; file: the field fold or a list; leaky: at random, "
                                 "which flatters", group=MEASURE, shown_if=("recogniser", (PROBE,)))] = "speaker"
    parts: Annotated[int, Knob("Folds, at most one for each speaker", 2, 1000, 1, group=MEASURE,
                               shown_if=("recogniser", (PROBE,)))] = 6
    fold_list: Annotated[str, Knob('List of test speakers by fold, {"1": ["01", "11"]} (path:; empty: the field fold)',
                                   None, 500, group=MEASURE, shown_if=("folds", ("file",)))] = ""
    calibration: Annotated[Calibration, Knob(
        "none; minus: less the mean of a few neutral clips of the speaker; both: that beside the features; all: every "
        "clip of the speaker (optimistic)", group=MEASURE)] = "none"
    neutral_clips: Annotated[int, Knob("Neutral clips of each speaker for the calibration; they are not scored", 1, 100,
                                       1, group=MEASURE, shown_if=("calibration", ("minus", "both")))] = 2
    emotions: Annotated[tuple[str, ...], Knob("Emotions among which is told; clips of others are left out", 2, 5,
                                              group=DATA)] = EMOTIONS
    uncertain: Annotated[float, Knob("Below this probability an answer is marked uncertain", 0, 1, 0.05,
                                     group=MEASURE)] = 0.4
    limit: Annotated[int, Knob("Clips at most, the first of the manifest (0: all)", 0, 1_000_000, 100, group=DATA)] = 0
    save: Annotated[bool, Knob("Keep a probe that learned from all clips, as a recogniser for others", group=MODEL,
                               shown_if=("recogniser", (PROBE,)))] = True
    padded: Annotated[bool, Knob("Pad every clip to 30 seconds, as Whisper was trained (slow)", group=EXPERT)] = False
    features: Annotated[str, Knob("Earlier run of the same clips whose features are taken again (run:; empty: none)",
                                  None, 200, group=EXPERT)] = ""
    draws: Annotated[int, Knob("Draws of speakers for the intervals (0: no intervals)", 0, 100_000, 100,
                               group=EXPERT)] = 1000
    seed: Annotated[int, Knob("Chooses random folds and draws", 0, 2**31 - 1, 1, group=EXPERT)] = 0

    def __post_init__(self) -> None:
        validate(self)
        unknown = [name for name in self.emotions if name not in EMOTIONS]
        if unknown or len(set(self.emotions)) != len(self.emotions):
            raise UserError(f"emotions has {unknown[0]!r}." if unknown else "emotions names one of them twice.",
                            advice=f"Choose at least two of {', '.join(EMOTIONS)}.")
        if self.recogniser != PROBE and self.learn_from:
            raise UserError("learn_from is given, but the recogniser has learned already.",
                            advice="Leave learn_from empty, or let the recogniser be probe.")
        if self.learn_root and not self.learn_from:
            raise UserError("learn_root is given without learn_from.", advice="Name the manifest that it belongs to.")

    @property
    def classes(self) -> tuple[str, ...]:
        """The chosen emotions in the published order."""
        return tuple(name for name in EMOTIONS if name in self.emotions)


@dataclass(frozen=True)
class OfSpeaker:
    """One person's clips and how well they were told."""

    speaker: str
    clips: int
    wa: float
    ua: float


@dataclass(frozen=True)
class RecogniseResult:
    """Shares in [0, 1]. ``wa``: of clips told right; ``ua``: mean recall of the classes that occur; intervals: 95 %,
    speakers drawn. ``confusion[i][j]``: clips of class i told as class j, the last column told as none of them.
    ``certain``: share of answers at or above ``uncertain``, ``certain_wa`` how many of those are right.

    ``told_by``: probe, saved probe or head. ``learned_on``: clips that the answers rest on (0: unknown). ``apart_ua``:
    the same with speakers kept apart, where ``folds`` is leaky (else -1). ``chance``: UA of guessing. ``faults``: rows
    left out and why; ``outside``: clips of other emotions; ``references``: calibration clips, not scored;
    ``warnings``: code, values and text of what to know before believing the score; ``provenance``: ``synthetic`` where
    only made voices were scored (:mod:`backends.common.speech.origin`), else ``real data``."""

    path: str
    told_by: str
    classes: tuple[str, ...]
    clips: int
    speakers: int
    folds: int
    learned_on: int
    wa: float
    ua: float
    wa_interval: tuple[float, ...]
    ua_interval: tuple[float, ...]
    recall: tuple[float | None, ...]
    confusion: tuple[tuple[int, ...], ...]
    by_speaker: tuple[OfSpeaker, ...]
    certain: float
    certain_wa: float
    chance: float
    human: float
    apart_ua: float
    outside: int
    references: int
    faults: tuple[dict[str, Json], ...]
    fault_count: int
    warnings: tuple[dict[str, Json], ...]
    encode_seconds: float
    provenance: str = "real data"
