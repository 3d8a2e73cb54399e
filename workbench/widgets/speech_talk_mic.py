"""The microphone of the Talk view: a button to press or to hold, a level, and how a turn ends.

The page keeps this element as it is; ``speech_talk.js`` brings it to life. Its events are ``input`` (what is new of a
take that goes on: ``{"take", "rate", "pcm", "pause"}``) and ``select`` (``{"act": "take", "rate", "pcm", "ms",
"purpose"}`` at its end) and ``stop`` (somebody begins to speak into a reply); ``pcm`` is base64 of 16-bit samples. The
page's answers go back through :data:`HEARD`, :data:`TAKEN` and :data:`REFUSED`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from workbench.theme import FOLDER
from workbench.widgets.markup import element

SCRIPT = "speech_talk.js"
WORDS = ("speak", "stop", "asking", "listening", "recording", "speaking", "sending", "sent", "not_sent", "nothing",
         "short", "longest", "dropped", "insecure", "refused", "missing", "failed")
"""What the script says."""
SHORTEST_PAUSE, LONGEST_PAUSE, PAUSE = 0.3, 3.0, 0.8
HEARD = "(text) => { if (window.tk) window.tk.heard(text); }"
TAKEN = "() => { if (window.tk) window.tk.taken(true); }"
REFUSED = "() => { if (window.tk) window.tk.taken(false); }"
"""``js`` of what follows the page's answers."""


@lru_cache(maxsize=1)
def script() -> str:
    """The script as text."""
    return (FOLDER / SCRIPT).read_text(encoding="utf-8")


def on_load() -> str:
    """``js_on_load`` of the ``gr.HTML`` with the microphone."""
    return f"{script()}\ntk.mic(element, trigger);"


def presses() -> str:
    """``js_on_load`` of panes with turns: presses (``{"act", "turn", "key"}``) and sounds."""
    return f"{script()}\ntk.presses(element, trigger);"


def microphone(label: Callable[[str], str]) -> str:
    """The element. ``label`` gives the text, or the mark, of a key; marks must stand between tags here, where the
    page's texts need no further escaping."""
    def say(name: str) -> str:
        return label(f"speech_talk.mic.{name}")
    talk = element("button", f'<i></i><span data-tk="name">{say("speak")}</span>', type="button", class_="tk-talk",
                   data_tk="talk", aria_pressed="false")
    level = ('<span class="tk-level" aria-hidden="true"><i data-tk="level"></i></span>'
             '<span class="tk-clock" data-tk="clock"></span>')
    drop = element("button", say("discard"), type="button", class_="wb-link", data_tk="discard", hidden=True)
    told = element("p", say("hint"), data_tk="told", role="status", class_="tk-told")
    pause = element("input", "", type="range", min=SHORTEST_PAUSE, max=LONGEST_PAUSE, step=0.1, value=PAUSE,
                    data_tk="pause")
    how = "".join((
        f'<label><input type="checkbox" data-tk="auto" checked> <span>{say("auto")}</span></label>',
        f'<label><span>{say("pause")}</span> {pause} <output data-tk="pause-told">{PAUSE:.1f} s</output></label>',
        f'<label><input type="checkbox" data-tk="keep"> <span>{say("keep")}</span></label>',
        f'<label><span>{say("purpose")}</span> <select data-tk="purpose"><option value="turn">{say("purpose.turn")}'
        f'</option><option value="neutral">{say("purpose.neutral")}</option></select></label>'))
    words = "".join(element("span", say(name), hidden=True, data_tk_word=name) for name in WORDS)
    return element("div", element("div", talk + level + drop, class_="tk-mic-row") + told
                   + element("div", how, class_="tk-how") + words, class_="tk-mic", data_tk="root", data_state="idle")
