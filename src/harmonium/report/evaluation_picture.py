"""The figure of a likelihood and its reliability."""

import math
import textwrap

import numpy as np
from matplotlib.figure import Figure

from harmonium.likelihood import Evaluation
from harmonium.likelihood.evaluation import Row

from .names import name_beside
from .style import INK, LABEL, LINES, MARGIN, MUTED, PAPER, SMALL, page, quiet, text_width

_PAGE, _BAND = 7.5, 0.42
"""Width of the page and height of one estimate's band, in inches."""


def evaluation(evaluated: Evaluation, *, title: str | None = None) -> Figure:
    """The mean log-probability of the cases by each estimate of log Z, with the sentence on its reliability below.

    One dot per estimate, in nats per case, hollow for the second estimate. The thick bar is one standard error of log Z. An error of log Z
    shifts all cases alike, and the standard error does not account for modes that no chain reached. The thin bar adds the standard error
    over the cases, which all estimates share. The figure and the effective sample size stand beside the bar.

    Parameters
    ----------
    evaluated
        From `harmonium.likelihood.evaluate`.
    title
        Above the figure.

    Returns
    -------
    Figure

    Examples
    --------
    >>> import torch, harmonium as hm
    >>> rbm = hm.RBM(hm.Bernoulli(4), hm.Bernoulli(3))
    >>> figure = evaluation(hm.likelihood.evaluate(rbm, torch.zeros(5, 4)))
    """
    rows = evaluated.estimates()
    looks = [(LINES[2], LINES[2])] if evaluated.exact else [(LINES[0], LINES[0]), (LINES[0], LINES[0]), (LINES[1], PAPER)]
    looks += [(LINES[1], LINES[1])] * (len(rows) - len(looks))  # RAISE, and what a mode leaves
    if evaluated.tightened is not None:
        rows.append(Row("tightened bound", *evaluated.tightened, log_z_error=evaluated.log_z_error))
        looks.append((LINES[3], LINES[3]))
    names = [row.name for row in rows]
    beside = [f"{row.nats:.2f}".replace("-", "−") + (f"   ESS {row.ess:.0f}" if row.ess else "") for row in rows]

    left = max(text_width(name, LABEL) for name in names) + 2 * MARGIN
    right = max(text_width(text, LABEL) for text in beside) + 2 * MARGIN
    lines = textwrap.wrap(evaluated.trust, int((_PAGE - 2 * MARGIN) / text_width("m", LABEL)))
    foot = len(lines) * LABEL * 1.35 / 72 + 2 * MARGIN
    above, axis, band = MARGIN, 0.62, _BAND * len(names)
    figure, _ = page(_PAGE, above + band + axis + foot, title)
    height = figure.get_figheight()
    axes = figure.add_axes((left / _PAGE, (foot + axis) / height, (_PAGE - left - right) / _PAGE, band / height))
    for place, (row, (colour, face)) in enumerate(zip(rows, looks, strict=True)):
        of_log_z = row.log_z_error or 0.0
        for error, width in ((math.hypot(of_log_z, row.case_error), 1.0), (of_log_z, 4.0)):
            if math.isfinite(error) and error > 0:
                ends = [row.nats - error, row.nats + error]
                axes.plot(ends, [place, place], color=colour, linewidth=width, alpha=0.55, solid_capstyle="butt")
        axes.plot([row.nats], [place], "o", color=colour, markerfacecolor=face, markersize=6, markeredgewidth=1.4, zorder=3)
        name_beside(axes, beside[place], place, size=LABEL, gap=8.0)
    quiet(axes)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(np.arange(len(names)), names)
    axes.tick_params(axis="y", labelsize=LABEL, labelcolor=INK)
    axes.grid(False, axis="y")
    axes.margins(x=0.1)
    axes.ticklabel_format(axis="x", useOffset=False)
    what = "bound on log p" if evaluated.bound else "log p"
    bars = "± one standard error over them" if evaluated.exact else "thick: ± one standard error of log Z; thin: with that over the cases"
    cases = f"{evaluated.cases:,} case{'s' * (evaluated.cases != 1)}"
    axes.set_xlabel(f"mean {what} of {cases} (nats per case)\n{bars}", fontsize=SMALL, color=MUTED)
    figure.text(MARGIN / _PAGE, (foot - MARGIN) / height, "\n".join(lines), fontsize=LABEL, color=INK, va="top", linespacing=1.35)
    return figure
