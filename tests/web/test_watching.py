"""The page of a run that is learning: what is served, to whom, and what is refused."""

import asyncio
import re
from pathlib import Path

import pytest
import torch

import harmonium as hm
from harmonium.files import previous, write_tensors
from harmonium.report.page import held_by
from harmonium.runs.metrics_file import append_row
from harmonium.web import Watched

pytest.importorskip("starlette", reason="needs the extra web: pip install 'harmonium[web]'")
httpx = pytest.importorskip("httpx2", reason="needs httpx2: pip install 'harmonium[dev]'")

from starlette.testclient import TestClient  # noqa: E402

from harmonium.web.application import application  # noqa: E402
from harmonium.web.guard import MOST_AT_ONCE, MOST_BYTES, Guard  # noqa: E402

HOST, TOKEN = "127.0.0.1:8765", "a-token-of-the-tests"
CHECKPOINT = "model.safetensors"


def learnt(folder: Path, seed: int, hidden: int = 6) -> hm.RBM:
    """A machine, saved as the run's."""
    rbm = hm.RBM(hm.Bernoulli(16), hm.Bernoulli(hidden), hm.Dense(16, hidden, scale=1.0, seed=seed))
    hm.save(rbm, folder / CHECKPOINT)
    return rbm


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    """A run's folder in which nothing is learnt yet, looked at as often as anybody asks."""

    def draw(path: Path) -> Path:
        return hm.report.page(hm.load(tmp_path / CHECKPOINT), path, title="<A run>")

    return Watched(tmp_path, draw, every=0.0, rest=0.0)


@pytest.fixture
def guarded(watched: Watched) -> Guard:
    return Guard(application(watched), names=[HOST, "localhost:8765"], token=TOKEN)


@pytest.fixture
def client(guarded: Guard) -> TestClient:
    return TestClient(guarded, base_url=f"http://{HOST}", raise_server_exceptions=True)


def newest(client: TestClient, have: int = 0) -> dict[str, object]:
    answer = client.post(f"/{TOKEN}/net", json={"have": have})
    assert answer.status_code == 200
    return answer.json()


def test_the_page_waits_and_then_is_the_net_of_the_checkpoint(client: TestClient, watched: Watched, tmp_path: Path) -> None:
    waiting = client.get(f"/{TOKEN}/")
    assert waiting.status_code == 200
    assert "has nothing to show yet" in waiting.text
    assert "There is no file" in waiting.text
    assert "<script" not in waiting.text
    assert newest(client) == {"version": 0}
    rbm = learnt(tmp_path, seed=1)
    page = client.get(f"/{TOKEN}/").text
    static = hm.report.page(rbm, tmp_path / "page.html", title="<A run>").read_text()
    header, block = held_by(page)
    assert (header.pop("version"), block) == (1, held_by(static)[1])
    assert header == held_by(static)[0]
    assert "<title>&lt;A run&gt;</title>" in page


def test_only_the_watched_page_may_connect_and_only_to_its_server(client: TestClient, tmp_path: Path) -> None:
    rbm = learnt(tmp_path, seed=1)
    policy = re.compile(r'http-equiv="Content-Security-Policy" content="([^"]*)"')
    live, static = (
        policy.findall(text) for text in (client.get(f"/{TOKEN}/").text, hm.report.page(rbm, tmp_path / "page.html").read_text())
    )
    assert live[0].endswith("; connect-src 'self'")
    assert "connect-src" not in static[0]
    assert "default-src 'none'" in live[0]
    assert "default-src 'none'" in static[0]
    assert "fetch(" not in (tmp_path / "page.html").read_text()


def test_a_checkpoint_that_changes_between_requests_is_seen(client: TestClient, tmp_path: Path) -> None:
    learnt(tmp_path, seed=1)
    client.get(f"/{TOKEN}/")
    assert client.get(f"/{TOKEN}/news").json()["version"] == 1
    assert newest(client, have=1) == {"version": 1}
    rbm = learnt(tmp_path, seed=2)
    assert client.get(f"/{TOKEN}/news").json()["version"] == 2
    found = newest(client, have=1)
    assert found["version"] == 2
    assert found["block"] == held_by(hm.report.page(rbm, tmp_path / "page.html").read_text())[1]
    learnt(tmp_path, seed=2)  # written again with the same weights: no newer net
    assert client.get(f"/{TOKEN}/news").json()["version"] == 2


def test_a_damaged_checkpoint_is_told_and_the_last_net_kept(client: TestClient, tmp_path: Path) -> None:
    learnt(tmp_path, seed=1)
    block = held_by(client.get(f"/{TOKEN}/").text)[1]
    path = tmp_path / CHECKPOINT
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    news = client.get(f"/{TOKEN}/news").json()
    assert news["word"] == f"{path} is damaged: its checksum is not that of its content."
    assert news["version"] == 1
    assert held_by(client.get(f"/{TOKEN}/").text)[1] == block
    previous(path).write_bytes(whole)  # what it held before is there
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 3]))
    assert "going on from what it held before" in client.get(f"/{TOKEN}/news").json()["word"]
    path.write_bytes(whole)
    assert client.get(f"/{TOKEN}/news").json()["word"] == ""


def test_any_file_in_the_place_of_a_checkpoint_is_told(client: TestClient, tmp_path: Path) -> None:
    for content in (b"", b"\x80\x04N.", b"x" * 4000):
        (tmp_path / CHECKPOINT).write_bytes(content)
        assert client.get(f"/{TOKEN}/news").json()["word"] != ""
    write_tensors(tmp_path / CHECKPOINT, {"weight": torch.ones(2)}, {"model": {"kind": "RBM"}})
    assert client.get(f"/{TOKEN}/news").json()["word"] != ""
    assert client.get(f"/{TOKEN}/").status_code == 200


def test_news_have_the_figures_of_the_present_phase(client: TestClient, tmp_path: Path) -> None:
    append_row(tmp_path / "metrics.jsonl", {"phase": "layer 1", "epoch": 1, "error": 9.0})
    for epoch in range(1, 502):
        append_row(tmp_path / "metrics.jsonl", {"phase": "layer 2", "epoch": epoch, "error": 1 / epoch, "gap": float("nan")})
    news = client.get(f"/{TOKEN}/news").json()
    assert news["phase"] == "layer 2"
    assert len(news["rows"]) <= 200
    assert news["rows"][-1] == {"epoch": 501, "error": 1 / 501, "gap": None}
    assert {row["epoch"] % 3 for row in news["rows"]} == {0}
    assert not news["finished"]
    (tmp_path / "results.json").write_text("{}")
    assert client.get(f"/{TOKEN}/news").json()["finished"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1", "127.0.0.1:80", "127.0.0.1.evil.example:8765", ""])
def test_a_foreign_host_is_refused(client: TestClient, host: str) -> None:
    answer = client.get(f"/{TOKEN}/", headers={"Host": host})
    assert answer.status_code == 421
    assert TOKEN not in answer.text


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1", "https://127.0.0.1:8765", "http://127.0.0.1:8765.evil.example"]
)
def test_a_foreign_origin_is_refused(client: TestClient, origin: str) -> None:
    for answer in (
        client.get(f"/{TOKEN}/", headers={"Origin": origin}),
        client.post(f"/{TOKEN}/net", json={"have": 0}, headers={"Origin": origin}),
    ):
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
    assert client.post(f"/{TOKEN}/net", json={"have": 0}, headers={"Origin": f"http://{HOST}"}).status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/news", "//", "/a-token-of-the-test/", f"/{TOKEN}x/", "/ä/", f"/x/{TOKEN}/", "/%00/", f"/{TOKEN.upper()}/news"]
)
def test_a_missing_or_wrong_token_is_refused(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 403
    assert TOKEN not in answer.text


@pytest.mark.parametrize(
    "place",
    [
        "../config.json",
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e/config.json",
        "news/",
        "news/../../config.json",
        "config.json",
        CHECKPOINT,
        "net/x",
        "//news",
        ".",
    ],
)
def test_nothing_else_is_served(client: TestClient, tmp_path: Path, place: str) -> None:
    learnt(tmp_path, seed=1)
    (tmp_path / "config.json").write_text("a secret")
    answer = client.build_request("GET", f"/{TOKEN}/")
    answer.url = answer.url.copy_with(raw_path=f"/{TOKEN}/{place}".encode())  # as it stands: clients tidy a path
    found = client.send(answer)
    assert found.status_code in (403, 404, 405)
    assert "secret" not in found.text


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "POST"])
def test_other_methods_are_refused(client: TestClient, method: str) -> None:
    for place in ("", "news"):
        answer = client.request(method, f"/{TOKEN}/{place}")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert client.get(f"/{TOKEN}/net").status_code == 405


def test_a_body_is_short_and_says_what_the_page_has(client: TestClient) -> None:
    assert client.post(f"/{TOKEN}/net", content=b" " * (MOST_BYTES + 1)).status_code == 413
    assert client.post(f"/{TOKEN}/net", content=iter([b" " * MOST_BYTES, b" "])).status_code == 413  # whose length nobody declares
    assert client.request("GET", f"/{TOKEN}/", content=b" " * (MOST_BYTES + 1)).status_code == 413
    assert client.post(f"/{TOKEN}/net", content=b"{}", headers={"Content-Length": "9" * 5000}).status_code == 413
    for body in (b"", b"{}", b"[]", b"1", b'{"have": "1"}', b'{"have": true}', b'{"have": 1.5}', b"[" * MOST_BYTES, b"\xff"):
        assert client.post(f"/{TOKEN}/net", content=body).status_code == 400


def test_answers_are_for_the_page_alone(client: TestClient, tmp_path: Path) -> None:
    learnt(tmp_path, seed=1)
    for answer in (client.get(f"/{TOKEN}/"), client.get(f"/{TOKEN}/news"), client.get("/")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_a_thousand_requests_at_once_are_served_or_refused(guarded: Guard, tmp_path: Path) -> None:
    learnt(tmp_path, seed=1)

    async def ask() -> list[int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(guarded), base_url=f"http://{HOST}") as many:
            answers = await asyncio.gather(*(many.get(f"/{TOKEN}/news") for _ in range(1000)))
            after = await many.get(f"/{TOKEN}/news")
        return [*(answer.status_code for answer in answers), after.status_code]

    codes = asyncio.run(ask())
    assert set(codes) == {200, 503}
    assert codes.count(200) >= MOST_AT_ONCE
    assert codes[-1] == 200


def test_looks_leave_the_processor_to_the_run(tmp_path: Path) -> None:
    drawn: list[Path] = []

    def draw(path: Path) -> Path:
        drawn.append(path)
        raise ValueError("nothing is learnt")

    watched = Watched(tmp_path, draw, every=60.0)
    client = TestClient(Guard(application(watched), names=[HOST], token=TOKEN), base_url=f"http://{HOST}")
    for seed in range(3):
        learnt(tmp_path, seed)
        assert client.get(f"/{TOKEN}/news").json()["word"] == "Nothing is learnt."
    assert len(drawn) == 1


def test_a_watched_folder_is_not_written_to(client: TestClient, tmp_path: Path) -> None:
    learnt(tmp_path, seed=1)
    before = {path: path.stat() for path in tmp_path.rglob("*")}
    for place in ("", "news"):
        client.get(f"/{TOKEN}/{place}")
    newest(client)
    assert {path: path.stat() for path in tmp_path.rglob("*")}.keys() == before.keys()
    assert all(path.stat().st_mtime_ns == status.st_mtime_ns for path, status in before.items())
