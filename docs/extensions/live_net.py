"""A net to play with, where a page of the guide has `<!-- a net of digits -->`: the interactive page of the recipe `digits`.

The recipe learns the net when the site is made, once. Nothing of it stands in the repository.
"""

from __future__ import annotations

from pathlib import Path

from sphinx.application import Sphinx

from harmonium.recipes import Digits
from harmonium.runs import Run

PLACE, FILE = "<!-- a net of digits -->", "net.html"
FRAME = """A belief net of digits of 8x8 pixels, learnt by the recipe `digits` when this site was made:

```{raw} html
<iframe src="../net.html" title="A deep belief net of digits that perceives and dreams" loading="lazy"
 style="width: 100%; height: 48rem; border: 1px solid; border-radius: .5rem"></iframe>
<p><a href="../net.html">The same on a page of its own</a></p>
```"""
MOST_BYTES = 3_500_000


def _source_read(app: Sphinx, name: str, source: list[str]) -> None:
    if app.builder.format == "html":
        source[0] = source[0].replace(PLACE, FRAME)


def _build_finished(app: Sphinx, failure: Exception | None) -> None:
    if failure is not None or app.builder.format != "html":
        return
    options = Digits(threads=1, out=Path(app.doctreedir) / "digits")
    assert options.out is not None
    options.out.parent.mkdir(parents=True, exist_ok=True)
    run = Run.begin("digits", options)
    try:
        if not run.finished:
            options.run(run)
        path = options.page(run, Path(app.outdir) / FILE)
    finally:
        run.release()
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"{path} has {path.stat().st_size:,} bytes: a page of the site has at most {MOST_BYTES:,}")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", _source_read)
    app.connect("build-finished", _build_finished)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
