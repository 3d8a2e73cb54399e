"""``reproduce mdfg-models``: trains the scorers that come with the program, measures them, writes their cards.

Five scorers in ``assets/models/<name>/``: mdfg-zh-{toxicity, quality, domain}, mdfg-en-{toxicity, quality}. Only data
whose licence allows it is trained on. A scorer is replaced only when all claims about it hold.
"""

from __future__ import annotations

import dataclasses
import random
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from backends.mdfg import model_cards, model_data
from backends.mdfg.disguises import weaknesses
from backends.mdfg.domain import LABELS, decide
from backends.mdfg.domain_keywords import read_keywords
from backends.mdfg.labelled import Labelled, read_cold, read_davidson, read_edos, read_swsr
from backends.mdfg.leakage import without_leaks
from backends.mdfg.metrics_binary import at_threshold, auc
from backends.mdfg.metrics_domain import domain_figures, read_gold
from backends.mdfg.planted import Language
from backends.mdfg.reproduce_mdfg import DATA, MODELS, PREVALENCE, ROOT, unsplit
from backends.mdfg.scorers import keywords
from backends.mdfg.scorers.calibration import expected_error
from backends.mdfg.scorers.hashing import Grams
from backends.mdfg.scorers.ngram import NgramScorer
from backends.mdfg.scorers.ngram_files import MOST_BYTES, save
from backends.mdfg.scorers.train_ngram import Recipe, train
from backends.mdfg.toxicity_data import TOXIC, r0
from workbench.contract import Json, MissingResource
from workbench.evidence import Claim, Reproduction
from workbench.settings import Settings

GRAMS = {"zh": Grams(1, 3, 18), "en": Grams(2, 5, 19)}
KEYWORDS = ROOT / "assets" / "corpus" / "keywords.zh.yaml"
Made = tuple[NgramScorer | keywords.KeywordScorer, tuple[Claim, ...]]


def models(settings: Settings, quick: bool = False) -> Reproduction:
    """Train all, or with ``quick`` only the Chinese toxicity scorer, which is then not kept."""
    import torch

    if not DATA.is_dir():
        raise MissingResource("The corpus data are not beside the project (../shared/data/corpus).",
                              advice="Copy them there; see SOURCES.md of that folder for where they come from.")
    torch.set_num_threads(1)
    claims: list[Claim] = []
    for name, make in list(MAKERS.items())[:1 if quick else None]:
        scorer, found = make(DATA)
        with tempfile.TemporaryDirectory() as folder:
            size = sum(p.stat().st_size for p in kept(scorer, Path(folder)).iterdir())
        found = (*found, Claim(f"{name}: size in MB", size / 1e6, MOST_BYTES / 1e6, size <= MOST_BYTES))
        if not quick and all(claim.holds for claim in found):
            kept(scorer, MODELS / name)
            (MODELS / name / "README.md").write_text(model_cards.card(name, scorer.card), encoding="utf-8")
        claims += found
        print(f"{name}: " + "; ".join(f"{claim.what} {claim.value:.3f}" for claim in found))
    return Reproduction("mdfg-models", tuple(claims), 0.0)


def kept(scorer: NgramScorer | keywords.KeywordScorer, folder: Path) -> Path:
    """Write a scorer of either kind."""
    return save(scorer, folder) if isinstance(scorer, NgramScorer) else keywords.save(scorer, folder)


def recipe(language: Language, **changes: Json) -> Recipe:
    """How all of them are trained: leaving a fifth of the n-grams out, against single words learned by heart."""
    return dataclasses.replace(Recipe(GRAMS[language], drop=0.2), **changes)


def zh_toxicity(folder: Path) -> Made:
    """COLD train and four fifths of SWSR; measured on COLD dev and the rest of SWSR, copies left out."""
    known, held = parted(read_swsr(folder / "swsr_SexComment.csv"), 0.2)
    prose = benign_prose(model_data.flagdata(folder / "flagdata_example_data.jsonl"), "zh")
    return toxicity("zh", [*read_cold(folder / "coldataset_train.csv"), *known], prose,
                    {"COLD dev": read_cold(folder / "coldataset_dev.csv"), "SWSR": held},
                    ["COLD train (Apache-2.0)", "SWSR comments (MIT)", "FlagData documents (Apache-2.0), as benign"])


def en_toxicity(folder: Path) -> Made:
    """EDOS train and four fifths of Davidson; measured on EDOS test and the rest of Davidson, copies left out."""
    edos = read_edos(folder / "edos_labelled_aggregated.csv")
    known, held = parted(read_davidson(folder / "davidson_labeled_data.csv"), 0.2)
    return toxicity("en", [*(row for row in edos if row.split == "train"), *known],
                    benign_prose(model_data.english_documents(), "en"),
                    {"EDOS test": [row for row in edos if row.split == "test"], "Davidson": held},
                    ["EDOS train (CC0-1.0)", "Davidson (MIT)", "Python reference (PSF-2.0), as benign",
                     "scikit-learn descriptions (BSD-3-Clause), as benign"])


def benign_prose(documents: Sequence[str], language: Language) -> list[str]:
    """Harmless clips, good and planted: a toxicity model must not take long or broken text for toxic."""
    rows = model_data.quality_parts(documents, (), language, random.Random(1))[0]
    return [row.text for row in random.Random(2).sample(rows, min(3000, len(rows)))]


def parted(rows: Sequence[Labelled], share: float) -> tuple[list[Labelled], list[Labelled]]:
    """(rest, share), always the same."""
    order = list(rows)
    random.Random(7).shuffle(order)
    count = round(len(order) * share)
    return order[count:], order[:count]


def toxicity(language: Language, rows: Sequence[Labelled], prose: Sequence[str], tests: dict[str, list[Labelled]],
             data: list[str]) -> Made:
    """Train one on R0 of these rows; claims and card from the held-out sets."""
    known = r0(rows, prose, double=False)
    scorer = train("toxicity", known.texts, np.array(known.toxic, dtype=np.float32)[:, None], ("score",),
                   recipe(language), random.Random(0))
    figures: dict[str, Json] = {}
    claims = []
    toxic: list[str] = []
    for name, held in tests.items():
        fair = [held[i] for i in without_leaks(known.texts, [row.text for row in held])]
        figures[name] = {**yes_no(scorer, fair, TOXIC), "copies left out": len(held) - len(fair)}
        claims.append(Claim(f"{name}: AUC", figures[name]["AUC"], 0.75, figures[name]["AUC"] >= 0.75, 0.5))
        toxic += [row.text for row in fair if row.labels]
    weak = weaknesses(scorer, toxic, language, random.Random(3))
    facts = {"language": language, "data": data, "texts": len(known.texts), "held out": figures,
             "weaknesses": [f"{w.name}: recall of toxic texts at .5 falls from {w.plain:.2f} to {w.disguised:.2f}"
                            for w in weak],
             "limits": model_cards.TOXICITY_LIMITS[language]}
    return dataclasses.replace(scorer, card=facts), tuple(claims)


def yes_no(scorer: NgramScorer, rows: Sequence[Labelled], label: str) -> dict[str, Json]:
    """The figures of a card."""
    scores = scorer.score([row.text for row in rows])[:, 0].astype(np.float64)
    truth = np.array([label in row.labels for row in rows])
    half, sure = at_threshold(scores, truth, 0.5, PREVALENCE), at_threshold(scores, truth, 0.99, PREVALENCE)
    numbers = {"texts": len(rows), "share positive": float(truth.mean()), "accuracy": half.accuracy,
               "macro-F1": half.macro_f1, "AUC": auc(scores, truth) or 0.0, "precision": half.precision,
               "recall": half.recall, "precision at .99": sure.precision, "recall at .99": sure.recall,
               "calibration error": expected_error(scores, truth),
               "precision where 1 in 1000 is positive": half.corrected,
               "precision at .99 where 1 in 1000 is positive": sure.corrected}
    return {name: value if value is None else round(value, 4) for name, value in numbers.items()}


def zh_quality(folder: Path) -> Made:
    """FlagData's documents against planted damage and forum posts; measured on documents not trained on."""
    posts = [row.text for row in read_cold(folder / "coldataset_train.csv")[:8000]]
    return quality("zh", model_data.flagdata(folder / "flagdata_example_data.jsonl"), posts,
                   ["FlagData documents (Apache-2.0)", "COLD train (Apache-2.0), as forum posts",
                    "topics of the bundled library (ours)", "planted texts (ours)"])


def en_quality(folder: Path) -> Made:
    """English reference prose against planted damage and tweets; measured on chapters not trained on."""
    posts = [row.text for row in read_davidson(folder / "davidson_labeled_data.csv")[:8000]]
    return quality("en", model_data.english_documents(), posts,
                   ["Python reference (PSF-2.0)", "scikit-learn descriptions (BSD-3-Clause)",
                    "Davidson (MIT), as posts", "topics of the bundled library (ours)", "planted texts (ours)"])


def quality(language: Language, documents: Sequence[str], posts: Sequence[str], data: list[str]) -> Made:
    """Train one; measured on documents and on topics not trained on. Recall of every kind of bad text goes to the
    card."""
    known, held = model_data.quality_parts(documents, posts, language, random.Random(0))
    ours, others = model_data.library_parts(posts, language, random.Random(1))
    known = [*known, *ours]
    labels = np.array([["score" in row.labels] for row in known], dtype=np.float32)
    scorer = train("quality", [row.text for row in known], labels, ("score",), recipe(language), random.Random(0))
    tests = {"documents not seen": held, "topics of the sample not seen": others}
    figures = {test: {name: value for name, value in yes_no(scorer, rows, "score").items() if "1 in 1000" not in name}
               for test, rows in tests.items()}
    kinds = sorted({row.source for row in held if not row.labels})
    weak = [(kind, float((scorer.score([r.text for r in held if r.source == kind])[:, 0] < 0.5).mean()))
            for kind in kinds]
    facts = {"language": language, "data": data, "texts": len(known), "held out": figures,
             "weaknesses": [f"{kind}: {share:.2f} of such texts are found bad at .5"
                            for kind, share in sorted(weak, key=lambda pair: pair[1])],
             "limits": model_cards.QUALITY_LIMITS[language]}
    claims = tuple(Claim(f"AUC on {test}", figures[test]["AUC"], 0.8, figures[test]["AUC"] >= 0.8, 0.5)
                   for test in tests)
    return dataclasses.replace(scorer, card=facts), claims


def zh_domain(folder: Path) -> Made:
    """Keyword lists, nothing learned; measured on the 300 documents of the paper."""
    lists = read_keywords(KEYWORDS)
    scorer = keywords.KeywordScorer("domain", LABELS, lists)
    texts, gold = read_gold(folder / "cwt2_domain_test.txt")
    verdicts = decide(scorer.score([unsplit(text) for text in texts]), LABELS)
    one = domain_figures([(v.single_label,) for v in verdicts], gold)
    several = domain_figures([v.multi_label for v in verdicts], gold)
    most = domain_figures([("general",)] * len(gold), gold)
    figures = {"documents": one.documents, "top-1 precision": round(one.precision, 4),
               "top-1 recall": round(one.recall, 4), "precision": round(several.precision, 4),
               "recall": round(several.recall, 4), "micro-F1": round(several.micro_f1, 4)}
    facts = {"language": "zh", "data": [f"{sum(map(len, lists.values()))} keywords (ours)"], "texts": 0,
             "held out": {"300 documents of ChineseWebText 2.0 (official classifier: micro-F1 .840)": figures},
             "weaknesses": [f"{f.label}: F1 {f.f1:.2f}" for f in sorted(several.labels, key=lambda f: f.f1)],
             "limits": model_cards.DOMAIN_LIMITS}
    claim = Claim("micro-F1 on the 300 documents (control: all general)", several.micro_f1, most.micro_f1,
                  several.micro_f1 > most.micro_f1, most.micro_f1)
    return dataclasses.replace(scorer, card=facts), (claim,)


MAKERS: dict[str, Callable[[Path], Made]] = {
    "mdfg-zh-toxicity": zh_toxicity, "mdfg-zh-quality": zh_quality, "mdfg-zh-domain": zh_domain,
    "mdfg-en-toxicity": en_toxicity, "mdfg-en-quality": en_quality}
