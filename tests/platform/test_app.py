"""One address for both hosts: what belongs to neither is an error of the API."""

from aiohttp.test_utils import TestClient, TestServer

from syncd.platform.app import application
from tests.platform.town import NOW, database, new_world


async def test_an_application_needs_no_more_than_a_world_and_a_clock() -> None:
    app = application(new_world(database()), lambda: NOW)
    async with TestClient(TestServer(app)) as client:
        unknown = await client.get("/sns/none")
        assert unknown.status == 200
        assert b'"errcode":40066' in await unknown.read()
        assert (await client.get("/connect/none")).status == 404
        assert (await client.get("/connect/browser")).status == 200
