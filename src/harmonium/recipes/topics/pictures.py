"""The pictures and tables of the topics recipe."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.figure import Figure
from torch import Tensor

from harmonium.recipes.topics.corpora import Corpus
from harmonium.recipes.topics.judged_documents import Judged, table_of
from harmonium.recipes.topics.machine_of_documents import lengths_of
from harmonium.recipes.topics.retrieval import RECALLS
from harmonium.report import Section, learning_curves
from harmonium.report.style import INK, LABEL, LINES, SMALL, WIDTH, page, quiet
from harmonium.runs.folder import Run

WORDS = {"rsm": "replicated softmax", "lda_50": "LDA, 50 topics", "lda_200": "LDA, 200 topics", "unigram": "one distribution of words"}
BINS = 8  # of lengths
LABELS = np.array([0.17, 0.032])  # width and height of a label, as shares of the map
FAMILIES = {"comp": "Blues", "rec": "Greens", "sci": "Oranges", "talk": "Reds", "misc": "Greys", "alt": "Purples", "soc": "Purples"}


def sections(
    run: Run,
    corpora: Sequence[Corpus],
    found: Sequence[Mapping[str, Judged]],
    precisions: Mapping[str, Tensor],
    plane: Tensor,
) -> list[Section]:
    """The report's parts, of a finished run.

    Parameters
    ----------
    run
        The folder of the run.
    corpora, found
        The collections, and what each model says of each.
    precisions
        By kind of code the precision at each recall, (recalls,); none for documents without groups.
    plane
        Codes of two numbers of the first collection's test documents, (documents, 2).
    """
    parts = []
    for corpus, models in zip(corpora, found, strict=True):
        parts.append(
            Section(
                f"Perplexity, {corpus.name}",
                f"Of {corpus.test.shape[0]:,} test documents, each counting alike: e to the power of minus the mean of log p / words. "
                "Points are groups of documents of similar length, with two standard errors.",
                [(by_length(models, corpus), "perplexity by the length of a document")],
                table(models, corpus),
            )
        )
    if precisions:
        words = "Test documents look for training documents of their newsgroup by the cosine of their codes."
        parts.append(Section("Documents found", words, [(curves(precisions), "precision at each recall, the mean over the queries")]))
    parts.append(
        Section(
            "A map of documents",
            "Codes of two numbers by a deep autoencoder, which saw no newsgroup. Families of groups have shades of a colour.",
            [(map_of_documents(plane, corpora[0]), "a dot for each test document")],
        )
    )
    for corpus, models in zip(corpora, found, strict=True):
        words = "The words with the largest weights to each hidden unit, and how often it is on in the test documents."
        parts.append(Section(f"Topics, {corpus.name}", words, table=table_of(models["rsm"], corpus)))
    histories = {phase: rows for phase, rows in run.histories().items() if not phase.endswith("judged")}
    drawn = learning_curves(histories, metrics=("reconstruction_error", "update_ratio", "train_loss"))
    return [*parts, Section("Learning", figures=[(drawn, "each phase against its epochs")])]


def table(models: Mapping[str, Judged], corpus: Corpus) -> list[dict[str, object]]:
    """A row for each model: perplexities, documents counting alike and words counting alike."""
    words = lengths_of(corpus.test)
    rows: list[dict[str, object]] = []
    for name, judged in models.items():
        nats, whole = (judged.log_p / words).mean().item(), (judged.log_p.sum() / words.sum()).item()
        rows.append({"model": WORDS[name], "perplexity": f"{math.exp(-nats):.1f}", "all words alike": f"{math.exp(-whole):.1f}"})
    return rows


def by_length(models: Mapping[str, Judged], corpus: Corpus) -> Figure:
    """Perplexities of documents in groups of similar length."""
    figure, _ = page(WIDTH, 3.4, None)
    figure.set_layout_engine("constrained")
    axes: Any = figure.subplots()
    words = lengths_of(corpus.test).double()
    order, groups = words.argsort(), min(BINS, len(words) // 2)
    x = [words[order][part].mean().item() for part in torch.arange(len(words)).chunk(groups)]
    for place, (name, judged) in enumerate(models.items()):
        nats = (judged.log_p / words)[order]
        bins = [nats[part] for part in torch.arange(len(words)).chunk(groups)]
        y = [math.exp(-each.mean()) for each in bins]
        spread = [2 * middle * (each.std() / math.sqrt(len(each))).item() for middle, each in zip(y, bins, strict=True)]
        axes.errorbar(x, y, yerr=spread, marker="o", markersize=4, color=LINES[place], label=WORDS[name], capsize=2, linewidth=1.4)
    axes.set_xscale("log")
    axes.set_xticks(x, [f"{each:.0f}" for each in x])
    axes.minorticks_off()
    axes.set_xlabel("words of a document, the mean of each group", fontsize=LABEL, color=INK)
    axes.set_ylabel("perplexity a word", fontsize=LABEL, color=INK)
    axes.legend(frameon=False, fontsize=LABEL)
    quiet(axes)
    return figure


def curves(precisions: Mapping[str, Tensor]) -> Figure:
    """Precision against recall by each kind of code."""
    figure, _ = page(WIDTH, 3.8, None)
    figure.set_layout_engine("constrained")
    axes: Any = figure.subplots()
    names = [name for name in precisions if name != "autoencoder_2"]
    for place, name in enumerate(names):
        style = "-" if place < len(LINES) else "--"
        axes.plot(RECALLS, 100 * precisions[name], style, marker="o", markersize=4, color=LINES[place % len(LINES)], label=of_code(name))
    axes.set_xscale("log")
    axes.set_xticks(RECALLS, [f"{100 * recall:g}" for recall in RECALLS])
    axes.minorticks_off()
    axes.set_xlabel("recall, %", fontsize=LABEL, color=INK)
    axes.set_ylabel("precision, %", fontsize=LABEL, color=INK)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=LABEL)
    quiet(axes)
    return figure


def of_code(name: str) -> str:
    """What a kind of code is called."""
    kind, _, size = name.rpartition("_")
    others = {"lsa": f"LSA, {size} numbers", "autoencoder": f"deep autoencoder, {size} numbers", "bits": f"deep autoencoder, {size} bits"}
    return WORDS.get(name) or others[kind]


def map_of_documents(plane: Tensor, corpus: Corpus) -> Figure:
    """Codes of two numbers, (documents, 2), in the colours of the groups, whose names stand at their medians."""
    figure, _ = page(WIDTH, 7.0, None)
    figure.set_layout_engine("constrained")
    axes: Any = figure.subplots()
    x = plane.numpy()
    low, high = np.quantile(x, [0.005, 0.995], axis=0)
    room = np.maximum((high - low) * 0.04, 1e-6)
    names = corpus.group_names or ["documents"]
    middles = {}
    for group, (name, colour) in enumerate(zip(names, colours(names), strict=True)):
        own = x[(corpus.test_groups == group).numpy()]
        axes.scatter(*own.T, s=4, color=colour, alpha=0.7, linewidths=0)
        if corpus.group_names and len(own):
            middles[name, colour] = np.median(own, axis=0)
    for (name, colour), middle in zip(middles, apart(list(middles.values()), high - low), strict=True):
        box = {"facecolor": "white", "edgecolor": colour, "boxstyle": "round,pad=0.15", "linewidth": 1.0, "alpha": 0.85}
        axes.text(*middle, name, fontsize=SMALL, color=INK, ha="center", va="center", bbox=box)
    axes.set_xlim(low[0] - room[0], high[0] + room[0])
    axes.set_ylim(low[1] - room[1], high[1] + room[1])
    quiet(axes)
    return figure


def apart(places: Sequence[Any], span: Any) -> list[Any]:
    """The places of labels, (2,) each, of which those that would cover one below are raised. `span`: of the map, (2,)."""
    found = [np.array(place) for place in places]
    done: list[Any] = []
    for place in sorted(found, key=lambda place: float(place[1])):
        while any((np.abs(place - other) < 0.999 * span * LABELS).all() for other in done):
            place[1] += 0.1 * span[1] * LABELS[1]
        done.append(place)
    return found


def colours(names: Sequence[str]) -> list[Any]:
    """A colour for each group: shades of one for those whose names begin alike."""
    families = [name.split(".")[0] for name in names]
    if not set(families) <= set(FAMILIES):
        return [colormaps["tab20"](number % 20) for number in range(len(names))]
    found = []
    for number, family in enumerate(families):
        alike = [place for place, other in enumerate(families) if FAMILIES[other] == FAMILIES[family]]
        found.append(colormaps[FAMILIES[family]](0.45 + 0.45 * alike.index(number) / max(len(alike) - 1, 1)))
    return found
