"""All that a run of cd-bias measures: the gaps between where rules rest and the likelihood's optima, as metrics."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from harmonium.analysis import EnumeratedRBMs
from harmonium.recipes.cd_bias.phases import ALL_STEPS, SPREADS, STEPS, Phase
from harmonium.runs.contract import Metric


@dataclass(frozen=True)
class Measured:
    """All phases of a run."""

    p: Tensor
    plain: EnumeratedRBMs
    cost: EnumeratedRBMs
    best: Phase
    rests: dict[str, Phase]
    with_cost: Phase
    sampled: dict[str, Phase]
    field: Phase
    paths: Phase
    flow: Phase

    def _kl(self, theta: Tensor) -> Tensor:
        """(starts, distributions)."""
        return self.plain.kl(theta, self.p.repeat(len(theta) // len(self.p), 1)).reshape(-1, len(self.p))

    def gaps(self) -> Phase:
        """Without weight cost, of each distribution, the mean over its starts: (distributions)."""
        return {rule: (self._kl(phase["theta"]) - self._kl(phase["then"])).mean(0) for rule, phase in self.rests.items()}

    def gaps_with_cost(self) -> Phase:
        """(distributions), from one start."""
        found = {rule: self._kl(self.with_cost[rule])[0] - self._kl(self.with_cost[f"{rule} then"])[0] for rule in STEPS}
        return found | {rule: self._kl(phase["theta"])[0] - self._kl(phase["then"])[0] for rule, phase in self.sampled.items()}

    def contrasts(self) -> Phase:
        """With weight cost, (distributions) each: how far the contrast at CD-1's rest is above the least one that descent reaches from
        there, and the gaps in KL of both places."""
        values, kls = [], []
        for theta in (self.with_cost["CD-1"], self.with_cost["least contrast"]):
            values.append(self.cost.contrast(theta, self.p, 1) + 0.5 * (self.cost.cost * theta.square()).sum(-1))
            kls.append(self._kl(theta)[0] - self._kl(self.with_cost["CD-1 then"])[0])
        return {"fall of the contrast": values[0] - values[1], "KL gap, CD-1's rest": kls[0], "KL gap, least contrast": kls[1]}

    def metrics(self) -> list[Metric]:
        """(name, value, unit) of each."""
        plain, cost, contrasts = self.gaps(), self.gaps_with_cost(), self.contrasts()
        likelihood = self._kl(self.best["theta"])
        ends = [likelihood, *(self._kl(phase["then"]) for phase in self.rests.values())]
        least = torch.cat(ends).amin(0)
        from_best = self._kl(self.rests["CD-1"]["from best"]) - likelihood
        found = {
            **_means_and_medians("weight_cost", cost),
            **_means_and_medians("no_weight_cost", plain),
            "kl_gap_cd1_no_weight_cost_largest_nats": plain["CD-1"].amax(),
            "kl_gap_cd1_from_likelihood_nats": from_best,
            "kl_of_local_optima_nats": likelihood - least,
            "kl_of_cd1_then_likelihood_nats": self._kl(self.rests["CD-1"]["then"]) - least,
            "kl_gap_least_contrast_nats": contrasts["KL gap, least contrast"],
            "contrast_above_least_nats": contrasts["fall of the contrast"],
        }
        middle = SPREADS.index(1.0)
        asymmetric = self.field["asymmetry"][middle].mean(-1)
        shares = {"cd1": asymmetric[0], "cd10": asymmetric[ALL_STEPS.index(10)], "likelihood": asymmetric[-1]}
        return [
            *((name, value.mean().item(), "nats") for name, value in found.items()),
            *((f"asymmetry_{rule}", value.item(), "") for rule, value in shares.items()),
        ]


def _means_and_medians(which: str, gaps: Phase) -> Phase:
    """The rules' gaps as metrics that say whether there was a weight cost."""
    words = {"CD-1": "cd1", "CD-10": "cd10", "PCD": "pcd", "tempered CD": "tempered"}
    means = {f"kl_gap_{words[rule]}_{which}_nats": gap for rule, gap in gaps.items()}
    return means | {f"kl_gap_{words[rule]}_{which}_median_nats": gap.median() for rule, gap in gaps.items()}
