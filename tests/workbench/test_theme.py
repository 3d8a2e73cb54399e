"""The look: contrast of every pair of colours in use, whole fonts, and CSS that names no outside address."""

from __future__ import annotations

import re
import struct
from importlib.metadata import version
from pathlib import Path

import pytest

from workbench import theme

GROUNDS = ("paper", "sheet", "shade")
WORDS = ("ink", "dim", "accent", "accent-strong", "good", "warn", "bad", "c1", "c2", "c3", "c4", "c5", "c6")
PAIRS = [
    *((word, ground) for word in WORDS for ground in GROUNDS),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("ink", "accent-soft"),
    ("accent", "accent-soft"),
    ("dim", "accent-soft"),
    ("ink", "bad-soft"),
    ("bad", "bad-soft"),
    ("good", "accent-soft"),
    ("bad", "accent-soft"),
    ("warn", "accent-soft"),
    ("paper", "warn"),
]


@pytest.mark.parametrize(("word", "ground"), PAIRS)
def test_text_is_legible_in_light_and_dark(word: str, ground: str) -> None:
    for mode in (0, 1):
        assert theme.contrast(theme.PALETTE[word][mode], theme.PALETTE[ground][mode]) >= 4.5, (word, ground, mode)


@pytest.mark.parametrize("ground", ["paper", "sheet"])
def test_borders_of_fields_can_be_found(ground: str) -> None:
    for mode in (0, 1):
        assert theme.contrast(theme.PALETTE["edge"][mode], theme.PALETTE[ground][mode]) >= 3.0  # WCAG 1.4.11


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#ffffff", "#ffffff", 1.0),
        ("#777777", "#ffffff", 4.478),
        ("#ff0000", "#ffffff", 3.998),
    ],
)
def test_contrast_against_known_values(one: str, other: str, expected: float) -> None:
    assert theme.contrast(one, other) == pytest.approx(expected, abs=0.002) == theme.contrast(other, one)


def test_the_theme_takes_every_colour_from_the_palette() -> None:
    made = theme.theme()
    assert made.body_text_color == made.body_text_color_dark == "var(--wb-ink)"
    css = made._get_theme_css()
    assert "orange" not in css and made.name == "workbench"
    used = set(re.findall(r"var\(--wb-([\w-]+)\)", css))
    assert used <= set(theme.PALETTE) and len(used) > 10


def test_the_stylesheet_defines_every_variable_it_uses() -> None:
    css = theme.stylesheet()
    defined = set(re.findall(r"--wb-([\w-]+):", css)) | {"c"}
    assert set(re.findall(r"var\(--wb-([\w-]+)\)", css)) <= defined
    for mode in (":root{", ".dark{"):
        assert mode in css
    assert css.count("{") == css.count("}")


def test_no_style_or_script_of_ours_loads_from_outside() -> None:
    for path in theme.FOLDER.glob("*.*"):
        found = re.findall(
            r"(?:url\(|@import|fetch\(|src=)[\"'\s]*(?:https?:)?//[^)\"']*", path.read_text(encoding="utf-8")
        )
        assert not found, (path.name, found)


def test_colours_are_written_down_in_the_palette_alone() -> None:
    """The transcript has three voices of its own; every other file uses variables."""
    for path in theme.FOLDER.glob("*.css"):
        if path.name in ("base.css", "frame.css", "runs.css"):
            assert not re.findall(
                r"#[0-9a-fA-F]{3,8}\b(?![-\w])", re.sub(r"#wb-[\w-]+", "", path.read_text(encoding="utf-8"))
            ), path


def test_font_stacks_name_chinese_fonts_after_the_latin_one() -> None:
    css = theme.stylesheet()
    sans = re.search(r"--wb-sans:([^;]+)", css)[1]
    assert sans.startswith("'IBM Plex Sans','Noto Sans CJK SC','PingFang SC','Microsoft YaHei'")
    assert theme.WEIGHTS == (400, 700)


# -- the bundled fonts ----------------------------------------------------------------------------------------------


def font_file(name: str, weight: str) -> Path:
    from gradio.themes.utils.fonts import STATIC_FONTS_DIR

    return STATIC_FONTS_DIR / name / f"{name}-{weight}.woff2"


def base128(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    while True:
        byte = data[at]
        value, at = value << 7 | byte & 0x7F, at + 1
        if not byte & 0x80:
            return value, at


def characters(path: Path) -> set[int]:
    """Code points of a WOFF2 font, read from its (never transformed) cmap table, format 4."""
    import brotli

    data = path.read_bytes()
    count, sizes, at = struct.unpack(">H", data[12:14])[0], [], 48
    for _ in range(count):
        flags, at = data[at], at + 1
        tag = flags & 0x3F
        if tag == 0x3F:
            at += 4
        length, at = base128(data, at)
        transformed = flags >> 6 != 3 if tag in (10, 11) else flags >> 6 != 0  # glyf and loca: 3 is "as it is"
        if transformed:
            length, at = base128(data, at)
        sizes.append((tag, length))
    start = sum(length for tag, length in sizes[: next(i for i, (tag, _) in enumerate(sizes) if tag == 0)])
    table = brotli.decompress(data[at : at + struct.unpack(">I", data[20:24])[0]])[start:]
    found: set[int] = set()
    for i in range(struct.unpack(">H", table[2:4])[0]):
        offset = struct.unpack(">I", table[8 + 8 * i : 12 + 8 * i])[0]
        if struct.unpack(">H", table[offset : offset + 2])[0] != 4:
            continue
        segments = struct.unpack(">H", table[offset + 6 : offset + 8])[0] // 2
        ends = struct.unpack(f">{segments}H", table[offset + 14 : offset + 14 + 2 * segments])
        begins = struct.unpack(f">{segments}H", table[offset + 16 + 2 * segments : offset + 16 + 4 * segments])
        for begin, end in zip(begins, ends, strict=True):
            found.update(range(begin, end + 1))
    return found


BASIC = {ord(c) for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.,:;!?()[]%+-–—·…“”‘’"}


@pytest.mark.parametrize("name", ["IBMPlexSans", "IBMPlexMono"])
@pytest.mark.parametrize("weight", ["Regular", "Bold"])
def test_the_weights_we_use_have_every_basic_letter(name: str, weight: str) -> None:
    missing = BASIC - characters(font_file(name, weight))
    assert not missing, "".join(map(chr, sorted(missing)))


def test_gradio_and_plotly_bundle_the_same_major_version_of_the_chart_library() -> None:
    import gradio

    folder = Path(gradio.__file__).parent / "templates" / "frontend" / "assets"
    script = next(folder.glob("PlotlyPlot-*.js"), None)
    bundles = [p for p in folder.glob("*.js") if p.name.lower().startswith("plotly")]
    assert script or bundles
    found = {
        m
        for p in bundles
        for m in re.findall(r"plotly\.js v(\d+)\.\d+\.\d+", p.read_text(encoding="utf-8", errors="ignore")[:2000])
    }
    import plotly

    ours = (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_text(encoding="utf-8")[:300]
    assert not found or re.search(r"v(\d+)", ours)[1] in found
    assert version("plotly").split(".")[0] == "6"
