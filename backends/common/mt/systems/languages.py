"""Languages by their two letters, and how models of translation write them.

A multilingual model marks languages by tokens of its own: ``deu_Latn`` (NLLB), ``de_DE`` (mBART), ``__de__`` (M2M),
``<2de>`` (MADLAD), ``>>deu<<`` (Marian with several targets). Which of them is meant is seen in its vocabulary.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from types import MappingProxyType

ROWS = """ar arb Arab AR Arabic;ca cat Latn XX Catalan;cs ces Latn CZ Czech;da dan Latn XX Danish;de deu Latn DE German
el ell Grek XX Greek;en eng Latn XX English;eo epo Latn XX Esperanto;es spa Latn XX Spanish;et est Latn EE Estonian
fa pes Arab IR Persian;fi fin Latn FI Finnish;fr fra Latn XX French;ha hau Latn XX Hausa;he heb Hebr IL Hebrew
hi hin Deva IN Hindi;hu hun Latn XX Hungarian;id ind Latn ID Indonesian;is isl Latn XX Icelandic;it ita Latn IT Italian
ja jpn Jpan XX Japanese;ko kor Hang KR Korean;lt lit Latn LT Lithuanian;lv lvs Latn LV Latvian;nl nld Latn XX Dutch
no nob Latn XX Norwegian;pl pol Latn PL Polish;pt por Latn XX Portuguese;ro ron Latn RO Romanian;ru rus Cyrl RU Russian
sv swe Latn SE Swedish;th tha Thai TH Thai;tr tur Latn TR Turkish;uk ukr Cyrl UA Ukrainian;vi vie Latn VN Vietnamese
zh zho Hans CN Chinese"""
"""Two letters, three letters, script, mBART's country, English name."""


@dataclass(frozen=True)
class Language:
    """One language. ``short`` and ``long`` are its codes of ISO 639-1 and -3."""

    short: str
    long: str
    script: str
    country: str
    name: str

    @property
    def tokens(self) -> tuple[str, ...]:
        """How models write it, the most telling first."""
        return (f"{self.long}_{self.script}", f"{self.short}_{self.country}", f"__{self.short}__", f"<2{self.short}>",
                f">>{self.long}<<", f">>{self.short}<<")


LANGUAGES: Mapping[str, Language] = MappingProxyType(
    {row.split()[0]: Language(*row.split()) for row in ROWS.replace("\n", ";").split(";")})


def language(code: str) -> Language:
    """The language of a code or an English name; one that is not known keeps its own code as its name."""
    plain = code.strip()
    small = plain.lower().replace("_", "-").partition("-")[0]
    for known in LANGUAGES.values():
        if small in (known.short, known.long) or plain.lower() == known.name.lower():
            return known
    return Language(plain, plain, "Latn", "XX", plain)


def token_of(code: str, vocabulary: Container[str]) -> str:
    """How a model with this vocabulary marks a language; empty where it has no such mark. A mark itself is taken."""
    return next((token for token in (code.strip(), *language(code).tokens)
                 if _is_mark(token) and token in vocabulary), "")


def _is_mark(token: str) -> bool:
    return "_" in token or token.startswith(("<2", ">>"))
