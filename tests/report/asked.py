"""Questions to a page that is open in a browser."""

import json

import torch

LISTED = "(key, value) => ArrayBuffer.isView(value) ? Array.from(value) : value"


def ask(page, name, **given):
    """What the thread that computes answers."""
    text = json.dumps({key: value.tolist() if torch.is_tensor(value) else value for key, value in given.items()})
    script = f"async ([name, given]) => JSON.stringify((await harmonium.ask(name, JSON.parse(given))) ?? null, {LISTED})"
    return json.loads(page.evaluate(script, [name, text]))


def until(page, condition):
    """Waits for it. (Playwright's own wait needs `eval`, which the page's policy forbids.)"""
    page.evaluate(f"() => new Promise((found) => {{ const look = () => (({condition}) ? found() : setTimeout(look, 20)); look(); }})")
