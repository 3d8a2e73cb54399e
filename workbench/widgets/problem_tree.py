"""The pool of problem types as a tree: one group a category, seeds with what evolved from them, and how the pool grew.

Drawn from ``pool.json`` of a scenario run as it stands: entries that are no types are left out, a parent in another
category is named instead of drawn, and a circle of parents is cut where it closes. Everything is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from workbench.contract import Json
from workbench.text import say
from workbench.widgets.markup import element, esc

ORIGINS = ("esconv", "evolved", "user")
WIDTH, HEIGHT = 150, 34
MOST, DEEPEST = 2000, 40
"""Types and levels that are drawn; more would be no picture."""
Row = Mapping[str, Json]


def problem_tree(pool: Json, lang: str, *, target: int = 0, picked: str = "", buttons: bool = False) -> str:
    """The whole tree in the reader's language. ``target`` draws the size that the pool is to reach; with ``buttons``
    names can be pressed (``data-act="problem"``, ``data-key`` the id) and ``picked`` is the one that is chosen."""
    table = pool if isinstance(pool, Mapping) else {}
    rows = list(_rows(table))[:MOST]
    if not rows:
        return element("div", element("p", esc(say(lang, "tree.none")), class_="pt-none"), class_="pt")
    by_id = {row["id"]: row for row in rows}
    groups = "".join(_category(key, name, rows, by_id, lang, picked, buttons)
                     for key, name in _categories(table, rows, lang))
    inner = _head(table, rows, lang, target) + _key(rows, lang) + element("div", groups, class_="pt-cats")
    return element("div", inner, class_="pt", role="tree", aria_label=say(lang, "tree.label"))


def _rows(table: Mapping[str, Json]) -> Iterator[Row]:
    """The entries that are types: tables with an id of their own."""
    found, seen = table.get("types"), set[str]()
    for row in found if isinstance(found, list) else ():
        if isinstance(row, Mapping) and isinstance(row.get("id"), str) and row["id"] and row["id"] not in seen:
            seen.add(row["id"])
            yield row


def _categories(table: Mapping[str, Json], rows: Sequence[Row], lang: str) -> list[tuple[str, str]]:
    """Id and name of every category that is listed or used, those without a list last."""
    found = table.get("categories")
    listed = {str(c["id"]): name_of(c, lang) for c in found if isinstance(c, Mapping) and c.get("id")} \
        if isinstance(found, list) else {}
    used = dict.fromkeys(_category_of(row) for row in rows)
    return [*listed.items(), *((key, key or say(lang, "tree.other")) for key in used if key not in listed)]


def _category_of(row: Row) -> str:
    return str(row.get("category") or "")


def name_of(row: Row, lang: str, field: str = "name") -> str:
    """A type's name or gloss in the reader's language, else in the other one, else its id (no gloss: nothing)."""
    first, second = ("zh", "en") if lang == "zh-CN" else ("en", "zh")
    found = row.get(f"{field}_{first}") or row.get(f"{field}_{second}") or ""
    return str(found) or (str(row["id"]) if field == "name" else "")


def _category(key: str, name: str, rows: Sequence[Row], by_id: Mapping[str, Row], lang: str, picked: str,
              buttons: bool) -> str:
    own = [row for row in rows if _category_of(row) == key]
    children: dict[str, list[Row]] = {}
    roots = []
    for row in own:
        parent = by_id.get(str(row.get("parent_id")))
        if parent is not None and _category_of(parent) == key and _below(row, by_id):
            children.setdefault(str(parent["id"]), []).append(row)
        else:
            roots.append(row)
    items = "".join(_node(row, children, by_id, lang, picked, buttons) for row in roots)
    head = element("h4", esc(name) + element("span", esc(len(own))))
    return element("section", head + (element("ul", items, role="group") if items else ""), class_="pt-cat")


def _below(row: Row, by_id: Mapping[str, Row]) -> bool:
    """Whether a type can be drawn below its parent: it is not its own ancestor and not too deep down."""
    seen, at = {row["id"]}, by_id.get(str(row.get("parent_id")))
    while at is not None and len(seen) <= DEEPEST:
        if at["id"] in seen:
            return False
        seen.add(at["id"])
        at = by_id.get(str(at.get("parent_id")))
    return at is None


def _node(row: Row, children: Mapping[str, Sequence[Row]], by_id: Mapping[str, Row], lang: str, picked: str,
          buttons: bool) -> str:
    name, key = esc(name_of(row, lang)), str(row["id"])
    title = element("button", name, type="button", class_="pt-name", data_act="problem", data_key=key) if buttons \
        else element("span", name, class_="pt-name")
    notes = element("span", esc(" · ".join(_notes(row, by_id, lang))), class_="pt-note")
    gloss = name_of(row, lang, "gloss")
    below = "".join(_node(child, children, by_id, lang, picked, buttons) for child in children.get(key, ()))
    inner = title + notes + (element("span", esc(gloss), class_="pt-gloss") if gloss and gloss != name_of(row, lang)
                             else "") + (element("ul", below, role="group") if below else "")
    return element("li", inner, class_=f"pt-{_origin(row)}{' pt-picked' if key == picked else ''}", role="treeitem",
                   aria_selected="true" if key == picked else None)


def _origin(row: Row) -> str:
    return str(row["origin"]) if row.get("origin") in ORIGINS else "user"


def _notes(row: Row, by_id: Mapping[str, Row], lang: str) -> Iterator[str]:
    """A parent that is not drawn, the round it came in, and the type it is most like."""
    parent = by_id.get(str(row.get("parent_id")))
    if parent is not None and _category_of(parent) != _category_of(row):
        yield say(lang, "tree.from", name=name_of(parent, lang))
    born = row.get("born")
    if not isinstance(born, Mapping):
        return
    if isinstance(born.get("round"), int):
        yield say(lang, "tree.born", round=born["round"] + 1)
    like, score = by_id.get(str(born.get("nearest"))), born.get("similarity")
    if like is not None and isinstance(score, int | float) and math.isfinite(score):
        yield say(lang, "tree.like", score=f"{score:.2f}", name=name_of(like, lang))


def _head(table: Mapping[str, Json], rows: Sequence[Row], lang: str, target: int) -> str:
    evolved = sum(1 for row in rows if isinstance(row.get("born"), Mapping))
    words = [say(lang, "tree.seeds", n=len(rows) - evolved), say(lang, "tree.evolved", n=evolved)]
    if "stop" in table:
        stop = table["stop"] if table["stop"] in ("target", "dry spell", "rounds") else ""
        words.append(say(lang, f"tree.stop.{stop}"))
    total = element("b", esc(say(lang, "tree.total", types=len(rows))))
    return element("div", total + "".join(element("span", esc(word)) for word in words)
                   + growth(table.get("growth"), len(rows) - evolved, target, lang), class_="pt-head")


def growth(sizes: Json, start: int, target: int, lang: str) -> str:
    """The size of the pool after each round as a small step line, or nothing before the first round."""
    points = [start, *(size for size in sizes if isinstance(size, int) and not isinstance(size, bool) and size >= 0)] \
        if isinstance(sizes, list) else []
    if len(points) < 2:
        return ""
    low, high = min(points), max([*points, target])
    across, up = len(points) - 1, (high - low) or 1

    def place(value: int) -> str:
        return f"{2 + (high - value) / up * (HEIGHT - 4):.1f}"
    line = f"M0 {place(points[0])}" + "".join(
        f"H{step / across * WIDTH:.1f}V{place(value)}" for step, value in enumerate(points[1:], 1))
    aim = f'<path class="pt-target" d="M0 {place(target)}H{WIDTH}"/>' if target > 0 else ""
    label = say(lang, "tree.growth", first=points[0], last=points[-1], rounds=across)
    return (f'<svg class="pt-growth" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
            f'aria-label="{esc(label)}"><title>{esc(label)}</title>{aim}<path d="{line}"/></svg>')


def _key(rows: Sequence[Row], lang: str) -> str:
    """What the marks mean, for the origins that occur."""
    used = [origin for origin in ORIGINS if any(_origin(row) == origin for row in rows)]
    return element("div", "".join(element("span", "<i></i>" + esc(say(lang, f"tree.origin.{origin}")),
                                          class_=f"pt-{origin}") for origin in used), class_="pt-key")
