"""`harmonium watch` as it is typed: a server of its own, beside a run of the digits."""

import asyncio
import re
import signal
import socket
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from harmonium import cli
from harmonium.recipes import Digits
from harmonium.runs import Run
from harmonium.web import Watched, serve, serving

pytest.importorskip("uvicorn", reason="needs the extra web: pip install 'harmonium[web]'")


def heard(address: str) -> str:
    with urllib.request.urlopen(address, timeout=30) as answer:
        found: str = answer.read().decode()
    return found


async def asked(address: str) -> int:
    """The status of one request on a connection of its own; 0 where the connection is closed or not made."""
    parts = urlsplit(address)
    try:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
        line = await asyncio.wait_for(reader.readline(), 60)
        writer.close()
        return int(line.split()[1]) if line else 0
    except OSError:
        return 0


def test_a_run_that_holds_its_lock_is_watched_and_ctrl_c_ends_it_with_one_line(folder: Path, watch: Callable) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    process, address = watch()
    assert '"kind": "DBN"' in heard(address)
    assert '"phase":"up-down"' in heard(f"{address}news")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (1, "", f"Stopped watching {folder}.\n")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_thousand_connections_at_once_are_answered(folder: Path, watch: Callable) -> None:
    process, address = watch()

    async def many() -> list[int]:
        return await asyncio.gather(*(asked(f"{address}news") for _ in range(1000)))

    codes = asyncio.run(many())
    assert set(codes) <= {200, 503}
    assert 503 in codes
    assert '"version":1' in heard(f"{address}news")
    process.kill()  # in the midst of whatever it does
    process.communicate()
    assert Run.open(folder).recipe == "digits"
    assert not list(folder.rglob("*.tmp"))


def test_noise_on_the_socket_ends_nothing(watch: Callable) -> None:
    process, address = watch()
    parts = urlsplit(address)
    for noise in (
        b"\x16\x03\x01\x02\x00",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET " + b"a" * 200_000,
        b"\r\n" * 1000,
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    ):
        with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
            connection.sendall(noise)
    assert '"version":1' in heard(f"{address}news")
    assert process.poll() is None


def said(monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    """What the command exits with."""
    monkeypatch.setattr(sys, "argv", ["harmonium", "watch", *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return str(end.value.code)


def test_a_port_that_is_taken_and_an_address_that_is_not_ours_are_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert re.fullmatch(
            rf"harmonium: port {port} of 127.0.0.1 cannot be had \(.*\): --port \d+ is free",
            said(monkeypatch, str(folder), "--port", str(port)),
        )
    assert "is no address of this machine" in said(monkeypatch, str(folder), "--host", "192.0.2.1")
    assert "which is all of them" in said(monkeypatch, str(folder), "--host", "0.0.0.0")
    assert "found 'example.org'" in said(monkeypatch, str(folder), "--host", "example.org")
    assert "found 70000" in said(monkeypatch, str(folder), "--port", "70000")


def test_without_the_extra_one_sentence_names_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert said(monkeypatch, str(folder)) == f"harmonium: {serving.EXTRA}"


def test_a_recipe_without_a_page_cannot_be_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harmonium.recipes import RECIPES

    run = Run.begin("mnist-dbn", RECIPES["mnist-dbn"](smoke=True, out=tmp_path / "run"))
    run.release()
    assert "could be a page" in said(monkeypatch, str(tmp_path / "run"))


def test_a_run_that_has_learnt_nothing_waits_and_says_so(tmp_path: Path) -> None:
    Run.begin("digits", Digits(smoke=True, threads=1, out=tmp_path / "run")).release()
    words: list[str] = []

    def stop(sentence: str) -> None:
        words.append(sentence)
        raise KeyboardInterrupt

    def draw(path: Path) -> Path:
        options = Digits(smoke=True, threads=1, out=tmp_path / "run")
        return options.page(Run.open(tmp_path / "run"), path)

    with pytest.raises(KeyboardInterrupt):
        serve(Watched(tmp_path / "run", draw), host="127.0.0.1", port=0, say=stop)
    assert f"{tmp_path / 'run'} has nothing to show yet" in words[0]
