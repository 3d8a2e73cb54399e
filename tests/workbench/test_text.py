"""Two languages that say the same things, and the choice between them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from workbench import text

ROOT = Path(__file__).resolve().parents[2]


def test_both_languages_have_the_same_keys_places_and_no_empty_text() -> None:
    english, chinese = text.catalogue("en"), text.catalogue("zh-CN")
    assert set(english) == set(chinese)
    wrong = [key for key in english if text.places(english[key]) != text.places(chinese[key])]
    assert not wrong
    assert not [key for key in english if not english[key].strip() or not chinese[key].strip()]


def test_chinese_texts_are_chinese() -> None:
    names = re.compile(r"^[\W\dA-Za-z{}_]*$")
    english, chinese = text.catalogue("en"), text.catalogue("zh-CN")
    same = [
        key
        for key in english
        if english[key] == chinese[key] and len(english[key]) > 14 and not names.match(chinese[key].replace(" ", ""))
    ]
    assert not same
    assert sum(bool(re.search(r"[一-鿿]", value)) for value in chinese.values()) > 0.85 * len(chinese)


def test_texts_are_plain_text_without_markup() -> None:
    for lang in text.LANGUAGES:
        bad = [key for key, value in text.catalogue(lang).items() if re.search(r"<[a-z/]|&\w+;|⟦", value)]
        assert not bad, (lang, bad)


def method_words() -> set[str]:
    """Everything that the registered methods say to a reader of a form."""
    from workbench import forms, registry

    said: set[str] = set()
    for task in registry.tasks().values():
        if not task.name.startswith("toy"):
            words = forms.Words(str, str, ())
            said |= {task.title, (task.request.__doc__ or "").strip().split("\n")[0].replace("`", "")}
            for entry in forms.entries(task.request):
                said |= {entry.spec.knob.help, words.name(entry.spec.name)} | (
                    {words.name(entry.group)} if entry.group else set()
                )
    return said - {""}


def test_what_methods_say_has_a_chinese_gloss() -> None:
    said = method_words()
    missing = sorted(
        words for words in said if text.gloss("zh-CN", words) == words and words not in ("Beta", "Top p", "Top k")
    )
    assert len(missing) <= 0.1 * len(said), missing
    assert text.gloss("en", "Count") == "Count" and text.gloss("zh-CN", "no such words") == "no such words"


def test_no_file_repeats_a_key() -> None:
    for lang in text.LANGUAGES:
        keys = [
            key
            for path in sorted(text.FOLDER.glob(f"*{lang}.json"))
            for key, _ in json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=list)
        ]
        assert len(keys) == len(set(keys))


def used_keys() -> set[str]:
    """Keys that this part's code asks for by name."""
    call = re.compile(
        r"""(?:\bsay\(\s*\w+,|\.t\(\s*\w+,|\.label\(|\bmark\(|example_button\()\s*f?["']([a-z][\w. ]*\.[\w. ]+)["']"""
    )
    files = [
        *(ROOT / "workbench").glob("*.py"),
        *(ROOT / "workbench" / "widgets").glob("*.py"),
        *(ROOT / "panels").glob("*.py"),
    ]
    return {key for path in files for key in call.findall(path.read_text(encoding="utf-8"))}


def test_every_key_that_the_code_names_exists() -> None:
    keys = used_keys()
    assert len(keys) > 60
    assert not sorted(key for key in keys if not text.known(key))


@pytest.mark.parametrize(
    ("key", "values", "expected"),
    [
        ("runs.steps", {"step": 3, "total": 10}, "3 of 10"),
        ("runs.steps", {"step": 3}, "3 of {total}"),
        ("no.such.key", {}, "no.such.key"),
        ("strip.threads", {"n": "{total}"}, "{total} threads"),
    ],
)
def test_say_fills_places_once_and_never_fails(key: str, values: dict, expected: str) -> None:
    assert text.say("en", key, **values) == expected


def test_an_unknown_language_is_english() -> None:
    assert text.say("fr", "runs.title") == text.say("en", "runs.title") == "Runs"
    assert text.say("zh-CN", "runs.title") == "运行"


@pytest.mark.parametrize(
    ("cookie", "wish", "expected"),
    [
        (None, None, "en"),
        (None, "", "en"),
        (None, "zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        (None, "zh", "zh-CN"),
        (None, "en-GB,en;q=0.9,zh;q=0.8", "en"),
        (None, "fr,de;q=0.9", "en"),
        (None, "fr,zh;q=0.5", "zh-CN"),
        (None, "en;q=0.1,zh-TW;q=0.9", "zh-CN"),
        (None, "zh;q=abc,en;q=0.3", "en"),
        ("en", "zh", "en"),
        ("zh-CN", "en", "zh-CN"),
        ("klingon", "zh", "zh-CN"),
        ("", "zh", "zh-CN"),
        (None, ";;;,,q=", "en"),
    ],
)
def test_the_language_is_the_switch_else_the_browsers_wish(cookie: str | None, wish: str | None, expected: str) -> None:
    assert text.choose(cookie, wish) == expected


def test_marks_become_texts_inside_json_and_inside_scripts() -> None:
    document = json.dumps(
        {"label": text.mark("runs.title"), "html": f"<b>{text.mark('error.title')}</b>"}, ensure_ascii=False
    )
    assert json.loads(text.fill(document, "zh-CN")) == {"label": "运行", "html": "<b>操作未成功</b>"}
    assert "⟦" not in text.fill(document, "en")


def test_a_text_with_quotes_cannot_break_out_of_the_document() -> None:
    filled = text.fill('{"x": "⟦panel.failed.advice⟧"}', "en")
    assert json.loads(filled)["x"] == text.say("en", "panel.failed.advice") and "“" in filled
    for lang in text.LANGUAGES:
        for key in text.catalogue(lang):
            escaped = text.fill(f'"{text.mark(key)}"', lang)
            assert json.loads(escaped) == text.catalogue(lang)[key]
            assert not set("<>&'") & set(escaped)


def test_what_is_no_mark_stays() -> None:
    assert text.fill("⟦not a mark⟧ ⟦⟧ ⟦<b>⟧ ⟦runs.no.such⟧", "en") == "⟦not a mark⟧ ⟦⟧ ⟦<b>⟧ ⟦runs.no.such⟧"
