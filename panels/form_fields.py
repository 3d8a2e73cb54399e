"""A form that is laid out once: its fields by name, the parts that are no fields, and what its button is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gradio.components import Component


@dataclass(frozen=True)
class Form:
    """A form while it is laid out and after: ``fields`` by the names of the request, ``parts`` (doors for files,
    buttons, panes, notes) by names of the view. ``names`` is the order of the fields, ``notes`` are parts that are
    given along with them."""

    names: tuple[str, ...]
    notes: tuple[str, ...] = ()
    fields: dict[str, Component] = field(default_factory=dict)
    parts: dict[str, Any] = field(default_factory=dict)

    @property
    def inputs(self) -> list[Component]:
        """The notes, then the fields in the order of ``names``."""
        return [*(self.parts[name] for name in self.notes), *(self.fields[name] for name in self.names)]
