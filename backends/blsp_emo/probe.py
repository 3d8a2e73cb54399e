"""A linear probe on one layer of the frozen encoder: how an utterance sounds, in five numbers.

Features: mean and standard deviation over the valid states of a layer (2 x width). Standardised by the training
clips, then logistic regression with class weights. It is the baseline "encoder classifier" of the method, the quick
emotion of the page, and the answer to how much a layer knows before anything is trained.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backends.common.speech.audio import Limits, Wave, load
from backends.common.speech.folds import Fold
from backends.common.speech.manifests import Manifest
from workbench.contract import Json, UserError
from workbench.files import read_json, write_json

Array = np.ndarray[Any, Any]
STRENGTH = 0.02
"""Inverse strength of the penalty, scikit-learn's C (our default: there are more features than clips of a class)."""
UNCERTAIN = 0.45
"""Below this probability the page says "uncertain" (our default)."""
BATCH = 8


@dataclass(frozen=True, eq=False)
class Probe:
    """A trained probe: ``mean``/``scale`` (features,), ``weights`` (classes, features), ``bias`` (classes,)."""

    classes: tuple[str, ...]
    layer: int
    mean: Array
    scale: Array
    weights: Array
    bias: Array
    calibrated: bool = False

    def probabilities(self, features: Array, allowed: Sequence[str] = ()) -> Array:
        """(clips, classes) from features (clips, n). Classes that are not ``allowed`` get nothing."""
        if features.ndim != 2 or features.shape[1] != len(self.mean):
            raise UserError(f"The features have the shape {features.shape}; this probe takes (clips, "
                            f"{len(self.mean)}).",
                            advice="Use the encoder and the layer that it was trained on.")
        logits = (features - self.mean) / self.scale @ self.weights.T + self.bias
        if allowed:
            unknown = sorted(set(allowed) - set(self.classes))
            if unknown:
                raise UserError(f"The probe does not know {', '.join(unknown)}; it knows {', '.join(self.classes)}.")
            logits = np.where(np.isin(self.classes, allowed), logits, -np.inf)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))

    def tell(self, features: Array, allowed: Sequence[str] = ()) -> list[str]:
        """The most probable class of each clip."""
        return [self.classes[i] for i in self.probabilities(features, allowed).argmax(axis=1)]

    def save(self, folder: Path) -> None:
        """Write ``probe.json`` and ``probe.safetensors``."""
        from safetensors.numpy import save_file

        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: np.ascontiguousarray(getattr(self, name), np.float32) for name in _ARRAYS},
                  folder / "probe.safetensors")
        write_json(folder / "probe.json", {"classes": list(self.classes), "layer": self.layer,
                                           "calibrated": self.calibrated})


_ARRAYS = ("mean", "scale", "weights", "bias")


def open_probe(folder: Path) -> Probe:
    """Read what :meth:`Probe.save` wrote. ``UserError`` where it is not there or does not fit together."""
    from safetensors.numpy import load_file

    stated: Mapping[str, Json] = read_json(folder / "probe.json", {})
    try:
        arrays = load_file(folder / "probe.safetensors")
        probe = Probe(tuple(stated["classes"]), int(stated["layer"]), **{name: arrays[name] for name in _ARRAYS},
                      calibrated=bool(stated.get("calibrated", False)))
    except Exception as error:  # a damaged file fails in many ways, all of them the folder's
        raise UserError(f"{folder} holds no probe: {error}.", advice="Train it again.") from error
    if probe.weights.shape != (len(probe.classes), len(probe.mean)):
        raise UserError(f"The probe in {folder} has {probe.weights.shape} weights for {len(probe.classes)} classes.",
                        advice="Train it again.")
    return probe


def fit(features: Array, labels: Sequence[str], layer: int, classes: Sequence[str], *, strength: float = STRENGTH,
        calibrated: bool = False) -> Probe:
    """Train on features (clips, n). ``UserError`` where a class has no clip."""
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

    missing = [name for name in classes if name not in labels]
    if missing or len(labels) != len(features):
        raise UserError(f"There is no clip of {', '.join(missing)} to learn from." if missing else
                        f"{len(features)} clips and {len(labels)} labels; there must be as many.")
    mean, scale = features.mean(axis=0), features.std(axis=0)
    scale = np.where(scale > 1e-8, scale, 1.0)
    place = {name: number for number, name in enumerate(classes)}
    model = LogisticRegression(C=strength, class_weight="balanced", max_iter=2000)
    model.fit((features - mean) / scale, [place[label] for label in labels])
    if len(classes) == 2:
        weights, bias = np.vstack([-model.coef_[0], model.coef_[0]]) / 2, np.array([-1, 1]) * model.intercept_[0] / 2
    else:
        weights, bias = model.coef_, model.intercept_
    return Probe(tuple(classes), layer, mean, scale, weights, bias, calibrated)


def cross_validate(features: Array, labels: Sequence[str], folds: Sequence[Fold], layer: int,
                   classes: Sequence[str]) -> list[str]:
    """What is told about each clip by a probe that did not learn from its fold; ``""`` for a clip in no fold."""
    told = [""] * len(labels)
    for fold in folds:
        probe = fit(features[fold.train], [labels[i] for i in fold.train], layer, classes)
        for place, answer in zip(fold.test, probe.tell(features[fold.test]), strict=True):
            told[place] = answer
    return told


def calibrated(features: Array, references: Array) -> Array:
    """Features beside their distance from the speaker's own neutral clips: [x, x - mean(references)].

    ``references`` (clips, n) of one speaker; two are enough for what little there is to gain."""
    if references.ndim != 2 or not len(references) or references.shape[1] != features.shape[1]:
        raise UserError(f"The reference clips have the shape {references.shape}; (clips, {features.shape[1]}) is "
                        "needed.",
                        advice="Record at least one neutral sentence.")
    return np.concatenate([features, features - references.mean(axis=0)], axis=1)


def pool(states: Any, lengths: Any) -> Array:
    """Mean and standard deviation over the valid states (clips, T, width) -> (clips, 2 width)."""
    import torch

    inside = (torch.arange(states.shape[1], device=states.device)[None] < lengths[:, None]).unsqueeze(2)
    count = lengths[:, None].to(states.dtype)
    mean = (states * inside).sum(dim=1) / count
    spread = ((states - mean[:, None]).square() * inside).sum(dim=1) / count
    return np.asarray(torch.cat([mean, spread.clamp_min(0).sqrt()], dim=1).cpu().numpy())


def features_of(whisper: Any, waves: Sequence[Wave], said: Callable[[int, int], None] | None = None,
                padded: bool = False) -> Array:
    """(clips, layers + 1, 2 width): every layer pooled. Clips of about the same length go through together."""
    import torch

    out = np.zeros((len(waves), whisper.layers + 1, 2 * whisper.width), np.float32)
    order = sorted(range(len(waves)), key=lambda i: len(waves[i]))
    with torch.inference_mode():
        for begin in range(0, len(order), BATCH):
            chosen = order[begin:begin + BATCH]
            for layer, heard in enumerate(whisper.every_layer(whisper.mels([waves[i] for i in chosen], padded))):
                out[chosen, layer] = pool(heard.states, heard.lengths)
            if said:
                said(min(begin + BATCH, len(order)), len(order))
    return out


def kept_features(whisper: Any, manifest: Manifest, cache: Path, said: Callable[[int, int], None] | None = None
                  ) -> Array:
    """:func:`features_of` of a manifest's clips, kept in ``cache`` under a name made of the clips and the model."""
    place = cache / f"features-{_fingerprint(whisper, manifest)}.npy"
    if place.is_file():
        kept = np.load(place, allow_pickle=False)
        if kept.shape == (len(manifest.rows), whisper.layers + 1, 2 * whisper.width):
            return np.asarray(kept)
    found = features_of(whisper, [load(manifest.source(row), Limits(cut=True)).wave for row in manifest.rows], said)
    cache.mkdir(parents=True, exist_ok=True)
    half = place.with_suffix(".half.npy")
    np.save(half, found)
    half.replace(place)
    return found


def _fingerprint(whisper: Any, manifest: Manifest) -> str:
    digest = hashlib.sha256()
    for path in sorted(whisper.folder.glob("*.safetensors")):
        digest.update(f"{path.name} {path.stat().st_size} ".encode())
    state = whisper.encoder.layers[-1].fc2.weight.detach().float().cpu().numpy()
    digest.update(np.ascontiguousarray(state).tobytes())
    for row in manifest.rows:
        path = Path(manifest.source(row))
        digest.update(f"{row.audio} {path.stat().st_size if path.is_file() else 0}\n".encode())
    return digest.hexdigest()[:16]
