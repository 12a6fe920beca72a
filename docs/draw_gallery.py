"""Runs every script of the gallery and saves each of its figures under its label.

    python docs/draw_gallery.py                    # into docs/images/
    python docs/draw_gallery.py --folder /tmp      # elsewhere

Real photographs are taken from `natural-images/` in HARMONIUM_DATA where that is set, else from two that scikit-learn brings along.
"""

from __future__ import annotations

import runpy
from pathlib import Path

import matplotlib
import tyro

HERE = Path(__file__).parent


def main(folder: Path = HERE / "images") -> None:
    """Draws the gallery's figures.

    Args:
        folder: where the PNG files go.
    """
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.show = lambda *args, **kwargs: None
    for script in sorted((HERE / "gallery").glob("plot_*.py")):
        plt.close("all")
        runpy.run_path(str(script), run_name="__main__")
        for number in plt.get_fignums():
            figure = plt.figure(number)
            path = folder / f"{figure.get_label()}.png"
            figure.savefig(path)
            print(path)


if __name__ == "__main__":
    tyro.cli(main)
