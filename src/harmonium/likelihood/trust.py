"""How far to trust an estimate of the likelihood, in one sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harmonium.likelihood.annealing import Estimate
from harmonium.likelihood.log_z import LogZ
from harmonium.likelihood.tempered_samples import Tempered

NATS = 0.1  # a difference, or a standard error, of log Z that matters
ESS = 0.5  # share of the chains: below it the estimate depends on few of them
BY_RAISE = 1.0  # nats by which RAISE, which is a bound, may lie below the other estimates
ROUND_TRIPS = 1  # per tempered chain, on average


def of_exact(cases: int, case_error: float, *, bound: str | None) -> str:
    """The sentence for an exact log Z. `bound`: the name of the machine whose log Z is meant, if the figure is a bound over it."""
    spread = f"the sampling error over {cases:,} cases, ± {case_error:.2g} nats" if cases > 1 else "the unknown sampling error of one case"
    if bound:
        return (
            f"A lower bound in which log Z of the {bound} is exact: its errors are the Monte Carlo error, where it is a mean over samples, "
            f"and {spread}."
        )
    return f"Exact: log Z is computed in full, and the only error is {spread}."


def of_each(each: Sequence[LogZ], what: str, case_error: float, *, chains: int, bound: str | None) -> str:
    """The sentence for log Z under each of several distinct conditions, or under the only one.

    Parameters
    ----------
    each
        log Z of each.
    what
        What the conditions are called.
    case_error
        The standard error over the cases.
    chains
        Of the estimates.
    bound
        The name of the machine whose log Z is meant, if the figure is a bound over it.
    """
    rest = [one for one in each if not one.exact]
    if not rest:
        return of_exact(sum(one.cases for one in each), case_error, bound=bound)
    found = [(disagreements(one, chains), one) for one in rest]
    spread = max(_spread(one) for one in rest)
    if len(each) == 1:
        return _sentence(*found[0][0], spread, bound=bound)
    doubtful = [(reasons, one) for reasons, one in found if reasons[0]]
    if not doubtful:
        return _sentence([], [], spread, bound=bound, where=f" for each of the {len(rest):,} {what} for which log Z is estimated")
    share = sum(one.cases for _, one in doubtful) / sum(one.cases for one in each)
    (wrong, _), _ = max(doubtful, key=lambda pair: pair[1].cases)
    cures = list(dict.fromkeys(cure for (_, some), _ in doubtful for cure in some))
    opening = (
        f"log Z is doubtful for {len(doubtful):,} of {len(each):,} {what}, which belong to {share:.0%} of the cases; for the one of these "
        f"with the most cases, {wrong[0]}"
    )
    return _sentence([opening, *wrong[1:]], cures, spread, bound=bound)


def is_doubtful(each: Sequence[LogZ], *, chains: int) -> bool:
    """Whether something speaks against an estimate."""
    return any(disagreements(one, chains)[0] for one in each if not one.exact)


def _ways(one: LogZ) -> tuple[Estimate, Estimate, Estimate, Tempered]:
    assert one.short is not None
    assert one.long is not None
    assert one.reverse is not None
    assert one.tempered is not None
    return one.short, one.long, one.reverse, one.tempered


def _spread(one: LogZ) -> float:
    short, long, reverse, _ = _ways(one)
    return max(abs(a.log_z - b.log_z) for a, b in ((short, long), (long, reverse)))


def _sentence(wrong: Sequence[str], cures: Sequence[str], spread: float, *, bound: str | None, where: str = "") -> str:
    what = f"A lower bound only if log Z of the {bound} is right, and this log Z is an estimate: " if bound else ""
    if wrong:
        opening = "do not rely on this figure" if bound else "Do not rely on this figure"
        return (
            f"{what}{opening}: {'; '.join(wrong)}; use {' and '.join(cures)}, but even then the figure is too high if there is "
            "a mode that no chain reaches."
        )
    opening = "take it as optimistic" if bound else "Take this figure as optimistic"
    agreed = f"agree to {max(spread, 0.01):.2f} nats{where}"
    return (
        f"{what}{opening}: both lengths of AIS and the second estimate, from tempered chains, {agreed}, but agreement is no evidence about "
        "a mode that no chain reached, which would make every estimate of the likelihood too high; to search for such a mode, use more "
        "sweeps, other seeds and other base rates, and compare samples with the data."
    )


def disagreements(one: LogZ, chains: int) -> tuple[list[str], list[str]]:
    """What speaks against the longer estimate, and what may help. Agreement never proves anything.

    The weights of annealing chains, their spread and their effective sample size do not show a mode that no chain reached. Forward and
    reverse chains that miss the same mode agree on a wrong value (Grosse, Ghahramani & Adams 2015).
    """
    (short, long, reverse, tempered), raised, least_log_z = _ways(one), one.raised, one.least
    wrong, cures = [], []
    if least_log_z is not None and not long.log_z + 3 * long.standard_error + 0.01 >= least_log_z:
        wrong.append(
            f"it is impossible, because the distinct cases alone make log Z at least {least_log_z:.2f}, and the chains miss a mode that "
            "contains cases"
        )
        cures.append("hm.likelihood.reverse_ais from these cases, a second estimate that includes their mode")
    if refuted(one):
        wrong.append(
            f"it is impossible, because mean field alone finds a mode that makes log Z at least {one.of_a_mode:.2f}, and the chains of the "
            "longer AIS miss it"
        )
        cures.append("hm.likelihood.reverse_ais from samples of that mode")
    if _differ(short, long):
        wrong.append(
            f"the longer AIS gives a likelihood {_by(short, long)} than the shorter, so the result still depends on the number of betas"
        )
        cures.append("more betas")
    if _differ(long, reverse):
        wrong.append(f"the second estimate, from tempered chains, gives a likelihood {_by(long, reverse)} than the longer AIS")
        cures += ["more betas", "more sweeps"]
    if raised is not None and not raised.log_z - long.log_z <= max(BY_RAISE, 2 * math.hypot(long.standard_error, raised.standard_error)):
        wrong.append(
            f"RAISE, whose chains start at the cases, gives a likelihood {raised.log_z - long.log_z:.2f} nats lower, so annealing does not "
            "reach all regions that contain cases"
        )
        cures.append("more betas")
    for name, found in (("longer AIS", long), ("reverse AIS", reverse)):
        if not found.ess >= ESS * chains:
            wrong.append(f"the effective sample size of the {name} is only {found.ess:.0f} of {chains} chains")
            cures.append("more betas")
        elif not found.standard_error <= NATS:
            wrong.append(f"the standard error of the {name} is {found.standard_error:.2f} nats")
            cures.append("more chains")
    if tempered.round_trips < ROUND_TRIPS * chains:
        trips = f"only {tempered.round_trips:,}" if tempered.round_trips else "no"
        wrong.append(
            f"the {chains} tempered chains made {trips} round trip{'s' * (tempered.round_trips > 1)} from the model to the highest "
            "temperature and back, so they may still depend on their initial states"
        )
        cures.append("more sweeps")
    return wrong, list(dict.fromkeys(cures))


def refuted(one: LogZ) -> bool:
    """Whether mean field has found a mode that alone has more than the estimated log Z, by more than chance and rounding explain."""
    if one.long is None or one.of_a_mode is None:
        return False
    return one.of_a_mode > one.long.log_z + 3 * one.long.standard_error + 0.01 + 1e-5 * abs(one.of_a_mode)


def _differ(one: Estimate, other: Estimate) -> bool:
    """Whether they differ by more than matters and more than chance explains, or either is not a number."""
    return not abs(one.log_z - other.log_z) <= max(NATS, 2 * math.hypot(one.standard_error, other.standard_error))


def _by(one: Estimate, other: Estimate) -> str:
    """The change in likelihood under the other log Z, in words."""
    rise = one.log_z - other.log_z
    return f"{abs(rise):.2f} nats {'higher' if rise > 0 else 'lower'}"
