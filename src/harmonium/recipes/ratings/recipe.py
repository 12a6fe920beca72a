"""Ratings of films and jokes by RBMs, one for each user or film, over the ratings that it has: collaborative filtering.

Paper: Salakhutdinov, Mnih & Hinton, *Restricted Boltzmann machines for collaborative filtering*, ICML 2007: an RBM for each user, with a
softmax visible unit for each film that the user rated, weights shared by all users, and units of unrated films left out; conditional on
which films are rated; factored weights; Gaussian hidden units. The paper's Netflix ratings are no longer given out. Here they are
MovieLens's small set and Jester's, so that no figure compares with the published ones; the order of the models does. Settings were chosen
on ratings held out from those learnt from (`--choosing`). Ours, times and machine: results/ratings.json; what was tried:
docs/recipes/ratings.md.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

import torch
from scipy import sparse

from harmonium.data import ratings
from harmonium.data.rating_table import Ratings, Scale
from harmonium.data.ratings import Visits
from harmonium.recipes.ratings.bias_and_factors import Factorisation
from harmonium.recipes.ratings.compared_machines import Machine
from harmonium.recipes.ratings.judged_splits import Compared, judge, metrics, parts
from harmonium.recipes.ratings.learning import Learning
from harmonium.recipes.ratings.pictures import sections
from harmonium.recipes.ratings.rated_cases import generated
from harmonium.recipes.ratings.visits import OfVisits, judge_visits
from harmonium.runs.contract import Metric, Recipe
from harmonium.runs.folder import Run
from harmonium.runs.report_page import write_run_report
from harmonium.seeds import derive

FILMS, JOKES = "ml-latest-small", "jester5k"
UNITS = {FILMS: "stars", JOKES: "points"}
SHOWN = [f"rmse_{name}{word}" for word in ("ml_latest_small", "jester5k") for name in ("", "bias_", "mf_")]


@dataclasses.dataclass(frozen=True)
class RatingsRecipe(Recipe):
    """Ratings that are held out, predicted by RBMs over the ratings that a user or an item has, beside biases and matrix factorisation."""

    choosing: bool = False
    """Judge on a tenth of the ratings that are learnt from otherwise: for choosing settings."""
    data_dir: Path | None = None
    """Where the folders movielens-latest-small, jester5k and msweb are, if not in $HARMONIUM_DATA or the cache."""
    quick: bool = False
    """One split in place of ten."""
    splits: int = 10
    """Random tenths of the ratings that are held out, one after another."""
    films: Machine = Machine(learning=Learning(batch=128, rated_shrinkage=10.0))
    """A case is a film."""
    film_users: Machine = Machine(
        by_items=False, learning=Learning(predictive=8, batch=16, rate=0.01, shrinkage=20.0, rated_shrinkage=20.0, prior=20.0)
    )
    """The same with a case for each user."""
    film_factors: Factorisation = Factorisation(rank=10, ridge=15.0)
    jokes: Machine = Machine(
        by_items=False, variance=0.7, hidden=100, learning=Learning(rate=0.01, shrinkage=50.0, rated_shrinkage=50.0, predictive=8)
    )
    """Gaussian visible units; a case is a user."""
    bins: int = 10
    """Of the softmax units that they are compared with."""
    joke_factors: Factorisation = Factorisation(rank=20, ridge=150.0)
    visits: OfVisits = OfVisits()

    name: ClassVar[str] = "ratings"
    choices: ClassVar[tuple[str, ...]] = ("choosing", "quick")
    paper: ClassVar[str] = "Salakhutdinov, Mnih & Hinton 2007"
    published: ClassVar[dict[str, str]] = {}
    headline_metrics: ClassVar[tuple[str, ...]] = tuple(SHOWN)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.splits < 1 or min(each.hidden for each in (self.films, self.film_users, self.jokes)) < 1:
            raise ValueError(f"there is a split and a hidden unit at least, found {self}")

    @property
    def setting(self) -> str:
        """What the records call these options."""
        return "smoke" if self.smoke else ("quick" if self.quick else "full") + (", choosing" if self.choosing else "")

    @property
    def compared(self) -> tuple[Compared, ...]:
        """What is compared on each set."""
        films = {
            "items": self.films,
            "unconditional": dataclasses.replace(self.films, conditional=False),
            "free_weights": dataclasses.replace(self.films, degree=-1),
            "factored": dataclasses.replace(self.films, rank=10),
            "gaussian_hidden": dataclasses.replace(self.films, gaussian_hidden=True),
            "users": self.film_users,
        }
        jokes = {
            "users": self.jokes,
            "unconditional": dataclasses.replace(self.jokes, conditional=False),
            "softmax": dataclasses.replace(self.jokes, variance=0.0, bins=self.bins),
        }
        return Compared(FILMS, films, self.film_factors), Compared(JOKES, jokes, self.joke_factors)

    def plan(self) -> RatingsRecipe:
        """What the options come to."""
        if not self.smoke:
            return dataclasses.replace(self, splits=1) if self.quick else self
        films, film_users, jokes = (brief(how) for how in (self.films, self.film_users, self.jokes))
        factors = Factorisation(rank=2, sweeps=2)
        return dataclasses.replace(
            self,
            splits=2,
            films=films,
            film_users=film_users,
            jokes=jokes,
            film_factors=factors,
            joke_factors=factors,
            visits=OfVisits(5, 10, 3),
        )

    def table(self, name: str) -> Ratings:
        """The ratings of a set; generated ones for a smoke run."""
        if not self.smoke:
            return ratings.load(name, self.data_dir)
        users, items, scale = (50, 80, Scale(0.5, 5.0, 0.5)) if name == FILMS else (80, 30, Scale(-10.0, 10.0))
        return generated(users, items, 900, derive(self.seed, 5), scale=scale)

    def of_site(self) -> Visits:
        """The visits; generated ones for a smoke run."""
        if not self.smoke:
            return ratings.load_visits(self.data_dir)
        table = generated(200, 20, 900, derive(self.seed, 6)).to_csr()
        table.data[:] = 1
        return Visits(sparse.csr_array(table[::2]), sparse.csr_array(table[1::2]), [f"area {n}" for n in range(20)])

    def run(self, run: Run) -> dict[str, Any]:
        """The steps: in each split of each set the baselines and the machines, judged; then the visits and the report."""
        torch.set_num_threads(self.threads)
        plan, figures, rows = self.plan(), list[Metric](), {}
        for place, compared in enumerate(plan.compared):
            table = plan.table(compared.name)
            rows[compared.name] = [
                judge(run, compared, table, split, derive(self.seed, place), choosing=self.choosing, device=self.device)
                for split in range(plan.splits)
            ]
            figures += metrics(compared, rows[compared.name], UNITS[compared.name], "validation" if self.choosing else "")
        if not self.choosing:
            figures += judge_visits(run, plan.of_site(), plan.visits, derive(self.seed, 9), self.device)
        results = self.results(run, self.setting, figures, rows=rows)
        self.report(run)
        return results

    def report(self, run: Run) -> None:
        """Draws the report of a finished run. ValueError where it has not finished."""
        results, plan = run.results(), self.plan()
        learnt, judged = parts(plan.table(FILMS), 0, derive(self.seed, 0), choosing=self.choosing)
        write_run_report(
            run,
            summary="Ratings that were held out, predicted by an RBM for each film or user over the ratings that it has, by biases, and by "
            "the factors of a matrix",
            sections=sections(run, results["rows"], plan.compared, learnt, judged),
        )


def brief(how: Machine) -> Machine:
    """The same with four hidden units and three epochs."""
    return dataclasses.replace(how, hidden=4, learning=dataclasses.replace(how.learning, contrastive=1, predictive=2))
