import hashlib
import logging
from pathlib import Path

import pooch
import pytest

from harmonium.data.fetch import locate

CONTENT = {"images.gz": b"the images", "labels.gz": b"the labels"}
FILES = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}
URLS = ("https://first.example/data/", "https://second.example/data")


def put(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(CONTENT.get(name, b"the user's own"))
    return folder


class Network:
    """Stands in for `pooch.retrieve`: writes the known content, and fails for the mirrors that are down."""

    def __init__(self, *down):
        self.down, self.asked = down, []

    def retrieve(self, url, known_hash, fname, path):
        self.asked.append(url)
        pooch.get_logger().info("noise")
        fault = next((fault for start, fault in self.down if url.startswith(start)), None)
        if fault:
            raise fault
        assert known_hash == f"sha256:{FILES[fname]}"
        return str(put(Path(path), fname) / fname)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HARMONIUM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HARMONIUM_DATA", raising=False)
    return tmp_path / "cache" / "toy"


@pytest.fixture
def network(monkeypatch):
    def connect(*down):
        network = Network(*down)
        monkeypatch.setattr(pooch, "retrieve", network.retrieve)
        return network

    return connect


OFFLINE = ("https://", ConnectionError("no route"))


@pytest.mark.parametrize("inside", ["toy", "."])
@pytest.mark.parametrize("names", [("images.gz", "labels.gz"), ("images", "labels"), ("images.gz", "labels")])
@pytest.mark.parametrize("by", ["argument", "environment"])
def test_the_users_folder_comes_first(tmp_path, monkeypatch, network, inside, names, by):
    folder = put(tmp_path / "own" / inside, *names)
    asked = network(OFFLINE).asked
    monkeypatch.setenv("HARMONIUM_DATA", str(tmp_path / ("own" if by == "environment" else "elsewhere")))
    found = locate("toy", FILES, URLS, str(tmp_path / "own") if by == "argument" else None)
    assert found == dict(zip(FILES, (folder / name for name in names), strict=True))
    assert not asked


def test_the_data_sets_own_folder_comes_before_the_one_around_it(tmp_path, network):
    network(OFFLINE)
    put(tmp_path / "own", *FILES)
    folder = put(tmp_path / "own" / "toy", *FILES)
    assert set(locate("toy", FILES, URLS, tmp_path / "own").values()) == {folder / name for name in FILES}


def test_the_cache_is_used_without_a_network(cache, network):
    network(OFFLINE)
    put(cache, *FILES)
    assert locate("toy", FILES, URLS) == {name: cache / name for name in FILES}


def test_the_cache_lies_where_pooch_says_by_default(tmp_path, monkeypatch, network):
    monkeypatch.delenv("HARMONIUM_CACHE")
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "user" / project)
    network(OFFLINE)
    folder = put(tmp_path / "user" / "harmonium" / "toy", *FILES)
    assert locate("toy", FILES, URLS)["images.gz"] == folder / "images.gz"


def test_what_is_missing_is_downloaded_into_the_cache(tmp_path, cache, network):
    asked = network().asked
    own = put(tmp_path / "own", "labels.gz")
    assert locate("toy", FILES, URLS, own) == {"images.gz": cache / "images.gz", "labels.gz": own / "labels.gz"}
    assert asked == ["https://first.example/data/images.gz"]


def test_a_damaged_cached_file_is_downloaded_again(cache, network):
    asked = network().asked
    put(cache, *FILES)
    (cache / "labels.gz").write_bytes(b"the lab")
    assert locate("toy", FILES, URLS)["labels.gz"].read_bytes() == b"the labels"
    assert asked == ["https://first.example/data/labels.gz"]


@pytest.mark.parametrize("fault", [ConnectionError("down"), ValueError("SHA256 hash does not match")])
def test_the_next_mirror_is_tried(cache, network, fault):
    asked = network((URLS[0], fault)).asked
    assert locate("toy", FILES, URLS) == {name: cache / name for name in FILES}
    assert asked[:2] == ["https://first.example/data/images.gz", "https://second.example/data/images.gz"]


@pytest.mark.parametrize("folder", [None, "own"])
def test_offline_one_sentence_says_what_to_put_where(tmp_path, cache, network, folder):
    asked = network(OFFLINE).asked
    put(tmp_path / "own", "unrelated")
    put(cache, "images.gz")
    with pytest.raises(FileNotFoundError) as caught:
        locate("toy", FILES, URLS, folder and tmp_path / folder)
    message = str(caught.value)
    for part in ("toy", "put labels.gz into a folder", "--data-dir", "HARMONIUM_DATA", str(cache), "no route", *URLS):
        assert part in message
    assert (str(tmp_path / "own") in message) == (folder is not None)
    assert "\n" not in message
    assert len(asked) == len(URLS)


def test_a_folder_given_that_is_not_there(tmp_path, network):
    asked = network().asked
    with pytest.raises(FileNotFoundError, match=r"data folder .*absent does not exist"):
        locate("toy", FILES, URLS, tmp_path / "absent")
    assert not asked


def test_pooch_is_quiet_and_its_logger_is_given_back(network, capfd):
    network()
    logger = pooch.get_logger()
    before = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        locate("toy", FILES, URLS)
        assert logger.level == logging.DEBUG
    finally:
        logger.setLevel(before)
    assert capfd.readouterr() == ("", "")


def test_pooch_itself_checks_the_sum_and_leaves_nothing_half_written(cache, monkeypatch):
    def error_page(url, output_file, pooch):
        Path(output_file).write_bytes(b"an error page")

    monkeypatch.setattr(pooch.core, "choose_downloader", lambda url, progressbar: error_page)
    with pytest.raises(FileNotFoundError, match=r"put images\.gz, labels\.gz into a folder.*hash"):
        locate("toy", FILES, URLS)
    assert list(cache.iterdir()) == []
