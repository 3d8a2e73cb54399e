"""Which translators there are before anybody names one: those that come with the project. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.contract import Json
from workbench.files import read_json

ASSETS = Path(__file__).resolve().parents[2] / "assets"
PRACTICE, BUNDLED = "practice", "bundled:sm2-tatoeba-en"
NEEDED = ("config.json", "model.safetensors")


@dataclass(frozen=True)
class Facts:
    """What the folder of a translator says of itself. ``ready``: its confidence was trained, so thresholds work."""

    title: str
    objective: str
    alpha: float
    training: Mapping[str, Json]

    @property
    def ready(self) -> bool:
        """Whether the policy ``sm2`` can be used."""
        return self.objective == "sm2"

    @property
    def floor(self) -> float:
        """The lowest confidence, alpha / (1 + alpha)."""
        return self.alpha / (1 + self.alpha)


def folder_of(reference: str) -> Path | None:
    """The folder of a model that comes with the project; nothing for another reference, or where it is missing."""
    folder = (ASSETS / "sm2" / "order-language" if reference == PRACTICE
              else ASSETS / "models" / reference.removeprefix("bundled:") if reference.startswith("bundled:sm2-")
              else None)
    return folder if folder and all((folder / name).is_file() for name in NEEDED) else None


def default_model() -> str:
    """The bundled translator where it is there, else the practice model of the order language."""
    return BUNDLED if folder_of(BUNDLED) else PRACTICE


def bundled() -> Sequence[str]:
    """References of the translators that come with the project, the default one first."""
    names = [f"bundled:{path.name}" for path in sorted((ASSETS / "models").glob("sm2-*"))]
    found = [reference for reference in (*names, PRACTICE) if folder_of(reference)]
    return sorted(found, key=lambda reference: reference != default_model())


def facts(folder: Path) -> Facts | None:
    """What is known of a translator from its files; nothing for a folder that holds none of ours."""
    config = read_json(folder / "config.json", {})
    if not isinstance(config, Mapping) or config.get("model_type") != "sm2":
        return None
    training = config.get("training")
    training = training if isinstance(training, Mapping) else {}
    request = training.get("request")
    alpha = request.get("alpha") if isinstance(request, Mapping) else None
    return Facts(str(config.get("title") or folder.name), str(config.get("objective") or ""),
                 float(alpha) if isinstance(alpha, int | float) and alpha > 0 else 0.1, training)
