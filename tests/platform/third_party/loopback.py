"""The real host names, led to a platform on this machine.

Many libraries spell out https://api.weixin.qq.com. They stay as they are: their requests go
through a proxy that knows two names and leads both to the platform; every other name is refused,
so that no test talks to anybody else.
"""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

API_HOST = "api.weixin.qq.com"
BROWSER_HOST = "open.weixin.qq.com"
HOSTS = {API_HOST, BROWSER_HOST}


class Loopback(NamedTuple):
    """A platform that answers for the real hosts."""

    url: str  # the platform itself, over plain HTTP
    tls_port: int  # the platform, with a certificate for both names
    authority: Path  # what must be trusted for that, PEM
    proxy: str  # leads requests for the two names to `tls_port`

    @property
    def environment(self) -> dict[str, str]:
        """What makes the `requests` library go there."""
        # The small names win where a machine has them.
        proxies = {"https_proxy": self.proxy, "no_proxy": "127.0.0.1"}
        upper = {name.upper(): value for name, value in proxies.items()}
        return {**proxies, **upper, "REQUESTS_CA_BUNDLE": str(self.authority)}


@asynccontextmanager
async def loopback(app: web.Application, folder: Path) -> AsyncIterator[Loopback]:
    """Serve the application until the block ends."""
    certificate = write_certificate(folder)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    plain = web.TCPSite(runner, "127.0.0.1", 0)
    await plain.start()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    protected = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await protected.start()
    plain_port, tls_port = (address[1] for address in runner.addresses)
    tunnels = Tunnels(tls_port)
    proxy = await asyncio.start_server(tunnels.serve, "127.0.0.1", 0)
    try:
        yield Loopback(
            f"http://127.0.0.1:{plain_port}",
            tls_port,
            certificate,
            f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}",
        )
    finally:
        proxy.close()
        tunnels.end()
        await runner.cleanup()


class Tunnels:
    """An HTTP proxy that knows CONNECT, and two names."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client connection."""
        self._open.add(writer)
        try:
            request = await reader.readuntil(b"\r\n\r\n")
            method, target, _ = request.split(b"\r\n", 1)[0].decode("ascii").split(" ")
            if method != "CONNECT" or target.removesuffix(":443") not in HOSTS:
                writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                return
            inward, outward = await asyncio.open_connection("127.0.0.1", self._port)
            self._open.add(outward)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(pour(reader, outward), pour(inward, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass  # whoever went away has its own say
        finally:
            writer.close()

    def end(self) -> None:
        for writer in self._open:
            writer.close()


async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    finally:
        writer.close()


def write_certificate(folder: Path) -> Path:
    """A certificate for both names that is its own authority, and its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, API_HOST)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(host) for host in sorted(HOSTS)]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "platform.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
