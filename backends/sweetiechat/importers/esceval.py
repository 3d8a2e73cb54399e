"""ESC-Eval's role cards (Zhao et al. 2024): age, gender, occupation and problem in four lines of ``base``.

A card becomes a ``SeekerCard`` and the scenario that it tells. The layout has no feeling, intensity, talk style or
openness: those get the middle of their scale, and "not mentioned" becomes an empty field.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from backends.sweetiechat.importers.building import MIDDLE, cleaned
from backends.sweetiechat.importers.draft import Format, RoleCard, shown, text_in, text_of
from backends.sweetiechat.importers.topics import UNKNOWN
from backends.sweetiechat.objects import Language, Scenario, SeekerCard
from workbench.contract import Json, UserError

FIELDS: Mapping[str, str] = {"age": "age", "年龄": "age", "gender": "gender", "性别": "gender", "problem": "problem",
                             "occupation": "occupation", "职业": "occupation", "问题": "problem"}
LONGEST: Mapping[str, int] = {"age": 60, "gender": 60, "occupation": 200, "problem": 4000}
"""Characters that our fields hold; the few longer ones are cut."""
CATEGORY: Mapping[str, str] = {"家庭生活": "relationships_family", "工作学习": "work_study_money",
                               "社会与其他": "society_identity"}
LANGUAGES: Mapping[str, Language] = {"english": "en", "chinese": "zh", "en": "en", "zh": "zh"}
_UNSAID = re.compile(r"(?:not (?:mentioned|specified|provided|applicable)|unknown|n/?a|none|未提及|未知|无)[.。]?",
                     re.IGNORECASE)
_LINE = re.compile(r"\s*([^:：]{1,20})[:：]\s*(.*)", re.DOTALL)


def read(entry: Json) -> RoleCard:
    """One card. Raises ``UserError`` when it tells no problem or is in another language."""
    told = _told(text_in(entry, "base", "the card"))
    language = LANGUAGES.get(text_of(entry, "language").strip().casefold())
    if language is None:
        raise UserError(f"language is {shown(entry.get('language'))}; it must be english or chinese")
    if not told.get("problem"):
        raise UserError("the card has no line that tells the problem")
    name = f"esceval-{language}-{text_of(entry, 'id').strip() or 'x'}"
    category = CATEGORY.get(text_of(entry, "res").strip(), "unknown")
    scenario = Scenario(name, category, UNKNOWN[language], MIDDLE, told["problem"], language=language)
    return RoleCard(SeekerCard(f"{name}-1", name, told.get("age", ""), told.get("gender", ""),
                               told.get("occupation", "")), scenario)


def _told(base: str) -> dict[str, str]:
    """The four fields; a line without a name of a field goes on with the one before."""
    found: dict[str, str] = {}
    last = ""
    for line in base.split("\n"):
        match = _LINE.fullmatch(line)
        field = FIELDS.get(match[1].strip().casefold()) if match else None
        if match and field:
            last, found[field] = field, match[2].strip()
        elif last:
            found[last] = f"{found[last]} {line.strip()}".strip()
    return {name: "" if _UNSAID.fullmatch(text) else _cut(cleaned(text), LONGEST[name]) for name, text in found.items()}


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[:longest - 1].rstrip() + "…"


def _looks(entry: Json) -> bool:
    return isinstance(entry, Mapping) and isinstance(entry.get("base"), str) and "language" in entry


FORM = Format("esceval", "ESC-Eval role cards", _looks, read, made_by="people")
