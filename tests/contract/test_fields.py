"""Requests: what fits, what is refused and with which words, and the way to JSON and back."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.contract import Knob, UserError
from workbench.fields import describe, fields_of, from_json, to_json, validate


@dataclass(frozen=True)
class Inner:
    name: str = "x"
    weight: float = 1.0


@dataclass(frozen=True)
class Request:
    beta: Annotated[float, Knob("Strength", 0.01, 1.0, 0.01)] = 0.1
    steps: Annotated[int, Knob("Steps", 1, 2000)] = 50
    loss: Annotated[Literal["sigmoid", "ipo"], Knob("Loss")] = "sigmoid"
    on: bool = True
    text: Annotated[str, Knob("Text", 1, 10)] = "hello"
    many: Annotated[tuple[str, ...], Knob("Many", high=3)] = ("a",)
    maybe: Annotated[int | None, Knob("Maybe", 0, 5)] = None
    inner: Inner = field(default_factory=Inner)
    table: Annotated[dict[str, Any], Knob("Table")] = field(default_factory=dict)

    def __post_init__(self) -> None:
        validate(self)


BAD = [
    ({"beta": 3}, "beta is 3; it must lie between 0.01 and 1."),
    ({"beta": float("nan")}, "beta is nan; it must be a number."),
    ({"beta": "0.1"}, "beta is '0.1'; it must be a number."),
    ({"beta": True}, "beta is True; it must be a number."),
    ({"steps": 0}, "steps is 0; it must lie between 1 and 2000."),
    ({"steps": 1.5}, "steps is 1.5; it must be a whole number."),
    ({"steps": False}, "steps is False; it must be a whole number."),
    ({"loss": "hinge"}, "loss is 'hinge'; it must be one of 'sigmoid', 'ipo'."),
    ({"on": 1}, "on is 1; it must be true or false."),
    ({"text": ""}, "text is 0 characters; it must lie between 1 and 10."),
    ({"text": "x" * 11}, "text is 11 characters; it must lie between 1 and 10."),
    ({"text": 3}, "text is 3; it must be text."),
    ({"many": ("a", "b", "c", "d")}, "many is 4 entries; it must lie at most 3."),
    ({"many": ("a", 1)}, "many is ('a', 1); it must be a list of text."),
    ({"maybe": 9}, "maybe is 9; it must lie between 0 and 5."),
    ({"maybe": "no"}, "maybe is 'no'; it must be a whole number or nothing."),
    ({"inner": 4}, "inner is 4; it must be a table with the fields of Inner."),
]


@pytest.mark.parametrize(("values", "message"), BAD)
def test_a_bad_value_is_named_with_what_is_allowed(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        Request(**values)
    assert str(caught.value) == message


def test_a_long_value_is_shortened_in_the_message() -> None:
    with pytest.raises(UserError) as caught:
        Request(loss="x" * 100_000)
    assert len(str(caught.value)) < 200


def test_defaults_and_edges_are_accepted() -> None:
    Request()
    Request(beta=1, steps=2000, text="x" * 10, many=(), maybe=5)
    Request(beta=0.01, steps=1, maybe=None)


def test_fields_carry_type_default_and_knob() -> None:
    specs = {s.name: s for s in fields_of(Request)}
    assert list(specs) == ["beta", "steps", "loss", "on", "text", "many", "maybe", "inner", "table"]
    assert specs["beta"].kind is float and specs["beta"].default == 0.1 and specs["beta"].knob.step == 0.01
    assert specs["on"].knob == Knob("") and specs["inner"].default == Inner()
    assert specs["loss"].kind == Literal["sigmoid", "ipo"]


@pytest.mark.parametrize(("kind", "words"), [
    (int, "a whole number"), (float | None, "a number or nothing"), (tuple[int, ...], "a list of a whole number"),
    (Literal["a", 2], "one of 'a', 2"),
    (Inner, "a table with the fields of Inner"), (dict[str, int], "a table"), (bool, "true or false"),
])
def test_types_in_words(kind: Any, words: str) -> None:
    assert describe(kind) == words


def test_json_round_trip_with_nesting() -> None:
    request = Request(inner=Inner("y", 2), many=("b", "c"), table={"k": [1, {"z": None}]})
    again = from_json(Request, json.loads(json.dumps(to_json(request))))
    assert again == request and isinstance(again.inner, Inner) and isinstance(again.many, tuple)


def test_paths_become_text() -> None:
    assert to_json({"p": Path("a/b"), "t": (1, Path("c"))}) == {"p": "a/b", "t": [1, "c"]}


@pytest.mark.parametrize(("value", "message"), [
    ({"betta": 0.1}, "Request has no field betta; it has beta, steps, loss"),
    ({"inner": {"nme": "y"}}, "Inner has no field nme; it has name, weight."),
    ({"beta": 7}, "beta is 7; it must lie between"),
])
def test_a_hand_edited_file_says_what_is_wrong(value: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message.replace("(", r"\(")):
        from_json(Request, value)


def test_a_missing_field_is_named() -> None:
    @dataclass(frozen=True)
    class Needed:
        must: int

    globals()["Needed"] = Needed
    with pytest.raises(UserError, match="Needed needs the field must"):
        from_json(Needed, {})


def test_a_whole_number_is_taken_for_a_float_field() -> None:
    built = from_json(Inner, {"weight": 2})
    assert built.weight == 2.0 and isinstance(built.weight, float)


@given(st.builds(Request, beta=st.floats(0.01, 1.0), steps=st.integers(1, 2000), text=st.text(min_size=1, max_size=10),
                 many=st.lists(st.text(), max_size=3).map(tuple), maybe=st.none() | st.integers(0, 5)))
def test_any_valid_request_survives_json(request: Request) -> None:
    assert from_json(Request, json.loads(json.dumps(to_json(request)))) == request


@given(st.one_of(st.integers(), st.floats(), st.text(), st.none(), st.booleans(), st.lists(st.integers())))
def test_any_junk_in_a_field_is_either_accepted_or_a_user_error(junk: Any) -> None:
    for name in ("beta", "steps", "loss", "on", "text", "maybe"):
        try:
            Request(**{name: junk})
        except UserError as error:
            assert str(error).startswith(f"{name} is ")
