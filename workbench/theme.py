"""The look as data: one neutral palette with one accent, in light and dark, for Gradio's theme and our own CSS.

``PALETTE`` is the only place a colour is written down. :func:`stylesheet` makes it our CSS variables (``--wb-ink``
..) in front of every file of ``assets/theme``, and :func:`theme` points Gradio's variables at those, so that one class
on the page turns everything dark. A test holds every text/ground pair to 4.5:1 (WCAG AA).
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import gradio as gr
from gradio.themes.utils.fonts import Font, LocalFont
from gradio.themes.utils.sizes import Size

FOLDER = Path(__file__).resolve().parent.parent / "assets" / "theme"
PALETTE: Mapping[str, tuple[str, str]] = MappingProxyType({
    "paper": ("#f7f7f5", "#15171a"),        # the page
    "sheet": ("#ffffff", "#1b1e22"),        # fields, menus
    "shade": ("#efefec", "#23272c"),        # rows under the pointer, code, tracks
    "line": ("#dddcd7", "#31363c"),         # hairlines
    "edge": ("#8b8d90", "#6d747c"),         # borders that must be found: fields, buttons
    "ink": ("#1d1f22", "#e5e7e9"),
    "dim": ("#585d63", "#a0a7af"),
    "accent": ("#1f5091", "#86b3ec"),
    "accent-strong": ("#173f75", "#a6c8f3"),
    "accent-soft": ("#e4ecf6", "#1d2f47"),
    "on-accent": ("#ffffff", "#10161e"),
    "good": ("#23683a", "#7ec795"),
    "warn": ("#7d5200", "#e2b45c"),
    "bad": ("#a8281e", "#f19489"),
    "bad-soft": ("#fbeceb", "#3a2020"),
    "c1": ("#1f5091", "#86b3ec"),           # curves, in the order of first use
    "c2": ("#a8481c", "#eb9567"),
    "c3": ("#12716a", "#5cc4b8"),
    "c4": ("#6a4c93", "#b79ae0"),
    "c5": ("#7d5200", "#e2b45c"),
    "c6": ("#a52a5e", "#ee8db4"),
})
"""Name -> (light, dark)."""
SANS = ("IBM Plex Sans", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", "system-ui", "sans-serif")
MONO = ("IBM Plex Mono", "Noto Sans Mono CJK SC", "ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")
WEIGHTS = (400, 700)
"""Gradio's bundled semi-bold files are subsets without basic letters; these two are whole."""
_TEXT = ("11px", "12px", "12.5px", "13.5px", "15px", "18px", "22px")
_SPACE = ("1px", "2px", "4px", "6px", "8px", "12px", "16px")
_RADIUS = ("1px", "2px", "2px", "3px", "3px", "4px", "6px")


def _fonts(names: tuple[str, ...]) -> tuple[Font, ...]:
    first, *others = names
    return (LocalFont(first, weights=WEIGHTS), *(Font(name) for name in others))


def theme() -> gr.themes.Base:
    """Gradio's theme in our palette: hairlines instead of boxes, no shadows, small radii, 13.5 px text."""
    made = gr.themes.Base(
        primary_hue=gr.themes.colors.blue, neutral_hue=gr.themes.colors.gray,
        text_size=Size(*_TEXT, name="wb_text"), spacing_size=Size(*_SPACE, name="wb_space"),
        radius_size=Size(*_RADIUS, name="wb_radius"), font=_fonts(SANS), font_mono=_fonts(MONO))
    made.name = "workbench"
    known = inspect.signature(made.set).parameters
    values = {name: f"var(--wb-{value})" if value in PALETTE else value for name, value in _colours().items()}
    dark = {f"{name}_dark": value for name, value in values.items() if f"{name}_dark" in known}
    return made.set(**values, **dark, **_SHAPES)


def _colours() -> dict[str, str]:
    """Gradio variable -> palette name (or a plain CSS value)."""
    return {
        **dict.fromkeys(("body_background_fill", "background_fill_primary"), "paper"),
        **dict.fromkeys(("background_fill_secondary", "code_background_fill", "table_even_background_fill",
                         "button_secondary_background_fill_hover", "checkbox_label_background_fill_hover",
                         "table_row_focus"), "shade"),
        **dict.fromkeys(("body_text_color", "block_label_text_color", "block_title_text_color", "table_text_color",
                         "accordion_text_color", "checkbox_label_text_color", "checkbox_label_text_color_selected",
                         "button_secondary_text_color", "button_secondary_text_color_hover", "button_cancel_text_color",
                         "button_cancel_text_color_hover", "error_text_color"), "ink"),
        **dict.fromkeys(("body_text_color_subdued", "block_info_text_color", "input_placeholder_color"), "dim"),
        **dict.fromkeys(("border_color_primary", "block_border_color", "panel_border_color",
                         "table_border_color"), "line"),
        **dict.fromkeys(("input_border_color", "input_border_color_hover", "checkbox_border_color",
                         "checkbox_border_color_hover", "button_secondary_border_color",
                         "button_cancel_border_color"), "edge"),
        **dict.fromkeys(("border_color_accent", "color_accent", "link_text_color", "link_text_color_visited",
                         "input_border_color_focus", "checkbox_border_color_focus", "checkbox_border_color_selected",
                         "checkbox_background_color_selected", "slider_color", "loader_color", "stat_background_fill",
                         "button_primary_background_fill", "button_primary_border_color"), "accent"),
        **dict.fromkeys(("link_text_color_hover", "link_text_color_active", "button_primary_background_fill_hover",
                         "button_primary_border_color_hover", "button_secondary_border_color_hover"), "accent-strong"),
        **dict.fromkeys(("color_accent_soft", "border_color_accent_subdued",
                         "checkbox_label_background_fill_selected"), "accent-soft"),
        **dict.fromkeys(("button_primary_text_color", "button_primary_text_color_hover"), "on-accent"),
        **dict.fromkeys(("input_background_fill", "input_background_fill_focus", "input_background_fill_hover",
                         "checkbox_background_color", "checkbox_background_color_hover",
                         "checkbox_background_color_focus", "button_secondary_background_fill",
                         "button_cancel_background_fill", "table_odd_background_fill"), "sheet"),
        **dict.fromkeys(("block_background_fill", "block_label_background_fill", "block_title_background_fill",
                         "panel_background_fill", "checkbox_label_background_fill"), "transparent"),
        **dict.fromkeys(("button_cancel_background_fill_hover", "error_background_fill"), "bad-soft"),
        **dict.fromkeys(("error_border_color", "error_icon_color", "button_cancel_border_color_hover"), "bad"),
        **dict.fromkeys(("block_shadow", "block_label_shadow", "input_shadow", "input_shadow_focus", "checkbox_shadow",
                         "checkbox_label_shadow", "button_primary_shadow", "button_secondary_shadow", "shadow_drop",
                         "button_cancel_shadow", "shadow_inset"), "none"),
    }


_SHAPES: Mapping[str, str] = MappingProxyType({
    "block_border_width": "0px", "block_label_border_width": "0px", "block_padding": "0px", "panel_border_width": "0px",
    "block_label_padding": "0px", "block_label_margin": "0px", "block_title_padding": "0px", "form_gap_width": "0px",
    "block_label_text_size": "12px", "block_label_text_weight": "400", "block_title_text_size": "12px",
    "block_title_text_weight": "700", "block_info_text_size": "12px", "block_info_text_weight": "400",
    "layout_gap": "12px", "input_border_width": "1px", "input_padding": "5px 8px", "input_text_size": "13.5px",
    "button_border_width": "1px", "button_large_padding": "5px 14px", "button_medium_padding": "4px 11px",
    "button_small_padding": "2px 8px", "button_large_text_size": "13.5px", "button_medium_text_size": "13px",
    "button_small_text_size": "12px", "button_large_text_weight": "400", "button_medium_text_weight": "400",
    "button_small_text_weight": "400", "button_large_radius": "3px", "button_medium_radius": "3px",
    "button_small_radius": "3px", "button_transition": "background-color .1s, border-color .1s",
    "checkbox_border_width": "1px", "checkbox_border_radius": "2px", "checkbox_label_padding": "3px 9px",
    "checkbox_label_border_width": "1px", "checkbox_label_text_size": "13px", "prose_text_size": "13.5px",
    "prose_header_text_weight": "700", "section_header_text_weight": "700", "container_radius": "0px",
    "block_radius": "0px", "table_radius": "0px", "embed_radius": "0px",
})


def stylesheet() -> str:
    """Our whole CSS: the palette as variables, then every file of ``assets/theme`` in the order of its name."""
    light = "".join(f"--wb-{name}:{pair[0]};" for name, pair in PALETTE.items())
    dark = "".join(f"--wb-{name}:{pair[1]};" for name, pair in PALETTE.items())
    stacks = "".join(f"--wb-{name}:{','.join(str(Font(f)) for f in fonts)};"
                     for name, fonts in (("sans", SANS), ("mono", MONO)))
    head = f":root{{{light}{stacks}color-scheme:light}}\n:root.wb-dark,.dark{{{dark}color-scheme:dark}}\n"
    return head + "\n".join(path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.css")))


def contrast(one: str, other: str) -> float:
    """WCAG 2.2 contrast ratio of two ``#rrggbb`` colours: (L1 + 0.05) / (L2 + 0.05) of relative luminances L1 >= L2."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
