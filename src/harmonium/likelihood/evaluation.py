"""The result of an evaluation, and how it is printed."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass, field
from typing import NamedTuple

from harmonium.likelihood.annealing import Estimate
from harmonium.likelihood.log_z import LONGER, LogZ
from harmonium.likelihood.log_z_by_raise import RaiseEstimate
from harmonium.likelihood.tempered_samples import Tempered
from harmonium.likelihood.trust import refuted
from harmonium.notebook import as_html


class Row(NamedTuple):
    """One figure, in nats per case, with its standard error over the cases. An estimate of log Z also has the last three fields."""

    name: str
    nats: float
    case_error: float
    log_z: float | None = None
    log_z_error: float | None = None
    ess: float | None = None


@dataclass(frozen=True)
class Evaluation:
    """The mean log-likelihood of some cases, in nats per case (natural logarithms), and its reliability.

    An error in log Z shifts every case alike and is not part of `case_error`. log Z may differ between cases (`each` has several entries).
    Then `log_z` and the estimates are means over all cases, as `nats` is, with the least of the effective sample sizes, and `tempered`,
    `least_log_z` and `log_z_of_a_mode` are None.

    Parameters
    ----------
    nats : float
        Mean of log p(v) or, with `bound`, of a deep model's variational bound on it.
    case_error : float
        Standard error of `nats` over cases.
    log_z : float
        log Z of the machine, or of a belief net's top RBM. Where it is estimated, it is the estimate of `long`.
    log_z_error : float
        Standard error of `log_z`, zero if it is exact.
    exact : bool
        Whether log Z is exact.
    bound : bool
        Whether `nats` is a lower bound on log p, given log Z.
    cases : int
        Number of cases.
    trust : str
        One sentence on the reliability of the figure.
    chains : int, optional
        Number of chains, where log Z is estimated.
    betas : int, optional
        Number of inverse temperatures of the shorter run of AIS.
    short, long : Estimate, optional
        AIS with `betas` and with four times as many inverse temperatures.
    reverse : Estimate, optional
        Reverse AIS with as many betas as `long`, from the ends of the `tempered` chains. It is a second estimate, not a bound.
    tempered : Tempered, optional
        Ends of independent tempered chains, with their swap rates and round trips.
    raised : RaiseEstimate, optional
        RAISE from some of the cases, where it was asked for.
    doubtful : bool
        Whether any check speaks against the estimate.
    least_log_z : float, optional
        Lower bound on log Z from the distinct cases, training cases included. None if the visible units have infinitely many states.
    log_z_of_a_mode : float, optional
        Lower bound on log Z from the mode that mean field finds, exact up to rounding. None where several conditions have their own log Z.
    tightened : tuple of float, optional
        For a deep model: the importance-sampled bound and its standard error over the cases.
    pseudo_likelihood : tuple of float, optional
        For binary visible units: nats per case, and its standard error.
    gap : tuple of float, optional
        Mean free energy of the validation cases minus that of the training cases, nats per case, and its standard error. A positive gap is
        overfitting.
    perplexity : float, optional
        For documents: exp(-Σ log p / Σ words). With `bound` it is an upper bound.
    what : str
        Name of the conditions that log Z depends on: lengths, contexts, masks.
    each : tuple of LogZ
        log Z for each distinct condition; one entry if all cases share it.
    """

    _repr_html_ = as_html

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
    log_z_of_a_mode: float | None = None
    tightened: tuple[float, float] | None = None
    pseudo_likelihood: tuple[float, float] | None = None
    gap: tuple[float, float] | None = None
    perplexity: float | None = None
    what: str = "cases"
    each: tuple[LogZ, ...] = field(default=(), repr=False)

    def estimates(self) -> list[Row]:
        """log p, or the bound, for each value of log Z: the exact one, or three estimates, or four with RAISE.

        Where mean field finds a mode that no estimate knows of, what it leaves of log p at most stands below them.
        """
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
        if any(refuted(one) for one in self.each) and self.log_z_of_a_mode is not None:
            nats = self.nats + self.log_z - self.log_z_of_a_mode
            rows.append(Row("at most, by a mode", nats, self.case_error, self.log_z_of_a_mode, 0.0))
        return rows

    @property
    def cautious(self) -> Row:
        """The lowest of the estimates, which is the one to quote.

        Annealed chains that miss a mode make the likelihood too high, and the longer of two runs does not always miss less.
        """
        return min(self.estimates(), key=lambda row: row.nats)

    @property
    def verdict(self) -> str:
        """`exact`; `consistent` if the estimates agree, which proves nothing; or `doubtful`."""
        return "exact" if self.exact else "doubtful" if self.doubtful else "consistent"

    def rows(self) -> list[Row]:
        """All figures, as the rows of a table."""
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
            f"{what}: {self.cautious.nats:.2f} ± {_number(self.case_error)} nats per case, over {self.cases:,} case{plural}",
            "",
            f"{'':29}{'nats per case':>13}{'±':>8}{'log Z':>11}{'±':>8}{'ESS':>7}",
        ]
        for row in self.rows():
            rest = "" if row.log_z is None else f"{row.log_z:11.2f}{_number(row.log_z_error):>8}"
            lines.append(f"{row.name:30}{row.nats:12.2f}{_number(row.case_error):>8}{rest}" + (f"{row.ess:7.0f}" if row.ess else ""))
        if self.tempered is not None and self.chains is not None:
            rates, trips = self.tempered.swap_rates, self.tempered.round_trips
            lines += [
                "",
                f"{self.chains} chains. Tempering: {len(self.tempered.betas)} temperatures, swap acceptance {rates.min():.0%} to "
                f"{rates.max():.0%},",
                f"{trips:,} round trip{'s' if trips != 1 else ''} in {self.tempered.sweeps:,} sweeps.",
            ]
        if self.perplexity is not None:
            lines += ["", f"Perplexity per word: {self.perplexity:.2f}."]
        if len(self.each) > 1:
            exact = sum(one.exact for one in self.each)
            lines += [
                "",
                f"{len(self.each):,} {self.what}, each with its own log Z, {exact:,} of them exact.",
                "The table shows the mean of log Z over the cases.",
            ]
        return "\n".join([*lines, "", textwrap.fill(self.trust, 76)])


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}" if math.isfinite(value) else "∞"
