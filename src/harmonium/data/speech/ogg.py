"""Pages of Ogg files (RFC 3533), which say where a stream ends."""

from __future__ import annotations

PAGE, HEADER = b"OggS", 27  # how a page begins; bytes before the table of its segments
LAST = 4  # flag of a stream's last page


def is_complete(content: bytes) -> bool:
    """Whether a file is pages from first to last byte, each stream's last one flagged so. Decoders read what is cut off in silence."""
    place = 0
    open_streams: set[bytes] = set()
    while place < len(content):
        header = content[place : place + HEADER]
        if len(header) < HEADER or not header.startswith(PAGE):
            return False
        flags, stream, segments = header[5], header[14:18], header[26]
        table = content[place + HEADER : place + HEADER + segments]
        place += HEADER + segments + sum(table)
        (open_streams.discard if flags & LAST else open_streams.add)(stream)
    return place == len(content) and not open_streams
