"""Every format: what it is told by, and what its fields become."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import get_args

import pytest

from backends.sweetiechat.importers import FORMATS
from backends.sweetiechat.importers.formats import format_named, recognise
from backends.sweetiechat.importers.request import FormatName
from tests.backends import importer_cases as cases
from tests.backends.importer_cases import ONE_EACH, taken
from workbench.contract import UserError


@pytest.mark.parametrize("name", ONE_EACH)
def test_each_entry_is_known_as_its_own_format_and_no_other(name: str) -> None:
    assert recognise(ONE_EACH[name]).name == name
    assert [form.name for form in FORMATS.values() if form.looks(ONE_EACH[name])] == [name]


@pytest.mark.parametrize(
    "value",
    [
        None,
        3,
        "text",
        [],
        {},
        {"dialog": []},
        {"dialog": [1]},
        {"content": "x"},
        {"messages": "x"},
        {"conversations": [[]]},
        [[{}]],
        {"base": 3, "language": "english"},
        {"turns": [], "scenario": {}},
        {"text": "x"},
        {"conversation": [{"input": "x"}]},
    ],
)
def test_other_values_are_no_entry(value: object) -> None:
    assert recognise(value) is None


def test_the_request_names_every_format() -> None:
    assert set(get_args(FormatName)) == {"auto", *FORMATS}


def test_an_unknown_format_is_named_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"no format named 'esconf'.*esconv"):
        format_named("esconf")


@pytest.mark.parametrize(
    "wrapped",
    [lambda entry: [entry, entry], lambda entry: {"data": [entry, entry]}, lambda entry: {"a": entry, "b": entry}],
)
@pytest.mark.parametrize("name", ["esconv", "multiesc", "extes", "emollm", "sharegpt"])
def test_a_list_may_stand_alone_in_a_table_or_be_one(tmp_path: Path, name: str, wrapped) -> None:
    found = taken(tmp_path, "x.json", wrapped(ONE_EACH[name]))
    assert (found.format, len(found.dialogues), found.skipped) == (name, 2, ())


@pytest.mark.parametrize("name", ONE_EACH)
def test_one_entry_alone_and_lines_of_entries_are_read(tmp_path: Path, name: str) -> None:
    alone = taken(tmp_path, "x.json", ONE_EACH[name])
    lines = taken(tmp_path, "x.jsonl", [ONE_EACH[name]])
    assert alone.format == lines.format == name
    assert [d.turns for d in alone.dialogues] == [d.turns for d in lines.dialogues]
    assert alone.cards == lines.cards and len(alone.dialogues) + len(alone.cards) == 1


def roles(found) -> list[tuple[str, str, str | None]]:
    [dialogue] = found.dialogues
    return [(turn.role, turn.text, turn.strategy) for turn in dialogue.turns]


def test_esconv_raw(tmp_path: Path) -> None:
    found = taken(tmp_path, "ESConv.json", [cases.ESCONV])
    assert roles(found) == [
        ("seeker", "Hello They close our plant.", None),
        ("supporter", "When did you hear of it? You sound worn out.", "question"),
        ("seeker", "Last week, from a newspaper.", None),
        ("supporter", "Take care.", "others"),
    ]
    [one] = found.dialogues
    assert one.turns[1].meta["all_strategy"] == ["question", "reflection"]
    assert one.turns[0].meta["parts"] == ["Hello", "They close our plant."]
    assert [turn.meta.get("feedback") for turn in one.turns] == [3, None, 5, None]
    assert one.qc["survey"] == {
        "initial": 5,
        "final": 2,
        "empathy": 4,
        "relevance": 5,
        "supporter_relevance": 4,
        "feedback": 5,
    }
    assert (one.scenario.problem_type_id, one.scenario.emotion, one.scenario.intensity_0) == (
        "job-crisis",
        "anxiety",
        5,
    )
    assert one.scenario.situation == cases.ESCONV["situation"] and one.language == "en" and one.card is None
    assert (one.stop_reason, one.counselor, one.strategy_set.name) == ("imported", "none", "esconv-8")
    source = one.qc["source"]
    assert source["experience_type"] == "Previous Experience" and source["guessed"] == []
    assert (source["format"], source["file"], source["made_by"]) == ("esconv", "ESConv.json", "people")


def test_failed_esconv_has_other_names_for_its_speakers(tmp_path: Path) -> None:
    found = taken(tmp_path, "FailedESConv.json", [cases.FAILED])
    assert found.format == "failed-esconv"
    assert [role for role, *_ in roles(found)] == ["seeker", "supporter", "seeker", "supporter"]
    assert found.dialogues[0].qc["survey"] == {"initial": 5, "feedback": 5}


def test_multiesc_keeps_all_strategies_vad_and_stars(tmp_path: Path) -> None:
    found = taken(tmp_path, "valid.txt", json.dumps(cases.MULTIESC) + "\n")
    [one] = found.dialogues
    assert roles(found)[0] == ("supporter", "Hi . How can I help ?", "others")
    assert one.turns[0].meta["all_strategy"] == ["others", "question"]
    assert one.turns[2].strategy == "suggestions" and one.turns[2].meta["all_strategy"] == ["suggestions"]
    assert one.turns[1].meta == {"author": "imported", "vad": [0.6, 0.5, 0.3], "cause": "cannot sleep ."}
    assert one.turns[3].meta["feedback"] == 5 and "cause" not in one.turns[3].meta
    assert one.qc["survey"] == {"initial": 4, "final": 2, "feedback": 5} and one.scenario.problem_type_id == "sleep"


def test_ppdpp_messages_are_merged(tmp_path: Path) -> None:
    found = taken(tmp_path, "valid.txt", json.dumps(cases.PPDPP) + "\n")
    assert found.format == "ppdpp"
    assert roles(found) == [("seeker", "Hi They left me out", None), ("supporter", "What did they say?", "question")]


def test_the_official_tsv_is_put_together_again(tmp_path: Path) -> None:
    found = taken(tmp_path, "devWithStrategy_short.tsv", cases.TSV)
    assert found.format == "esconv-tsv" and not found.skipped
    texts = [[(turn.role, turn.text, turn.strategy) for turn in one.turns] for one in found.dialogues]
    assert texts == [
        [
            ("seeker", "Hello, I am worried", None),
            ("supporter", "What about?", "question"),
            ("seeker", "My job", None),
            ("supporter", "I see", "others"),
        ],
        [
            ("seeker", "Hi there", None),
            ("supporter", "Hello", "others"),
            ("seeker", "Yes", None),
            ("supporter", "Call them", "suggestions"),
        ],
    ]
    assert found.dialogues[1].qc["source"]["missing_messages"] == [2, 3]
    assert "missing_messages" not in found.dialogues[0].qc["source"]
    assert found.dialogues[0].qc["source"]["where"] == "devWithStrategy_short.tsv, line 1"
    assert found.dialogues[1].qc["source"]["where"] == "devWithStrategy_short.tsv, line 3"


def test_a_wrong_line_of_the_tsv_is_named_and_the_rest_kept(tmp_path: Path) -> None:
    lines = cases.TSV.split("\r\n")
    found = taken(tmp_path, "x.tsv", "\n".join([lines[0], "1.0 0 0 EOS nothing", *lines[1:]]))
    assert len(found.dialogues) == 2
    assert found.skipped == (("x.tsv, line 2", "'1.0 0 0' is no message; it must be '<loss> <0 or 1> <number> text'"),)


def test_extes_cells_may_name_several_strategies_or_none(tmp_path: Path) -> None:
    found = taken(tmp_path, "ExTES.json", [cases.EXTES])
    [one] = found.dialogues
    assert [turn.meta.get("all_strategy") for turn in one.said_by("supporter")] == [
        ["emotional-validation"],
        ["affirmation", "offer-hope"],
        None,
    ]
    assert one.strategy_set.name == "extes-16" and one.scenario.problem_type_id == "burnout"
    assert one.qc["source"]["made_by"] == "model"


def test_extes_messages_may_share_a_table(tmp_path: Path) -> None:
    both = {**cases.EXTES, "content": [{"User": "Hi", "AI Strategy": "Others", "AI": "Hello"}]}
    assert roles(taken(tmp_path, "x.json", [both])) == [("seeker", "Hi", None), ("supporter", "Hello", "others")]


def test_escot_ends_with_the_reply_and_its_chain(tmp_path: Path) -> None:
    found = taken(tmp_path, "escot.json", [cases.ESCOT])
    [one] = found.dialogues
    assert roles(found)[-1] == ("supporter", "Picture the room when it is quiet.", "imagery")
    assert one.turns[-1].meta["cot"]["strategy_reason"] == "To calm." and one.scenario.trigger == "The exam."
    assert one.turns[1].strategy is None and one.strategy_set.name == "escot-13"


def test_smile_in_both_of_its_layouts(tmp_path: Path) -> None:
    packed = taken(tmp_path, "a.jsonl", [cases.SMILE])
    own = taken(tmp_path, "0.json", [{"role": m["role"], "content": m["content"]} for m in cases.SMILE["dialog"]])
    assert packed.format == own.format == "smile"
    assert (
        roles(packed)
        == roles(own)
        == [("seeker", "最近总是睡不好。", None), ("supporter", "从什么时候开始的呢？", None)]
    )
    assert packed.dialogues[0].language == "zh" and packed.dialogues[0].id == own.dialogues[0].id


def test_emollm_exchanges_and_system_text(tmp_path: Path) -> None:
    found = taken(tmp_path, "data.json", [cases.EMOLLM])
    assert [role for role, *_ in roles(found)] == ["seeker", "supporter"] * 2
    assert found.dialogues[0].qc["source"]["system"] == "你是心理专家。"


def test_role_cards_become_cards_with_their_scenario(tmp_path: Path) -> None:
    found = taken(tmp_path, "card_high.json", [cases.ESCEVAL, cases.ESCEVAL_ZH])
    english, chinese = found.cards
    assert (english.gender, english.age_band, english.occupation) == ("Female", "", "teacher")
    assert (chinese.age_band, chinese.gender, chinese.occupation) == ("青年", "", "学生")
    assert [card.scenario_id for card in found.cards] == [scenario.id for scenario in found.scenarios]
    first, second = found.scenarios
    assert first.situation == "She cannot forgive her brother." and first.language == "en"
    assert (second.language, second.emotion, second.problem_type_id) == ("zh", "未知", "relationships_family")
    assert found.dialogues == () and english.openness == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"base": "Age: 20"}, "no line that tells the problem"),
        ({"base": "Problem: Not mentioned"}, "tells the problem"),
        ({"language": "french"}, "must be english or chinese"),
        ({"language": None}, "language is missing"),
    ],
)
def test_a_role_card_that_tells_nothing_is_left_out(tmp_path: Path, change: dict, said: str) -> None:
    found = taken(tmp_path, "c.json", [cases.ESCEVAL, {**cases.ESCEVAL, **change}])
    assert len(found.cards) == 1 and said in found.skipped[0][1]


def test_a_card_field_that_is_too_long_is_cut_and_lines_are_joined(tmp_path: Path) -> None:
    base = "Age: " + "old " * 40 + "\nGender: Male\nOccupation: cook\nProblem: He is tired.\nVery tired."
    [card] = taken(tmp_path, "c.json", [{**cases.ESCEVAL, "base": base}]).cards
    assert len(card.age_band) <= 60 and card.age_band.endswith("…")
    assert (
        taken(tmp_path, "d.json", [{**cases.ESCEVAL, "base": base}]).scenarios[0].situation
        == "He is tired. Very tired."
    )


def test_predictions_end_with_the_gold_reply(tmp_path: Path) -> None:
    found = taken(tmp_path, "results.json", [cases.KANG])
    assert roles(found) == [
        ("supporter", "Go ahead", "others"),
        ("seeker", "I may leave\nhim He lied", None),
        ("supporter", "What did he say?", "question"),
    ]
    assert found.dialogues[0].turns[-1].meta["predicted"] == {"strategy": "Providing Suggestions", "text": "Leave."}


def test_sharegpt_with_a_strategy_in_brackets_and_a_system_text(tmp_path: Path) -> None:
    found = taken(tmp_path, "s.json", [cases.SHAREGPT])
    assert roles(found) == [("seeker", "I feel low.", None), ("supporter", "Since when?", "question")]
    assert found.dialogues[0].qc["source"]["system"] == "Be kind." and found.dialogues[0].qc["source"]["id"] == "a1"


def test_chat_messages_leave_unknown_brackets_in_the_text(tmp_path: Path) -> None:
    assert roles(taken(tmp_path, "c.jsonl", [cases.CHAT])) == [
        ("seeker", "I feel low.", None),
        ("supporter", "[sighs] Since when?", None),
    ]


def test_chat_content_may_come_in_parts_of_text_only(tmp_path: Path) -> None:
    parts = {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}, {"type": "text", "text": "you"}]}]
    }
    image = {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]}
    found = taken(tmp_path, "c.jsonl", [parts, image])
    assert found.dialogues[0].turns[0].text == "Hello\nyou"
    assert "the content of message 1 is a list of 1; it must be text" in found.skipped[0][1]


def test_a_chat_in_extes_labels_gets_that_set(tmp_path: Path) -> None:
    rows = {
        "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "[Offer Hope] It can change."}]
    }
    [one] = taken(tmp_path, "c.jsonl", [rows]).dialogues
    assert (one.strategy_set.name, one.turns[1].strategy) == ("extes-16", "offer-hope")


def test_convokit_conversations_are_gathered_in_order_of_time(tmp_path: Path) -> None:
    found = taken(tmp_path, "utterances.jsonl", list(reversed(cases.CONVOKIT)))
    assert found.format == "convokit"
    assert roles(found) == [("seeker", "I am lost.", None), ("supporter", "Where to?", "question")]
    assert found.dialogues[0].scenario.emotion == "loneliness"


def test_convokit_old_names_and_a_role_in_the_metadata(tmp_path: Path) -> None:
    rows = [
        {
            "id": "1",
            "root": "1",
            "user": "anna",
            "text": "I am sad.",
            "reply_to": None,
            "timestamp": None,
            "meta": {"role": "seeker"},
        },
        {"id": "2", "root": "1", "user": "bert", "text": "Tell me.", "meta": {"role": "listener"}},
    ]
    assert roles(taken(tmp_path, "u.jsonl", rows)) == [("seeker", "I am sad.", None), ("supporter", "Tell me.", None)]


def test_convokit_speakers_that_nobody_names_are_said(tmp_path: Path) -> None:
    rows = copy.deepcopy(cases.CONVOKIT)
    rows[1]["speaker"] = "bert"
    more = [{**row, "conversation_id": "v0", "id": row["id"].replace("u", "v")} for row in cases.CONVOKIT]
    found = taken(tmp_path, "utterances.jsonl", [*rows, *more])
    assert len(found.dialogues) == 1 and "whether the speaker 'bert' is the seeker" in found.skipped[0][1]


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.txt"])
def test_tables_with_one_message_a_row(tmp_path: Path, name: str) -> None:
    table = (
        cases.TABLE
        if name != "t.tsv"
        else cases.TABLE.replace(",", "\t").replace('"Since when\t exactly?"', "Since when, exactly?")
    )
    found = taken(tmp_path, name, table)
    first, second = found.dialogues
    assert found.format == "csv" and len(second.turns) == 1
    assert [(turn.role, turn.text, turn.strategy) for turn in first.turns] == [
        ("seeker", "I am afraid of the dark", None),
        ("supporter", "Since when, exactly?", "question"),
    ]
    assert first.scenario.situation == "The power has been out for days." and first.qc["source"]["id"] == "d1"


def test_rows_of_a_table_may_be_json_objects(tmp_path: Path) -> None:
    rows = [
        {"conversation": "1", "Role": "user", "Content": "Hi"},
        {"conversation": "1", "Role": "bot", "Content": "Hello"},
    ]
    assert roles(taken(tmp_path, "t.jsonl", rows)) == [("seeker", "Hi", None), ("supporter", "Hello", None)]


def test_a_guarded_cell_is_taken_as_it_was(tmp_path: Path) -> None:
    table = "dialogue,role,text\nd,seeker,'=1+1 is what I feel like\nd,supporter,'quoted' words\n"
    assert [text for _, text, _ in roles(taken(tmp_path, "t.csv", table))] == [
        "=1+1 is what I feel like",
        "'quoted' words",
    ]


def test_a_named_format_is_not_told_from_the_content(tmp_path: Path) -> None:
    found = taken(tmp_path, "x.json", [cases.ESCONV], format="failed-esconv")
    assert found.format == "failed-esconv" and len(found.dialogues) == 1
    with pytest.raises(UserError, match=r"Nothing in x\.json can be imported.*emollm|conversation is missing"):
        taken(tmp_path, "x.json", [cases.ESCONV], format="emollm")


@pytest.mark.parametrize("name", ONE_EACH)
@pytest.mark.parametrize(
    "other",
    [
        "esconv",
        "multiesc",
        "extes",
        "escot",
        "smile",
        "emollm",
        "esceval",
        "predictions",
        "chat",
        "convokit",
        "csv",
        "jsonl",
        "esconv-tsv",
    ],
)
def test_a_wrong_format_never_raises_anything_but_a_clear_error(tmp_path: Path, name: str, other: str) -> None:
    try:
        found = taken(tmp_path, "x.json", [ONE_EACH[name]], format=other)
    except UserError as error:
        assert "Nothing in x.json can be imported" in str(error)
    else:
        assert found.dialogues or found.cards


def test_another_strategy_set_can_be_asked_for(tmp_path: Path) -> None:
    rows = [
        {
            **cases.SHAREGPT,
            "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "[Question] Yes?"}],
        }
    ]
    assert taken(tmp_path, "s.json", rows, strategy_set="escot-13").dialogues[0].strategy_set.name == "escot-13"
    with pytest.raises(UserError, match="no strategy set named 'esconv'"):
        taken(tmp_path, "s.json", rows, strategy_set="esconv")
