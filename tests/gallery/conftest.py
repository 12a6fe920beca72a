import matplotlib
import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def _quietly(monkeypatch: pytest.MonkeyPatch):
    """Figures are drawn without a window, and closed after each test."""
    monkeypatch.setattr(plt, "show", lambda: None)
    with matplotlib.rc_context():
        matplotlib.use("Agg")
        yield
        plt.close("all")
