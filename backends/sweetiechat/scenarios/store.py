"""The files of a scenario run: what is finished is in the artifacts, where it stands in one checkpoint.

=================  ===============================================================================================
pool.json          the types as a tree, how the pool grew and why it stopped (``pool.pool_to_json``)
scenarios.jsonl    one ``Scenario`` a line
cards.jsonl        one ``SeekerCard`` a line, by ``scenario_id``
rejected.jsonl     {what: type | scenario | card, round or number, reasons, verdicts, and what the model wrote}
progress.json      counts for the page
=================  ===============================================================================================

Lines are appended before the checkpoint moves on; on resume, lines of what the checkpoint has not seen are taken out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from backends.sweetiechat.scenarios.evolve import Growth
from backends.sweetiechat.scenarios.pool import pool_from_json, pool_to_json
from workbench.contract import Context, Json
from workbench.fields import to_json
from workbench.files import append_line, dumps, read_json, read_lines, write_json, write_text

KINDS = {"scenarios.jsonl": "scenarios", "cards.jsonl": "cards", "rejected.jsonl": "rejected"}


@dataclass(frozen=True)
class Place:
    """Where a run stands: the pool, the number of the next cell, and how many texts were asked for."""

    growth: Growth
    cell: int = 0
    scenario_attempts: int = 0
    card_attempts: int = 0


class Store:
    """Reads and writes the files of one run."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.folder = context.run / "artifacts"
        self._checkpoint = context.run / "checkpoints" / "scenarios.json"
        self.folder.mkdir(exist_ok=True)
        self._checkpoint.parent.mkdir(exist_ok=True)

    def load(self, start: Growth) -> Place:
        """Where an earlier part of the run stopped, or the start; the artifacts are brought to that place."""
        value = read_json(self._checkpoint, None)
        place = Place(start)
        if isinstance(value, dict) and "pool" in value:
            growth = Growth(pool_from_json(value["pool"]), value["rounds"], value["dry"], value["rejected"],
                            tuple(value["sizes"]))
            place = Place(growth, value["cell"], value["scenario_attempts"], value["card_attempts"])
        for name, kind in KINDS.items():
            kept = [line for line in read_lines(self.folder / name) if _seen(line, place)]
            write_text(self.folder / name, "".join(f"{dumps(line)}\n" for line in kept))
            self._context.artifact(name, self.folder / name, kind)
        return place

    def save(self, place: Place, stop: str) -> None:
        """Write ``pool.json`` and move the checkpoint on."""
        growth = place.growth
        pool = pool_to_json(growth.pool, growth.sizes, stop)
        write_json(self.folder / "pool.json", pool)
        self._context.artifact("pool.json", self.folder / "pool.json", "pool")
        write_json(self._checkpoint, {
            "pool": pool, "rounds": growth.rounds, "dry": growth.dry, "rejected": growth.rejected,
            "sizes": list(growth.sizes), "cell": place.cell, "scenario_attempts": place.scenario_attempts,
            "card_attempts": place.card_attempts})

    def add(self, name: str, values: Iterable[Json]) -> None:
        """Append lines to one of the artifacts."""
        for value in values:
            append_line(self.folder / name, to_json(value))

    def progress(self, value: Mapping[str, Json]) -> None:
        """Rewrite the counts for the page."""
        write_json(self.folder / "progress.json", dict(value), durable=False)
        self._context.artifact("progress.json", self.folder / "progress.json", "progress")

    def rejected(self) -> list[Json]:
        """Every line of the log of rejections."""
        return read_lines(self.folder / "rejected.jsonl")

    def counts(self) -> tuple[int, int]:
        """How many scenarios and cards there are."""
        return len(read_lines(self.folder / "scenarios.jsonl")), len(read_lines(self.folder / "cards.jsonl"))


def _seen(line: Mapping[str, Json], place: Place) -> bool:
    """Whether the checkpoint has seen what a line tells."""
    if line.get("what") == "type":
        return int(line["round"]) < place.growth.rounds
    number = line["number"] if "number" in line else number_of(str(line.get("scenario_id") or line.get("id")))
    return int(number) < place.cell


def number_of(scenario_id: str) -> int:
    """The number of the cell in the id of its scenario."""
    return int(scenario_id.split("-")[1])
