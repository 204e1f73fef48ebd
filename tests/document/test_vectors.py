"""The chain's vectors, computed once more from the formula on the page, by hand."""

from hashlib import blake2b

import msgpack

from syncd.document import vectors


def rows() -> dict[str, bytes]:
    lines = [line.split() for line in vectors.text().splitlines()]
    return {line[0]: bytes.fromhex(line[1]) for line in lines if len(line) == 2}


def hashed(data: bytes) -> bytes:
    return blake2b(data, digest_size=32).digest()


def test_the_formula_gives_the_links() -> None:
    shown = rows()
    link = bytes(32)
    assert shown["link(0)"] == link
    for seq in (1, 2, 3):
        header, body = shown[f"header({seq})"], shown[f"body({seq})"]
        assert shown[f"H(body({seq}))"] == hashed(body)
        link = hashed(link + seq.to_bytes(8, "big") + header + hashed(body))
        assert shown[f"link({seq})"] == link
        assert shown[f"chain({seq})"] == link[:8]


def test_header_and_body_are_an_entry() -> None:
    shown = rows()
    for seq, body in enumerate(vectors.BODIES, start=1):
        entry = msgpack.unpackb(shown[f"header({seq})"] + shown[f"body({seq})"])
        assert entry[1:5] == ["alice~bob", "bob", vectors.PHONE, seq]
        assert entry[7] == body
