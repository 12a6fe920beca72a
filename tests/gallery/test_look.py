"""What all pages of the gallery share."""

import matplotlib
from matplotlib.colors import to_hex

from harmonium.report import _style
from tests.gallery.scripts import GALLERY


def test_the_gallery_looks_like_the_report() -> None:
    look = matplotlib.rc_params_from_file(GALLERY / "harmonium.mplstyle", use_default_template=False)
    assert look["figure.dpi"] == _style.DPI
    assert tuple(to_hex(colour) for colour in look["axes.prop_cycle"].by_key()["color"]) == tuple(c.lower() for c in _style.LINES)
    for key, colour in (("grid.color", _style.HAIR), ("axes.labelcolor", _style.INK), ("xtick.labelcolor", _style.MUTED)):
        assert to_hex(str(look[key])) == colour
