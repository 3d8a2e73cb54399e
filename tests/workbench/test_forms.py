"""A request becomes a form and comes back as the same request; bad input is refused in words."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import gradio as gr
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench import forms, registry, text
from workbench.contract import Knob, UserError
from workbench.fields import fields_of, from_json, to_json, validate


@dataclass(frozen=True)
class Inner:
    """A field inside a field."""

    temperature: Annotated[float, Knob("Heat", 0.0, 2.0, 0.05)] = 0.7
    stop: Annotated[tuple[str, ...], Knob("Stops at")] = ()

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True)
class Everything:
    """Every type that a request may use."""

    model: Annotated[str, Knob("Language model", widget="model")] = ""
    steps: Annotated[int, Knob("Steps", 1, 2000)] = 50
    rate: Annotated[float, Knob("Rate", 0.0, 1.0, group="Optimizer")] = 0.1
    loss: Annotated[Literal["sigmoid", "ipo"], Knob("Loss")] = "sigmoid"
    many: Annotated[Literal["a", "b", "c", "d"], Knob("Many")] = "b"
    sizes: Annotated[Literal[1, 2, 4], Knob("Numbers")] = 2
    beta: Annotated[float, Knob("Beta", 0.01, 1.0, shown_if=("loss", ("sigmoid",)))] = 0.1
    about: Annotated[str, Knob("About", 0, 100, widget="text")] = "hello"
    fair: Annotated[bool, Knob("Fair", group="Optimizer")] = True
    names: Annotated[tuple[str, ...], Knob("Names")] = ("a", "b")
    roles: Annotated[tuple[Literal["seeker", "helper"], ...], Knob("Roles")] = ("helper",)
    numbers: Annotated[tuple[int, ...], Knob("Numbers")] = (1, 2)
    limit: Annotated[int | None, Knob("Limit")] = None
    title: Annotated[str | None, Knob("Title")] = None
    card: Annotated[str | dict, Knob("Id or card")] = "x-1"
    table: Annotated[dict, Knob("Table")] = field(default_factory=dict)
    secret: Annotated[str, Knob("Not shown", widget="hidden")] = "kept"
    inner: Annotated[Inner, Knob("Inner")] = Inner()

    def __post_init__(self) -> None:
        validate(self)


def build(request: type, values: Mapping[str, Any] | None = None, say: Any = str) -> forms.Form:
    with gr.Blocks(analytics_enabled=False):
        return forms.build(request, say, values)


def shown(form: forms.Form) -> list[Any]:
    """What the browser would send back from an untouched form."""
    return [component.value for component in form.components.values()]


def test_an_untouched_form_is_the_default_request() -> None:
    form = build(Everything)
    assert form.fields(shown(form)) == to_json(Everything())


def test_a_form_filled_from_a_request_gives_that_request_back() -> None:
    asked = Everything(
        model="hub:a/b",
        steps=7,
        rate=0.5,
        loss="ipo",
        many="d",
        sizes=4,
        about="über\nzwei",
        fair=False,
        names=("x", "y z"),
        numbers=(3,),
        limit=9,
        title="T",
        card={"id": "c", "n": [1]},
        table={"k": 1.5},
        secret="mine",
        inner=Inner(1.5, ("\\n", "END")),
    )
    form = build(Everything, to_json(asked))
    assert form.fields(shown(form)) == to_json(asked)
    assert from_json(Everything, form.fields(shown(form))) == asked


def test_the_forms_keys_are_the_field_names_without_hidden_ones() -> None:
    names = [spec.name for spec in fields_of(Everything) if spec.name not in ("secret", "inner")]
    assert list(build(Everything).components) == [*names, "inner.temperature", "inner.stop"]


@pytest.mark.parametrize("task", sorted(registry.tasks()))
def test_every_tasks_example_survives_its_form(task: str) -> None:
    found = registry.tasks()[task]
    form = build(found.request, to_json(found.example))
    assert form.fields(shown(form)) == to_json(found.example)
    assert {key.split(".")[0] for key in form.components} <= {f.name for f in dataclasses.fields(found.request)}


KINDS = {
    "model": gr.Dropdown,
    "steps": gr.Number,
    "rate": gr.Number,
    "loss": gr.Radio,
    "many": gr.Dropdown,
    "sizes": gr.Radio,
    "about": gr.Textbox,
    "roles": gr.CheckboxGroup,
    "fair": gr.Checkbox,
    "names": gr.Textbox,
    "table": gr.Textbox,
    "inner.temperature": gr.Number,
}


@pytest.mark.parametrize(("key", "kind"), KINDS.items())
def test_each_type_has_its_component(key: str, kind: type) -> None:
    assert type(build(Everything).components[key]) is kind


def test_limits_and_help_reach_the_component() -> None:
    made = build(Everything).components
    steps: Any = made["steps"]
    assert (steps.minimum, steps.maximum, steps.precision) == (None, None, 0), "our own words refuse, not Gradio's"
    assert steps.label == "Steps" and steps.info == "Steps · 1 – 2,000"
    about: Any = made["about"]
    assert about.max_length == 100 and about.lines == 4
    names: Any = made["names"]
    assert names.value == "a\nb" and "form.lines.help" in names.info


def test_a_field_that_depends_on_another_starts_hidden_or_shown() -> None:
    assert build(Everything).components["beta"].visible is True
    assert build(Everything, {"loss": "ipo"}).components["beta"].visible is False


@pytest.mark.parametrize(("loss", "seen"), [("sigmoid", True), ("ipo", False)])
def test_a_field_that_depends_on_one_that_is_not_laid_out_is_decided_once(loss: str, seen: bool) -> None:
    with gr.Blocks(analytics_enabled=False):
        form = forms.build(Everything, str, {"loss": loss}, hidden=("loss",))
    assert "loss" not in form.components and form.components["beta"].visible is seen
    assert form.fields(shown(form))["loss"] == loss


def test_depending_on_no_field_is_a_mistake_of_the_method() -> None:
    @dataclass(frozen=True)
    class Wrong:
        """x"""

        beta: Annotated[float, Knob("b", shown_if=("los", (1,)))] = 1.0

    with pytest.raises((ValueError, NameError), match=r"los|Annotated"):
        build(Wrong)


def test_groups_are_folded_and_the_first_opens_when_nothing_stands_before_it() -> None:
    def folds(request: type) -> list[tuple[str, bool]]:
        with gr.Blocks(analytics_enabled=False) as page:
            forms.build(request, str)
        return [(block.label, block.open) for block in page.blocks.values() if isinstance(block, gr.Accordion)]

    assert folds(Everything) == [("Optimizer", False), ("Inner", False)]


def test_labels_and_help_come_in_the_readers_language() -> None:
    asked: list[str] = []

    def say(key: str) -> str:
        asked.append(key)
        return f"<{key}>"

    with gr.Blocks(analytics_enabled=False):
        made: Any = forms.build(Everything, say, gloss=lambda words: f"zh {words}").components
    assert set(asked) <= set(text.catalogue("en")) and made["model"].choices[0] == ("<form.default_model>", "")
    assert made["steps"].label == "zh Steps" and made["steps"].info == "zh Steps · 1 – 2,000"
    assert made["loss"].choices == [("zh sigmoid", "sigmoid"), ("zh ipo", "ipo")]


@pytest.mark.parametrize(
    ("value", "shown"), [(0.05, "0.05"), (2, "2"), (2**31 - 1, "2,147,483,647"), (1e9, "1,000,000,000")]
)
def test_bounds_are_written_as_one_reads_them(value: float, shown: str) -> None:
    assert forms.number(value) == shown


def test_a_model_of_the_request_is_offered_even_when_the_list_lacks_it() -> None:
    with gr.Blocks(analytics_enabled=False):
        form = forms.build(Everything, str, {"model": "path:/my/model"}, [("One", "package:one")])
    choices = [value for _, value in form.components["model"].choices]
    assert choices == ["", "package:one", "path:/my/model"]


BAD = [
    ("steps", 0, "steps is 0; it must lie between 1 and 2000"),
    ("steps", None, "steps is empty; it must be a whole number"),
    ("steps", 1.5, "steps is 1.5"),
    ("rate", "x", "rate is 'x'"),
    ("rate", None, "rate is empty"),
    ("loss", "other", "loss is 'other'; it must be one of"),
    ("sizes", 3, "sizes is 3"),
    ("about", "x" * 101, "about is 101"),
    ("roles", ["king"], "roles is"),
    ("fair", "yes", "fair is 'yes'; it must be true or false"),
    ("numbers", "1, two", "numbers is '1, two'; it must be numbers with commas"),
    ("numbers", '["a"]', "numbers is"),
    ("table", "nonsense", "table is not valid JSON"),
    ("table", "[]", "table is"),
    ("card", "{broken", "card is not valid JSON"),
    ("inner.temperature", 9, "temperature is 9"),
    ("steps", float("nan"), "steps is nan"),
    ("rate", float("inf"), "rate is inf"),
]


@pytest.mark.parametrize(("key", "value", "words"), BAD)
def test_bad_input_names_the_field_the_value_and_what_is_allowed(key: str, value: Any, words: str) -> None:
    form = build(Everything)
    values = dict(zip(form.components, shown(form), strict=True)) | {key: value}
    with pytest.raises(UserError) as caught:
        form.fields(list(values.values()))
    assert words in str(caught.value)


GOOD = [
    ("steps", 12.0, 12),
    ("limit", None, None),
    ("limit", "", None),
    ("limit", 3, 3),
    ("title", "", None),
    ("names", " a \n\n b ", ["a", "b"]),
    ("names", "", []),
    ("names", None, []),
    ("card", "y-2", "y-2"),
    ("card", '{"id": "z"}', {"id": "z"}),
    ("table", '{"a": [1]}', {"a": [1]}),
    ("rate", 1, 1.0),
    ("about", "", ""),
    ("about", "[not json", "[not json"),
    ("numbers", "[4, 5]", [4, 5]),
    ("numbers", "4, 5", [4, 5]),
    ("numbers", "", []),
    ("numbers", " 6，7 ", [6, 7]),
]


@pytest.mark.parametrize(("key", "value", "expected"), GOOD)
def test_values_of_the_browser_become_values_of_the_field(key: str, value: Any, expected: Any) -> None:
    assert forms.collect(Everything, {key: value})[key] == expected


def test_hidden_and_unsent_fields_keep_what_the_run_had() -> None:
    fields = forms.collect(Everything, {"steps": 3}, {"secret": "mine", "inner": {"temperature": 1.0}})
    assert fields["secret"] == "mine" and fields["steps"] == 3
    assert fields["inner"] == {"temperature": 1.0, "stop": []}


def test_collecting_does_not_change_what_it_was_given() -> None:
    base = {"inner": {"temperature": 1.0}}
    forms.collect(Everything, {"inner.temperature": 0.2}, base)
    assert base == {"inner": {"temperature": 1.0}}


@given(st.text(max_size=60))
@settings(max_examples=60, deadline=None)
def test_any_text_survives(said: str) -> None:
    assert forms.collect(Everything, {"about": said})["about"] == said


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    )
)
@settings(max_examples=60, deadline=None)
def test_any_structure_survives(value: Any) -> None:
    given_back = forms.collect(Everything, {"table": json.dumps({"v": value})})
    assert given_back["table"] == {"v": value}
