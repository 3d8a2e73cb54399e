"""The top of the page: product name, and the status strip that says what this machine is doing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from workbench.contract import Json
from workbench.text import say
from workbench.widgets.markup import duration, element, esc, size

MB = 2**20


def strip(status: Mapping[str, Json], lang: str) -> str:
    """The strip as HTML: jobs, models with memory and an unload button, memory, device, network.

    ``status`` is what ``Service.status`` returns; a key that is missing leaves its part out.
    """
    parts = [_jobs(status, lang), _models(status.get("models") or (), lang), _memory(status, lang),
             _device(status, lang)]
    if status.get("offline"):
        parts.append(_cell(say(lang, "strip.network"), esc(say(lang, "strip.offline")), "wb-warn"))
    notices = "".join(element("p", esc(note), class_="wb-notice", role="status")
                      for note in status.get("notices") or ())
    return element("div", "".join(parts), class_="wb-cells") + notices


def brand(name: str) -> str:
    """The left end of the top bar; ``name`` may be a mark."""
    return (f'<a class="wb-brand" href="./"><img src="/workbench/static/mark.svg" alt="" width="18" height="18">'
            f"<span>{name}</span></a>")


def switches(words: Mapping[str, str]) -> str:
    """The language and light/dark switches; ``page.js`` works them. ``words`` are marks or texts by name."""
    def group(name: str, choices: Sequence[tuple[str, str, str]]) -> str:
        buttons = "".join(
            f'<button type="button" {name}="{value}" title="{title}" aria-label="{title}">{label}</button>'
            for value, label, title in choices)
        return f'<span class="wb-switch" role="group" aria-label="{words[name]}">{buttons}</span>'
    return group("data-wb-lang", (("en", "EN", "English"), ("zh-CN", "中文", "简体中文"))) + group(
        "data-wb-theme", (("light", "☀", words["light"]), ("dark", "☾", words["dark"]), ("", "◐", words["auto"])))


def _cell(term: str, value: str, tone: str = "") -> str:
    return f'<span class="wb-cell {tone}"><span class="wb-term">{esc(term)}</span> {value}</span>'


def _jobs(status: Mapping[str, Json], lang: str) -> str:
    counts = [(name, int(status.get(name) or 0)) for name in ("running", "queued", "paused")]
    said = [say(lang, f"strip.{name}", n=count) for name, count in counts if count]
    busy = "wb-live" if counts[0][1] else ""
    return _cell(say(lang, "strip.jobs"), esc(" · ".join(said) or say(lang, "strip.idle")), busy)


def _models(models: Sequence[Mapping[str, Json]], lang: str) -> str:
    if not models:
        return _cell(say(lang, "strip.models"), esc(say(lang, "strip.none")))
    total = sum(float(model.get("rss_mb") or 0) for model in models) * MB
    rows = "".join(_model(model, lang) for model in models)
    button = element("button", esc(f"{len(models)} · {size(total)} ▾"), type="button", class_="wb-link",
                     popovertarget="wb-models", aria_label=say(lang, "strip.models.open"))
    menu = element("div", element("ul", rows), id="wb-models", popover=True, class_="wb-menu")
    return _cell(say(lang, "strip.models"), button + menu)


def _model(model: Mapping[str, Json], lang: str) -> str:
    reference = str(model.get("reference", ""))
    doing = say(lang, "strip.busy") if model.get("busy") else say(
        lang, "strip.idle_for", t=duration(float(model.get("idle_s") or 0) // 10 * 10, lang))
    button = element("button", esc(say(lang, "strip.unload")), type="button", class_="wb-small",
                     data_wb_unload=reference, disabled=bool(model.get("busy")))
    memory = size(float(model.get("rss_mb") or 0) * MB)
    return element("li", f"<b>{esc(reference)}</b><span class='wb-dim'>{esc(memory)} · {esc(doing)}</span>{button}")


def _memory(status: Mapping[str, Json], lang: str) -> str:
    used, total = float(status.get("memory_mb") or 0), float(status.get("memory_total_mb") or 0)
    if not total:
        return ""
    # two digits are enough, and a steady text is not sent again and again
    return _cell(say(lang, "strip.memory"), esc(f"{used / 1024:.1f} / {total / 1024:.0f} GB"),
                 "wb-warn" if used > 0.9 * total else "")


def _device(status: Mapping[str, Json], lang: str) -> str:
    if not status.get("device"):
        return ""
    threads = int(status.get("threads") or 0)
    value = str(status["device"]) + (f" · {say(lang, 'strip.threads', n=threads)}" if threads else "")
    return _cell(say(lang, "strip.device"), esc(value))
