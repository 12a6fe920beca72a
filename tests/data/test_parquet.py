"""Parquet files that polars writes, what they say of their sizes, and files for which a compiled reader would take too much memory."""

import math

import pytest

from harmonium.data import parquet
from harmonium.data.parquet import FREE, GROUPS, VALUE, VALUES, check_sizes, read_parquet
from harmonium.data.thrift import Thrift

polars = pytest.importorskip("polars", reason="the extra `frames`")
ROWS = 2000
PEOPLE = {
    "height": [None if row % 7 == 0 else row / 3 for row in range(ROWS)],
    "name": [f"name {row % 50}" for row in range(ROWS)],
    "tall": [row % 2 == 0 for row in range(ROWS)],
}


def footer(content):
    """A file's own description, and where it begins."""
    begin = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    return Thrift(content[begin:-8]).structure(), begin


@pytest.mark.parametrize("compression", ["uncompressed", "snappy", "gzip", "zstd", "lz4", "brotli"])
@pytest.mark.parametrize("groups", [1, 3])
def test_files_as_they_are_written_are_read(tmp_path, compression, groups):
    frame, path = polars.DataFrame(PEOPLE), tmp_path / "a.parquet"
    frame.write_parquet(path, compression=compression, row_group_size=-(-ROWS // groups), use_pyarrow=False)
    assert read_parquet(path).equals(frame)
    described, _ = footer(path.read_bytes())
    assert described[3] == ROWS
    assert [chunk[3][VALUES] for chunk in described[GROUPS][0][1]] == [math.ceil(ROWS / groups)] * 3


def number(value):
    """A whole number of Thrift."""
    value, found = value << 1, b""
    while value > 127:
        found += bytes([value & 127 | 128])
        value >>= 7
    return found + bytes([value])


@pytest.mark.parametrize("rows", [2**26, 2**31 - 1, 2**40])
def test_a_table_that_would_take_far_more_memory_than_its_file_has_bytes_is_refused(tmp_path, rows):
    path = tmp_path / "a.parquet"
    polars.DataFrame(PEOPLE).write_parquet(path)
    content = path.read_bytes()
    _, begin = footer(content)
    told = content[begin:-8].replace(number(ROWS), number(rows))
    path.write_bytes(content[:begin] + told + len(told).to_bytes(4, "little") + content[-4:])
    assert footer(path.read_bytes())[0][3] == rows
    with pytest.raises(ValueError, match=r"a\.parquet describes a table of [\d,]+ bytes, and at most [\d,]+ are taken"):
        read_parquet(path)


def test_a_larger_file_may_take_more(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "EXPANSION", 1000)
    path = tmp_path / "a.parquet"
    polars.DataFrame({"one": polars.Series([0.0]).new_from_index(0, 5_000_000)}).write_parquet(path)
    size = path.stat().st_size
    assert VALUE * 5_000_000 > FREE
    assert size < 65_000
    with pytest.raises(ValueError, match=f"at most {FREE:,} are taken for a file of {size:,}"):
        check_sizes(path)
    with path.open("r+b") as file:  # room between the columns and the footer changes nothing of the table
        content = file.read()
        begin = footer(content)[1]
        file.seek(begin)
        file.write(bytes(200_000) + content[begin:])
    assert len(read_parquet(path)) == 5_000_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: b"", "is no complete Parquet file"),
        (lambda content: content[:-1], "does not begin and end with PAR1"),
        (lambda content: content[: len(content) // 2] + content[-40:], "is no complete Parquet file"),
        (lambda content: content[:-8] + (1 << 31).to_bytes(4, "little") + b"PAR1", "does not begin and end with PAR1"),
        (lambda content: content[:4] + content[-200:], "is no complete Parquet file"),
        (lambda content: b"PAR1" + bytes(50) + (50).to_bytes(4, "little") + b"PAR1", "is no complete Parquet file"),
        (lambda content: b"PAR1" + b"\x1c" * 500 + (500).to_bytes(4, "little") + b"PAR1", "structures and lists more than 16 deep"),
    ],
)
def test_what_is_no_parquet_file_is_refused_in_a_sentence(tmp_path, change, message):
    path = tmp_path / "a.parquet"
    polars.DataFrame(PEOPLE).write_parquet(path)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ValueError, match=message) as caught:
        read_parquet(path)
    assert "\n" not in str(caught.value)


def test_a_panic_of_the_library_is_a_sentence(tmp_path, monkeypatch, capfd):
    def panic(path):
        import os

        os.write(2, b"thread panicked")
        raise polars.exceptions.PanicException("unwrap on an Err\nand more")

    path = tmp_path / "a.parquet"
    polars.DataFrame(PEOPLE).write_parquet(path)
    monkeypatch.setattr(polars, "read_parquet", panic)
    with pytest.raises(ValueError, match=r"a\.parquet is no Parquet file that can be read: unwrap on an Err$"):
        read_parquet(path)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("head", [0x19, 0x1C], ids=["lists", "structures"])
def test_a_description_that_is_deep_is_refused(head):
    with pytest.raises(ValueError, match="16 deep"):
        Thrift(bytes([head]) * 5000).structure()


def test_a_path_may_be_a_text_and_may_lead_nowhere(tmp_path):
    polars.DataFrame(PEOPLE).write_parquet(tmp_path / "a.parquet")
    assert len(read_parquet(str(tmp_path / "a.parquet"))) == ROWS
    (tmp_path / "empty.parquet").touch()
    with pytest.raises(ValueError, match=r"empty\.parquet"):
        read_parquet(str(tmp_path / "empty.parquet"))
    with pytest.raises(FileNotFoundError, match=r"none\.parquet"):
        read_parquet(str(tmp_path / "none.parquet"))
