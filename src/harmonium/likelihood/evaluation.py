"""How probable a model makes some cases, and how it is told."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass, field
from typing import NamedTuple

from harmonium.likelihood.annealing import Estimate
from harmonium.likelihood.log_z import LONGER, LogZ
from harmonium.likelihood.log_z_by_raise import RaiseEstimate
from harmonium.likelihood.tempered_samples import Tempered


class Row(NamedTuple):
    """One figure: `nats` a case, `case_error` its standard error over the cases; of an estimate of log Z its own figures too."""

    name: str
    nats: float
    case_error: float
    log_z: float | None = None
    log_z_error: float | None = None
    ess: float | None = None


@dataclass(frozen=True)
class Evaluation:
    """How probable a model makes some cases, in nats a case (natural logarithms), and how far to trust that.

    `nats`: the mean of log p(v), or with `bound` that of a deep model's variational bound on it; `case_error`: its standard error, of
    what these cases say of others. `log_z`, `log_z_error`: of the machine, or of a belief net's top one, and its standard error, zero where
    it is `exact`; otherwise of `long`, the longer run of AIS. An error in log Z shifts every case alike, and is no part of `case_error`.

    Where log Z is estimated: `short` and `long`, by AIS with `betas` and four times as many inverse temperatures; `reverse`, by reverse
    AIS over as many as `long` from the ends of `tempered` chains, a second estimate and no bound; `least_log_z`, what the distinct cases
    (training ones too) add up to, below which log Z cannot be (None where the units are not finite); `raised`, where it was asked for,
    by RAISE from some of the cases. `cautious` is the lowest of the figures that these give, which is the one to quote; `verdict` says in
    a word what `trust` says in a sentence.

    `tightened`: of a deep model, the importance-sampled bound and its standard error over the cases. `pseudo_likelihood`: of binary visible
    units, a case, and its standard error. `gap`: mean free energy of the validation cases less that of the training cases, nats a case,
    and its standard error; above zero it is overfitting. `perplexity`: of documents, exp(-Σ log p / Σ words), at most that where `bound`.
    `trust`: one sentence.

    `each`: log Z for each of the distinct things given (`what`: lengths, contexts, masks), one if all cases share it. Of several, `log_z`
    and the estimates are means over all cases, as `nats` is, with the least of the effective sample sizes; `tempered` and `least_log_z` are
    None.
    """

    nats: float
    case_error: float
    log_z: float
    log_z_error: float
    exact: bool
    bound: bool
    cases: int
    trust: str
    chains: int | None = None
    betas: int | None = None
    short: Estimate | None = field(default=None, repr=False)
    long: Estimate | None = field(default=None, repr=False)
    reverse: Estimate | None = field(default=None, repr=False)
    tempered: Tempered | None = field(default=None, repr=False)
    raised: RaiseEstimate | None = field(default=None, repr=False)
    doubtful: bool = False
    least_log_z: float | None = None
    tightened: tuple[float, float] | None = None
    pseudo_likelihood: tuple[float, float] | None = None
    gap: tuple[float, float] | None = None
    perplexity: float | None = None
    what: str = "cases"
    each: tuple[LogZ, ...] = field(default=(), repr=False)

    def estimates(self) -> list[Row]:
        """The figures of log p, or of the bound, that each way to log Z gives: the exact one, or three, or four with RAISE."""
        if self.exact:
            return [Row("exact log Z", self.nats, self.case_error, self.log_z, 0.0)]
        assert self.betas is not None
        found = [
            (f"AIS, {self.betas:,} betas", self.short),
            (f"AIS, {LONGER * self.betas:,} betas", self.long),
            ("second estimate: reverse AIS", self.reverse),
        ]
        rows = [
            Row(name, self.nats + self.log_z - way.log_z, self.case_error, way.log_z, way.standard_error, way.ess)
            for name, way in found
            if way is not None
        ]
        if self.raised is not None:
            nats = self.nats + self.log_z - self.raised.log_z
            name = f"RAISE, from {self.raised.cases:,} cases"
            rows.append(Row(name, nats, self.case_error, self.raised.log_z, self.raised.standard_error))
        return rows

    @property
    def cautious(self) -> Row:
        """The lowest of the estimates, which is the one to quote: annealed chains that miss a mode promise too much, and the longer of
        two runs need not miss less."""
        return min(self.estimates(), key=lambda row: row.nats)

    @property
    def verdict(self) -> str:
        """`exact`; `consistent`, where the estimates agree, which is no proof; or `doubtful`."""
        return "exact" if self.exact else "doubtful" if self.doubtful else "consistent"

    def rows(self) -> list[Row]:
        """Every figure, for a table."""
        rows = self.estimates()
        for name, found in (
            ("tightened bound", self.tightened),
            ("pseudo-likelihood", self.pseudo_likelihood),
            ("free-energy gap to training", self.gap),
        ):
            if found is not None:
                rows.append(Row(name, *found))
        return rows

    def __str__(self) -> str:
        what = "bound on log p" if self.bound else "log p"
        plural = "s" if self.cases != 1 else ""
        lines = [
            f"{what}: {self.cautious.nats:.2f} ± {_number(self.case_error)} nats a case, over {self.cases:,} case{plural}",
            "",
            f"{'':30}{'nats a case':>12}{'±':>8}{'log Z':>11}{'±':>8}{'ESS':>7}",
        ]
        for row in self.rows():
            rest = "" if row.log_z is None else f"{row.log_z:11.2f}{_number(row.log_z_error):>8}"
            lines.append(f"{row.name:30}{row.nats:12.2f}{_number(row.case_error):>8}{rest}" + (f"{row.ess:7.0f}" if row.ess else ""))
        if self.tempered is not None and self.chains is not None:
            rates, trips = self.tempered.swap_rates, self.tempered.round_trips
            lines += [
                "",
                f"{self.chains} chains. Tempering: {len(self.tempered.betas)} temperatures, swaps accepted {rates.min():.0%} to "
                f"{rates.max():.0%},",
                f"{trips:,} round trip{'s' if trips != 1 else ''} in {self.tempered.sweeps:,} sweeps.",
            ]
        if self.perplexity is not None:
            lines += ["", f"Perplexity a word: {self.perplexity:.2f}."]
        if len(self.each) > 1:
            exact = sum(one.exact for one in self.each)
            lines += [
                "",
                f"{len(self.each):,} {self.what}, each with its own log Z, of which {exact:,} exact; log Z: the mean over the cases.",
            ]
        return "\n".join([*lines, "", textwrap.fill(self.trust, 76)])


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}" if math.isfinite(value) else "∞"
