"""One server has one address, however it is written, and no address holds a secret."""

from __future__ import annotations

import pytest

from syncd.client.address import http_address, sync_address


@pytest.mark.parametrize(
    "url",
    [
        "host",
        "ftp://host/v1/sync",
        "ws:///v1/sync",
        "ws://host/v1/sync?token=secret",
        "ws://me:secret@host/v1/sync",
        "ws://host/v1/sync#secret",
    ],
)
def test_an_address_is_scheme_host_and_path(url: str) -> None:
    with pytest.raises(ValueError, match="address") as refused:
        sync_address(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "full"),
    [
        ("ws://host/v1/sync", "ws://host/v1/sync"),
        ("ws://host/v1/sync/", "ws://host/v1/sync"),
        ("wss://host", "wss://host/v1/sync"),
        ("ws://host:8080/", "ws://host:8080/v1/sync"),
        ("http://Host:8080", "ws://host:8080/v1/sync"),
        ("HTTPS://host/v1/sync", "wss://host/v1/sync"),
        ("ws://host/sync", "ws://host/sync/v1/sync"),
        ("https://host/Chat/", "wss://host/Chat/v1/sync"),
        ("ws://host/xv1/sync", "ws://host/xv1/sync/v1/sync"),
        ("http://[::1]:80", "ws://[::1]:80/v1/sync"),
    ],
)
def test_an_address_is_made_whole(url: str, full: str) -> None:
    assert sync_address(url) == full
    assert sync_address(full) == full


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("wss://host", "https://host"),
        ("http://host:8080/v1/sync", "http://host:8080"),
        ("https://host/Chat/", "https://host/Chat"),
    ],
)
def test_requests_go_to_what_stands_before_the_socket(url: str, root: str) -> None:
    assert http_address(sync_address(url)) == root
