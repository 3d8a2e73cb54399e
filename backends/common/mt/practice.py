"""A dozen sentences with three invented systems, so that the comparison can be tried without a file (our own text)."""

from __future__ import annotations

from backends.common.mt.uploads import Comparison

_ROWS = (
    ("Der Zug fährt um acht Uhr ab.", "The train leaves at eight o'clock.", "The train leaves at eight o'clock.",
     "The train departs at eight.", "The train goes at eight clock off."),
    ("Sie hat das Fenster geöffnet.", "She opened the window.", "She has opened the window.", "She opened the window.",
     "She has the window opened."),
    ("Wir haben gestern lange geredet.", "We talked for a long time yesterday.", "We talked a long time yesterday.",
     "Yesterday we talked for a long time.", "We have yesterday long talked."),
    ("Das Brot ist noch warm.", "The bread is still warm.", "The bread is still warm.", "The bread is still warm.",
     "The bread is yet warm."),
    ("Ich weiß nicht, wo der Schlüssel liegt.", "I do not know where the key is.", "I don't know where the key is.",
     "I do not know where the key is.", "I know not where the key lies."),
    ("Der Hund schläft unter dem Tisch.", "The dog is sleeping under the table.", "The dog sleeps under the table.",
     "The dog is asleep under the table.", "The dog sleeps under the table."),
    ("Morgen soll es regnen.", "It is supposed to rain tomorrow.", "It should rain tomorrow.",
     "Rain is expected tomorrow.", "Tomorrow should it rain."),
    ("Kannst du mir bitte helfen?", "Can you help me, please?", "Can you please help me?", "Can you help me, please?",
     "Can you me please help?"),
    ("Das Kind malt ein rotes Haus.", "The child is painting a red house.", "The child paints a red house.",
     "The child is painting a red house.", "The child paints a red house."),
    ("Nach dem Essen gingen wir spazieren.", "After the meal we went for a walk.", "After dinner we went for a walk.",
     "We went for a walk after the meal.", "After the eating went we walk."),
    ("Der Laden schließt in zehn Minuten.", "The shop closes in ten minutes.", "The store closes in ten minutes.",
     "The shop closes in ten minutes.", "The shop closes in ten minutes."),
    ("Er liest jeden Abend ein Buch.", "He reads a book every evening.", "He reads a book every evening.",
     "Every evening he reads a book.", "He reads every evening a book."),
)


def practice() -> Comparison:
    """The sample: German source, one English reference, the systems ``plain``, ``free`` and ``word for word``."""
    source, reference, plain, free, literal = zip(*_ROWS, strict=True)
    domains = ["home" if i % 2 else "street" for i in range(len(source))]
    return Comparison({"plain": plain, "free": free, "word for word": literal}, {"reference": reference}, source,
                      tuple(domains))
