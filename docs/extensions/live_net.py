"""A net to play with: where a page of the guide has the net between two marks, the site has docs/static/net.html in a frame."""

from __future__ import annotations

import re

from sphinx.application import Sphinx

PLACE = re.compile(r"<!-- the net -->.*?<!-- /the net -->", flags=re.DOTALL)
FRAME = """```{raw} html
<iframe src="../_static/net.html" title="A deep belief net that perceives and dreams" loading="lazy"
 style="width: 100%; height: 54rem; border: 1px solid; border-radius: .5rem"></iframe>
<p><a href="../_static/net.html">The same on a page of its own</a></p>
```"""


def _source_read(app: Sphinx, name: str, source: list[str]) -> None:
    if app.builder.format == "html":
        source[0] = PLACE.sub(FRAME, source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", _source_read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
