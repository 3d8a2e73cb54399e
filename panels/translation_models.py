"""The translators that a visitor may choose: bundled ones, and those that runs of theirs have trained."""

from __future__ import annotations

from dataclasses import dataclass

from backends.sm2.models import PRACTICE, Facts, bundled, facts, folder_of
from panels.run_list import when
from panels.translation_desk import MOST, TRAIN
from panels.translation_files import located
from workbench.panel import Shell
from workbench.text import gloss


@dataclass(frozen=True)
class Translator:
    """A model to choose: its reference, words to pick it by, and what its files say of it."""

    reference: str
    title: str
    facts: Facts

    @property
    def choice(self) -> tuple[str, str]:
        """As a choice of a list: words, then the value."""
        return self.title, self.reference


def translators(shell: Shell, visitor: str, lang: str) -> list[Translator]:
    """Bundled translators, the default one first, then what this visitor's runs have trained, newest first."""
    found = []
    for reference in bundled():
        folder = folder_of(reference)
        told = facts(folder) if folder else None
        if told:
            key = "practice" if reference == PRACTICE else "bundled"
            found.append(Translator(reference, shell.t(lang, f"translation.model.{key}", title=told.title), told))
    for run in shell.service.runs(visitor, task=TRAIN, status="succeeded", limit=MOST)[0]:
        told = facts(run.path / "artifacts" / "model")
        if told:
            words = shell.t(lang, "translation.model.trained", title=told.title, kind=gloss(lang, told.objective),
                            when=when(run))
            found.append(Translator(f"run:{run.id}/model", words, told))
    return found


def facts_of(shell: Shell, visitor: str, reference: str) -> Facts | None:
    """What a translator's files say of it; nothing for one that is not here, that is of another kind (a Marian folder
    has no trained confidence), or that this visitor may not read."""
    if reference == PRACTICE:
        folder = folder_of(PRACTICE)
        return facts(folder) if folder else None
    place = located(shell, visitor, reference)
    return facts(place) if place else None
