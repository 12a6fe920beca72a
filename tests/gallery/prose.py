"""What the prose of a gallery script says in figures, held to what the script computes."""

import re

# What these pages learn by sampling in single precision depends on the processor's rounding: their figures are in their output alone.
LEARNT = {
    "plot_05_contrastive_divergence",
    "plot_06_experts",
    "plot_08_aggregated_posterior",
    "plot_10_generating",
    "plot_11_wake_sleep",
    "plot_12_structured_noise",
    "plot_17_logistic_against_gaussian",
    "plot_18_why_backpropagation_works_better",
    "plot_19_permutation_invariant",
    "plot_20_effect_of_pretraining",
    "plot_21_effect_of_depth",
    "plot_22_trajectories",
    "plot_23_why_pretraining_makes_sense",
    "plot_24_slow_backpropagation",
    "plot_25_layer_sizes",
    "plot_26_locality",
    "plot_30_edges_of_photographs",
    "plot_34_community_of_experts",
}
POWERS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
FIGURE = re.compile(r"(?<![\w.])((?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)(?:·10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?( ?%)?")
YEAR = re.compile(r"(?:19|20)\d\d")


def split(script: str) -> tuple[str, str]:
    """A script's prose, without what it quotes, and its code."""
    _, heading, rest = script.split('"""', 2)
    prose, code, in_prose = [heading], [], False
    for line in rest.splitlines():
        in_prose = line.startswith("# %%") or (in_prose and line.startswith("#"))
        (prose if in_prose else code).append(line.removeprefix("# %%").removeprefix("#"))
    return re.sub(r'"[^"]*"', "", "\n".join(prose)), "\n".join(code)


def numbers(text: str) -> list[float]:
    """Every number of a program or of its output, without its sign."""
    found = re.findall(r"(?<![\w.])\d[\d_,]*(?:\.\d+)?(?:e[-+]?\d+)?", text)
    return [float(number.replace("_", "").replace(",", "")) for number in found]


def without_source(script: str, printed: str) -> list[str]:
    """The figures of the prose that are neither printed nor a constant of the code, as precisely as they are given.

    Years and whole numbers below ten are left out.
    """
    prose, code = split(script)
    known = numbers(printed) + numbers(code)
    wrong = []
    for match in FIGURE.finditer(prose):
        digits, power, percent = match.groups()
        whole = "." not in digits and not power and not percent
        if whole and (YEAR.fullmatch(digits) or float(digits.replace(",", "")) < 10):
            continue
        scale = 10.0 ** int(power.translate(POWERS)) if power else 1.0
        value, precision = float(digits.replace(",", "")) * scale, 0.50001 * scale * 10.0 ** -len(digits.partition(".")[2])
        given = [number * factor for number in known for factor in ((1, 100) if percent else (1,))]
        if all(abs(value - number) > precision for number in given):
            wrong.append(prose[max(0, match.start() - 40) : match.end() + 20].replace("\n", " "))
    return wrong
