"""Scenarios and seeker cards: asked for in one structured reply each, repaired once, checked, and drawn again.

Lines: the repair goes on from the good fields. JSON: it names what was wrong. A text that still breaks a rule is logged
with all verdicts and drawn again with another seed, ``redraws`` times at most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backends.common.language import Completion
from backends.sweetiechat.library import Library
from backends.sweetiechat.objects import Scenario, SeekerCard
from backends.sweetiechat.quality.verdict import Verdict
from backends.sweetiechat.scenarios.fit import Question, fits
from backends.sweetiechat.scenarios.plan import Cell, Persona
from backends.sweetiechat.scenarios.replies import fields_from_json, fields_from_lines
from backends.sweetiechat.scenarios.text_rules import SENTENCES, check_card, check_scenario
from backends.sweetiechat.scenarios.verdicts import passed, sentences
from backends.sweetiechat.scenarios.wording import text_prompt
from backends.sweetiechat.scenarios.writer import Writer
from workbench.contract import Json

EXAMPLES = 2
OTHERS = 3
MORE = "situation_now"
"""Worked examples in a line prompt, other problems that a situation is held against (our default), and the line that
goes on with the situation: a small model asked for one line of several sentences writes one sentence."""


@dataclass(frozen=True)
class Job:
    """One text to write: its key (also what its randomness depends on), kind, and the facts that it is about."""

    key: str
    kind: str
    facts: Mapping[str, Json]


def scenario_facts(cell: Cell, language: str) -> dict[str, Json]:
    """What the prompt of a scenario tells."""
    person, lang = cell.personas[0], "zh" if language == "zh" else "en"
    return {"problem": cell.problem.name_zh if lang == "zh" else cell.problem.name_en, "emotion": cell.emotion,
            "gloss": cell.problem.gloss_zh if lang == "zh" else cell.problem.gloss_en, "intensity": cell.intensity,
            **_person_facts(person)}


def card_facts(scenario: Scenario, person: Persona, styles: Mapping[str, str]) -> dict[str, Json]:
    """What the prompt of a card tells."""
    comma = "、" if scenario.language == "zh" else ", "
    return {"situation": scenario.situation, "emotion": scenario.emotion, "personality": comma.join(person.personality),
            "talk_style": styles[person.talk_style], **_person_facts(person)}


def _person_facts(person: Persona) -> dict[str, Json]:
    return {"gender": person.gender, "age_band": person.age_band, "occupation": person.occupation}


def write_fields(jobs: Sequence[Job], library: Library, writer: Writer,
                 attempt: int) -> list[tuple[dict[str, str], str]]:
    """The fields of every job and what is still wrong with their form after one repair (empty: nothing)."""
    if not jobs:
        return []
    shown = [_examples(library, job, attempt, writer) if writer.wording.lines else [] for job in jobs]
    kind = jobs[0].kind
    names = tuple(name for name in writer.wording.labels(kind) if name != MORE)
    prompts = [text_prompt(writer.wording, kind, job.facts, examples, f"{job.key}/{attempt}", {})
               for job, examples in zip(jobs, shown, strict=True)]
    replies = writer.write(prompts, kind, writer.seed(kind, attempt))
    found = [_read(reply, names, writer, kind, {}) for reply in replies]
    wrong = [place for place, (_, problem) in enumerate(found) if problem]
    again = [text_prompt(writer.wording, kind, jobs[i].facts, shown[i], f"{jobs[i].key}/{attempt}/repair", found[i][0],
                         (replies[i].text, found[i][1])) for i in wrong]
    mended = writer.write(again, kind, writer.seed(kind, "repair", attempt)) if again else []
    for place, reply in zip(wrong, mended, strict=True):
        found[place] = _read(reply, names, writer, kind, found[place][0] if writer.wording.lines else {})
    return found


def _read(reply: Completion, names: Sequence[str], writer: Writer, kind: str,
          good: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """The fields of a reply after those that are ``good`` already."""
    if not writer.wording.lines:
        return fields_from_json(reply.text, names)
    labels = {name: label for name, label in writer.wording.labels(kind).items() if name not in good}
    found, problem = fields_from_lines(reply.text, labels, reply.finish == "length")
    return {**good, **found}, problem


def _examples(library: Library, job: Job, attempt: int,
              writer: Writer) -> list[tuple[Mapping[str, Json], Mapping[str, str]]]:
    """Worked examples from the bundled library: (facts, fields) of scenarios or cards."""
    kind, rng = job.kind, writer.rng("examples", job.key, attempt)
    rows: list[tuple[Mapping[str, Json], Mapping[str, str]]] = []
    for scenario in rng.sample(library.scenarios, min(EXAMPLES, len(library.scenarios))):
        card = rng.choice(library.cards_of(scenario.id))
        person = Persona(card.age_band, card.gender, card.occupation, card.personality, card.talk_style, card.openness)
        if kind == "scenario":
            cell = Cell(0, library.problem(scenario.problem_type_id), scenario.emotion, scenario.intensity_0, (person,))
            fields = {name: str(getattr(scenario, name)) for name in writer.wording.labels(kind) if name != MORE}
            first, *rest = sentences(scenario.situation)
            fields |= {"situation": first, MORE: ("" if scenario.language == "zh" else " ").join(rest)}
            rows.append((scenario_facts(cell, scenario.language), fields))
        else:
            facts = dict(zip(("fact1", "fact2", "fact3"), card.hidden_facts, strict=False))
            rows.append((card_facts(scenario, person, writer.wording.table["talk_styles"]),
                         {**facts, "opening": card.opening}))
    return rows


def shortened(fields: Mapping[str, str], language: str) -> dict[str, str]:
    """The fields with the two lines of a situation joined, and no more sentences in it than are allowed."""
    gap = "" if language == "zh" else " "
    whole = {name: f"{text}{gap}{fields[MORE]}" if name == "situation" and MORE in fields else text
             for name, text in fields.items() if name != MORE}
    return {name: gap.join(sentences(text)[:SENTENCES[1]]) if name == "situation" else text
            for name, text in whole.items()}


def shown_texts(library: Library) -> dict[str, list[str]]:
    """Every text of the bundled library by field, of situations every sentence: what a model may have copied."""
    names = ("situation", "trigger", "tried_already", "goal_of_seeker")
    texts = {name: [part for scenario in library.scenarios for text in [str(getattr(scenario, name))]
                    for part in (sentences(text) if name == "situation" else [text])] for name in names}
    facts = [fact for card in library.cards for fact in card.hidden_facts]
    return {**texts, "fact": facts, "opening": [card.opening for card in library.cards]}


def judge_scenarios(texts: Sequence[tuple[Cell, Mapping[str, str]]], earlier: Sequence[str], problems: Sequence[str],
                    shown: Mapping[str, Sequence[str]], writer: Writer) -> list[list[Verdict]]:
    """The verdicts on each scenario. Those that pass the rules are held against other problems, by the model's scores,
    and count as earlier ones for those after them."""
    kept, verdicts = list(earlier), list[list[Verdict]]()
    for _, fields in texts:
        verdicts.append(check_scenario(fields, kept, writer.words, shown))
        if passed(verdicts[-1]):
            kept.append(fields["situation"])
    good = [place for place, found in enumerate(verdicts) if passed(found)]
    if writer.request.fit and good:
        asked = [_question(*texts[place], problems, writer) for place in good]
        for place, verdict in zip(good, fits(writer.model, asked), strict=True):
            verdicts[place] = [*verdicts[place], verdict]
    return verdicts


def _question(cell: Cell, fields: Mapping[str, str], problems: Sequence[str], writer: Writer) -> Question:
    own = cell.problem.name_zh if writer.words.language == "zh" else cell.problem.name_en
    rest = [name for name in problems if name != own]
    others = writer.rng("fit", cell.number).sample(rest, min(OTHERS, len(rest)))
    return Question(fields["situation"], writer.wording.context(own),
                    tuple(writer.wording.context(name) for name in others))


def judge_card(fields: Mapping[str, str], scenario: Scenario, shown: Mapping[str, Sequence[str]],
               writer: Writer) -> list[Verdict]:
    """The verdicts on one card."""
    return check_card(fields, scenario.situation, writer.words, shown)


def made_scenario(cell: Cell, fields: Mapping[str, str], language: str) -> Scenario:
    """The scenario of a cell; its number is in its id."""
    return Scenario(scenario_id(cell.number), cell.problem.id, cell.emotion, cell.intensity, fields["situation"],
                    fields["trigger"], fields["time_frame"], fields["tried_already"], fields["goal_of_seeker"],
                    "zh" if language == "zh" else "en")


def made_card(scenario: Scenario, person: Persona, place: int, fields: Mapping[str, str]) -> SeekerCard:
    """The card of a persona with the texts that the model wrote."""
    facts = tuple(text for name, text in fields.items() if name.startswith("fact"))
    style = next(style for style in ("terse", "chatty", "guarded") if style == person.talk_style)
    return SeekerCard(f"{scenario.id}-{place + 1}", scenario.id, person.age_band, person.gender, person.occupation, "",
                      person.personality, style, person.openness, facts, fields["opening"])


def scenario_id(number: int) -> str:
    """The id of the scenario of a cell."""
    return f"gen-{number:04d}"
