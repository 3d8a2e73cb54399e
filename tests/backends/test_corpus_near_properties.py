"""MinHash, bands and clusters against plain Python: the same numbers, the same links, the same document kept."""

from __future__ import annotations

import math
import random
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.mdfg.dedup import clusters, minhash
from backends.mdfg.recipes import Near, dump_recipe, load_recipe
from backends.mdfg.text.codes import codes_of
from tests.backends.corpus_cases import attributes, filtered, good_text, lines_of, texts, write_lines

PLAIN = settings(max_examples=60, deadline=None)
WORD = 2**64


def signed(batch: list[str], **options: int) -> minhash.Signatures:
    return minhash.signatures(*codes_of(batch), **options)


def slow_signature(text: str, n: int, count: int) -> list[int]:
    """The definition in integers of any size; for texts whose lower case keeps every place."""
    plain = [c.lower() for c in text.strip() if c not in " \n\t"]
    made = minhash.functions(count)
    if not plain:
        return [2**32 - 1] * count
    hashes = set()
    for begin in range(max(1, len(plain) - n + 1)):
        value = 0
        for c in plain[begin:begin + n]:
            value = (value ^ ord(c)) * int(minhash.BASE) % WORD
        value = (value ^ (value >> 33)) * int(minhash.MIXER) % WORD
        hashes.add(value >> 32)
    return [min((a * x + b) % 2**32 for x in hashes) for a, b in zip(made.a.tolist(), made.b.tolist(), strict=True)]


@PLAIN
@given(st.text("aB 中國\n。", max_size=25), st.integers(1, 7), st.sampled_from([16, 32]))
def test_a_signature_is_its_definition(text: str, n: int, count: int) -> None:
    assert signed([text], shingle=n, count=count)[0].tolist() == slow_signature(text, n, count)


@PLAIN
@given(st.lists(st.text("ab中", max_size=12), max_size=6))
def test_a_signature_does_not_depend_on_the_company(batch: list[str]) -> None:
    together = signed(batch, count=16)
    assert together.shape == (len(batch), 16)
    for i, text in enumerate(batch):
        assert (signed([text], count=16)[0] == together[i]).all()


@PLAIN
@given(st.text("ab中文天地", min_size=6, max_size=40), st.integers(0, 30))
def test_the_same_shingles_give_the_same_signature(text: str, times: int) -> None:
    """Repeating a text that is periodic adds no shingle."""
    period = text * 2
    assert (signed([period + period[:len(text)]])[0] == signed([period * 2])[0]).all()
    spaced = " ".join(text) + "\n" * times
    assert (signed([text])[0] == signed([spaced])[0]).all()


def test_the_error_is_that_of_the_formula() -> None:
    """Pairs of sets of known similarity: the mean error vanishes, its spread is sqrt(J (1 - J) / k)."""
    draw = random.Random(2)
    letters = [chr(0x4E00 + i) for i in range(3000)]
    for share in (0.2, 0.5, 0.8):
        errors = []
        for _ in range(60):
            common = "".join(draw.sample(letters, 400))
            size = round(400 * (1 / share - 1) / 2)
            one, two = ("".join(draw.sample(letters, size)) for _ in range(2))
            pair = signed([common + one, common + two])
            sets = [{text[i:i + 5] for i in range(len(text) - 4)} for text in (common + one, common + two)]
            errors.append(float(minhash.similarity(pair[0], pair[1])) - len(sets[0] & sets[1]) / len(sets[0] | sets[1]))
        spread = math.sqrt(share * (1 - share) / 128)
        assert abs(np.mean(errors)) < 4 * spread / math.sqrt(60)
        assert 0.6 * spread < np.std(errors) < 1.5 * spread


# --- clusters


def slow_clusters(made: np.ndarray, bands: int, rows: int, limit: float) -> list[int]:
    """All pairs with an equal band and a similarity of at least the limit, joined."""
    count = len(made)
    groups = [{i} for i in range(count)]
    empty = [bool((made[i] == minhash.EMPTY).all()) for i in range(count)]
    for i, j in combinations(range(count), 2):
        equal = any((made[i, b * rows:(b + 1) * rows] == made[j, b * rows:(b + 1) * rows]).all() for b in range(bands))
        if equal and not (empty[i] or empty[j]) and (made[i] == made[j]).mean() >= limit - 1e-9:
            joined = groups[i] | groups[j]
            for member in joined:
                groups[member] = joined
    return [min(group) if len(group) > 1 else -1 for group in groups]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40)), min_size=1, max_size=14), st.booleans())
def test_copies_and_their_variants_are_found(made: list[tuple[int, int]], far: bool) -> None:
    """Each text is one of four, turned by some places: near ones are linked whatever their order."""
    bases = [good_text(320)[i * 80:(i + 1) * 80] for i in range(4)]
    batch = [bases[which][turn % (40 if far else 3):] for which, turn in made]
    signatures = signed(batch)
    found = clusters.find([signatures]).tolist()
    slow = slow_clusters(signatures, 21, 6, 0.7)
    assert all(slow[i] == slow[j] for i, j in combinations(range(len(batch)), 2) if found[i] == found[j] >= 0)
    assert all(found[i] == found[batch.index(text)] >= 0 for i, text in enumerate(batch) if batch.count(text) > 1)
    if not far:
        assert found == slow, "near ones are all found"


@PLAIN
@given(st.lists(st.integers(-1, 4), min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_the_best_document_by_the_order_that_is_documented(raw: list[int], draw: random.Random) -> None:
    count = len(raw)
    cluster = np.array([-1 if value < 0 or raw.count(value) < 2 else raw.index(value) for value in raw])
    quality = np.array([draw.choice([0.1, 0.5, 0.9, math.nan]) for _ in raw])
    length, eligible = np.array([draw.choice([5, 9]) for _ in raw]), np.array([draw.random() < 0.5 for _ in raw])
    found = clusters.keep_best(cluster, quality, length, eligible)
    for i in range(count):
        members = [j for j in range(count) if cluster[j] == cluster[i]] if cluster[i] >= 0 else [i]
        best = max(members, key=lambda j: (eligible[j], -1.0 if math.isnan(quality[j]) else quality[j], length[j], -j))
        assert found.keep[i] == (i == best)
        assert found.sizes[i] == len(members)
    for name in set(cluster.tolist()) - {-1}:
        assert found.keep[cluster == name].sum() == 1, "every cluster keeps one"


@pytest.mark.parametrize(("bands", "rows", "limit", "linked"), [(21, 6, 0.7, True), (1, 64, 0.7, False),
                                                               (21, 6, 0.99, False), (64, 2, 0.3, True)])
def test_bands_rows_and_limit_decide(bands: int, rows: int, limit: float, linked: bool) -> None:
    one = good_text(400)
    other = one[:200] + "甲" + one[200:]
    made = signed([one, other, "完全不同的一句话，没有任何相同之处。"])
    assert (clusters.find([made], bands, rows, limit)[1] == 0) == linked
    assert clusters.find([made], bands, rows, limit)[2] == -1


def test_many_equal_documents_are_one_cluster_in_good_time() -> None:
    made = np.repeat(signed(["一模一样的一句话，写了三万遍。"]), 30_000, axis=0)
    assert set(clusters.find([made]).tolist()) == {0}


def test_empty_texts_in_any_number_are_never_duplicates() -> None:
    made = signed(["", " ", "\n\t", "内容内容内容", "内容内容内容"])
    assert clusters.find([made[:2], made[2:]]).tolist() == [-1, -1, -1, 3, 3]


# --- in a run


def test_the_policy_of_keeping(tmp_path: Path) -> None:
    base = good_text(400)
    rows = [{"text": base[:380], "quality_score": 0.2}, {"text": base, "quality_score": 0.4},
            {"text": base[10:390], "quality_score": 0.9}, {"text": base[:200], "quality_score": 1.0}]
    path = write_lines(tmp_path / "a.jsonl", rows)
    kept = {}
    for policy in ("quality", "length", "first"):
        recipe = dump_recipe(load_recipe("zh-paper-code")).replace("keep: quality", f"keep: {policy}").replace(
            "similarity: 0.7", "similarity: 0.4").replace("rows: 6", "rows: 2").replace("bands: 21", "bands: 60")
        _, context = filtered(tmp_path / policy, sources=(path,), recipe=recipe, near_duplicates="drop")
        table = attributes(context)
        assert {row["dup_cluster"] for row in table} == {0}, [row["dup_cluster"] for row in table]
        kept[policy] = [row["kept"] for row in table].index(True)
        assert sum(row["kept"] for row in table) == 1
    assert kept == {"quality": 2, "length": 1, "first": 0}, "the best of all is too short for the rules"


def test_shards_and_workers_change_no_cluster(tmp_path: Path) -> None:
    made = texts(300, seed=14)
    path = write_lines(tmp_path / "a.jsonl", [{"text": text} for text in made])
    found = [[(row["dup_cluster"], row["dup_keep"], row["dup_size"]) for row in attributes(filtered(
        tmp_path / str(size), sources=(path,), shard_mb=size, near_duplicates="drop")[1])] for size in (0.02, 0.1, 8)]
    assert found[0] == found[1] == found[2]
    cluster = [row[0] for row in found[0]]
    assert sum(name >= 0 for name in cluster) > 10
    assert all(cluster[name] == name for name in cluster if name >= 0)


def test_clusters_over_several_files_and_formats(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path / "in"
    folder.mkdir()
    write_lines(folder / "a.jsonl", [{"text": good_text(300)}, {"text": good_text(250)[::-1]}])
    pq.write_table(pa.table({"text": [good_text(300) + "。"]}), folder / "b.parquet")
    result, context = filtered(tmp_path / "run", sources=(folder,), near_duplicates="drop", exports=("ledger",))
    assert [row["dup_cluster"] for row in attributes(context)] == [0, -1, 0]
    assert result.clusters == 1
    dropped = lines_of(context.run / "artifacts" / "dropped.jsonl")
    assert ["near_duplicate" in record["rules_failed"] for record in dropped].count(True) == 1


@pytest.mark.parametrize(("fields", "message"), [
    ({"bands": 0}, "bands is 0"), ({"functions": 8}, "functions is 8"), ({"similarity": 0.0}, "similarity is 0"),
    ({"shingle": 0}, "shingle is 0"), ({"keep": "newest"}, "keep is 'newest'"),
    ({"mode": "delete"}, "mode is 'delete'"), ({"bands": 43, "rows": 3}, "bands x rows is 129")])
def test_settings_that_make_no_sense(fields: dict, message: str) -> None:
    from workbench.contract import UserError

    with pytest.raises(UserError, match=message):
        Near(**fields)
