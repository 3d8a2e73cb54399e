"""Clips that a person brings: a manifest alone, or a manifest with its sounds; and what a manifest holds, before a run.

Sounds whose names say the emotion (RAVDESS, EMO-DB) may come without a manifest: one is written for them. Files that
come together are kept in one folder, named by a digest of all of them, so nobody can guess it.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from backends.common.speech import practice
from backends.common.speech.emotions import EMOTIONS, emodb_label, ravdess_label
from backends.common.speech.manifests import Manifest, Row, read_manifest, write_manifest
from panels.translation_files import as_reference, located, plain
from workbench.contract import UserError
from workbench.hub_local import UPLOADS
from workbench.panel import Shell
from workbench.text import say
from workbench.widgets import speech_set
from workbench.widgets.markup import duration, element, esc
from workbench.widgets.speech_clips import emotion

MANIFESTS = (".jsonl", ".json", ".txt")
MOST, LARGEST = 2000, 20_000_000
"""Files that are brought at once; bytes of a manifest that is read before the run (our defaults)."""
NAMED = "manifest.jsonl"


def bring_together(shell: Shell, paths: Sequence[Path]) -> str:
    """Keep files in a folder of their own; the reference of their manifest. Raises ``UserError`` for two manifests, an
    empty one, or sounds without a manifest whose names say nothing."""
    if not paths:
        raise UserError("No file was brought.")
    if len(paths) > MOST:
        raise UserError(f"{len(paths)} files were brought; {MOST} are the most.",
                        advice="Put them in a folder of this machine and name it instead.")
    lists = [path for path in paths if path.suffix.lower() in MANIFESTS]
    sounds = [path for path in paths if path not in lists]
    if len(lists) > 1:
        raise UserError(f"{lists[0].name} and {lists[1].name} are both manifests.", advice="Bring one at a time.")
    rows = [] if lists else [labelled(path.name) for path in sounds]
    if lists and not lists[0].stat().st_size:
        raise UserError(f"{lists[0].name} is empty.", advice="Choose another file.")
    digest = hashlib.sha256()
    for path in sorted(paths, key=lambda path: path.name):
        with path.open("rb") as file:
            digest.update(plain(path.name).encode() + hashlib.file_digest(file, "sha256").digest())
    folder = shell.service.settings.home.resolve() / UPLOADS / digest.hexdigest()
    name = plain(lists[0].name) if lists else NAMED
    if not (folder / name).is_file():
        _keep(folder, paths, rows)
    return f"path:{folder / name}"


def _keep(folder: Path, paths: Sequence[Path], rows: Sequence[Row]) -> None:
    """Make the folder whole under another name first."""
    part = folder.with_name(f".{secrets.token_hex(8)}.tmp")
    part.mkdir(parents=True)
    try:
        for path in paths:
            shutil.copyfile(path, part / plain(path.name))
        if rows:
            write_manifest(part / NAMED, rows)
        shutil.rmtree(folder, ignore_errors=True)
        part.replace(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def labelled(name: str) -> Row:
    """A row for a sound whose name says speaker and emotion. Raises ``UserError`` where it does not."""
    for corpus, read, lang in (("emodb", emodb_label, "de"), ("ravdess", ravdess_label, "en")):
        try:
            speaker, told = read(name)
        except UserError:
            continue
        return Row(plain(name), emotion=told, speaker=f"{corpus}_{speaker}", lang=lang)
    raise UserError(f"{name} came without a manifest, and its name does not say its emotion.",
                    advice='Bring a .jsonl with a line for each: {"audio": "a.wav", "emotion": "sad", "speaker": "1"}.')


def manifest_at(shell: Shell, visitor: str, manifest: str, root: str) -> Manifest:
    """A manifest that this visitor may read. Raises ``UserError`` where there is none or no row can be used."""
    if practice.is_practice(manifest):
        return read_manifest(practice.CLIPS, "ser")
    settings = shell.service.settings
    path, folder = (located(shell, visitor, as_reference(name)) if name.strip() else None for name in (manifest, root))
    if path is None or not path.is_file():
        raise UserError(f"There is no manifest {manifest.strip()} that can be read here.",
                        advice="Give a .jsonl file with one clip a line, or bring it.")
    if root.strip() and (folder is None or not folder.is_dir()):
        raise UserError(f"There is no folder {root.strip()} that can be read here.",
                        advice="Correct it, or leave it empty.")
    if path.stat().st_size > LARGEST:
        raise UserError(f"{path.name} is too large to be looked at here; it will be read when it is measured.")
    within = None if settings.loopback else (*settings.data_roots, settings.home / UPLOADS, practice.FOLDER)
    return read_manifest(path, "ser", folder, within=within)


def shown(shell: Shell, visitor: str, manifest: str, root: str, lang: str) -> str:
    """What a manifest holds: clips, speakers, emotions, and the rows that cannot be used; or why it cannot be read."""
    try:
        found = manifest_at(shell, visitor, manifest, root)
    except UserError as error:
        return element("div", element("p", esc(str(error)), class_="mt-wrong", role="alert"), class_="co mt")
    people = {row.speaker for row in found.rows}
    counts = Counter(row.emotion for row in found.rows)
    seconds = sum(row.seconds for row in found.rows)
    head = say(lang, "speech_set.holds", clips=f"{len(found.rows):,}", speakers=f"{len(people - {''}):,}",
               time=duration(seconds, lang)) if seconds else say(
        lang, "speech_set.holds.short", clips=f"{len(found.rows):,}", speakers=f"{len(people - {''}):,}")
    each = " · ".join(f"{emotion(name, lang)} {counts[name]:,}" for name in EMOTIONS if counts[name])
    told = element("p", f"<b>{esc(head)}</b>") + element("p", esc(each), class_="co-dim")
    if "" in people:
        told += element("p", esc(say(lang, "speech_set.nobody")), class_="mt-warn")
    if practice.is_practice(manifest):
        told += element("p", esc(say(lang, "speech_set.practice.help")), class_="co-dim")
    rows = [{"line": fault.line, "why": fault.why} for fault in found.faults]
    return element("div", told + speech_set.faults(rows, len(rows), lang), class_="co mt ss-intake")
