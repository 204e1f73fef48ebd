"""Measured data written by hand: what a right half, a wrong half and their plays look like."""

from client_sim.measured import Happening, Holding, Line, Moment, Playing
from client_sim.performance import Act, Performance
from syncd.model import Chain, Epoch, Position

SENDER = "aa" * 12


def line(seq: int, number: int = 0, body: str = "") -> Line:
    return Line(seq, SENDER, number or seq, body or f"digest {seq}")


def lines(*seqs: int) -> tuple[Line, ...]:
    return tuple(line(seq) for seq in seqs)


def position(seq: int, chain: bytes = b"chain---") -> Position:
    return Position(Epoch(b"epoch---"), seq, Chain(chain))


def holding(name: str, *seqs: int, check: tuple[str, ...] = (), at: int = 1) -> Holding:
    return Holding(name, "pc", lines(*seqs), position(at), check)


def right_half(count: int = 1) -> Playing:
    seqs = range(1, count + 1)
    holdings = tuple(holding(name, *seqs, at=count) for name in ("PC1", "PC2"))
    return Playing(lines(*seqs), holdings, _moments(count, 0, count))


def wrong_half(count: int = 1) -> Playing:
    seqs = range(1, count + 1)
    holdings = (
        holding("PC1", *seqs, at=count),
        holding("PC2", check=("this device holds nothing",), at=count),
    )
    return Playing(lines(*seqs), holdings, _moments(count, count, 0))


def _moments(count: int, cursor: int, came: int) -> tuple[Moment, ...]:
    return (
        Moment(Happening.ARRIVED, count=count),
        Moment(Happening.LOGGED_IN, "PC1", count, 0, 0),
        Moment(Happening.LOGGED_OUT, "PC1", cursor=count),
        Moment(Happening.LOGGED_IN, "PC2", came, cursor, cursor),
        Moment(Happening.LOGGED_OUT, "PC2", cursor=count),
    )


def performance(count: int = 1) -> Performance:
    """The bug appeared and is gone, in the main play and in one variant."""
    halves = {"platform": wrong_half(count), "device": right_half(count)}
    return Performance(
        Act("founding_report", "the founding report", halves),
        (Act("three_pcs", "three PCs", halves),),
    )
