"""The file of apps and issuers: read strictly, and never quoted."""

from pathlib import Path

import pytest

from syncd.identity.issuers import Issuer
from syncd.identity.settings import (
    REAL_PLATFORM,
    LoginSettings,
    SettingsRefused,
    read_settings,
)
from syncd.identity.upstream import App, AppKind

APP = '[apps.phone]\nappid = "wx1"\nsecret = "hush"\nkind = "mini-program"\n'
ISSUER = '[issuers."https://id.example"]\naudience = "syncd"\nalgorithms = ["RS256"]\n'
JWKS = 'jwks = "https://id.example/jwks.json"\n'


def read(tmp_path: Path, text: str) -> LoginSettings:
    path = tmp_path / "login.toml"
    path.write_text(text)
    return read_settings(path)


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text('{"keys": []}')
    text = (
        'upstream = "http://127.0.0.1:8788"\n'
        + APP
        + 'platform = "open"\n[apps.site]\nappid = "wx2"\nsecret = "hush2"\nkind = "website"\n'
        + ISSUER
        + JWKS
        + '[issuers.other]\naudience = "a"\nalgorithms = ["ES256"]\nkeys = "keys.json"\n'
    )
    read_ = read(tmp_path, text)
    assert read_.upstream == "http://127.0.0.1:8788"
    assert read_.apps == {
        "phone": App("phone", "wx1", "hush", AppKind.MINI_PROGRAM, "open"),
        "site": App("site", "wx2", "hush2", AppKind.WEBSITE),
    }
    assert read_.issuers == (
        Issuer("https://id.example", "syncd", ("RS256",), "https://id.example/jwks.json"),
        Issuer("other", "a", ("ES256",), keys=b'{"keys": []}'),
    )


def test_an_empty_file_means_the_real_platform_and_nobody(tmp_path: Path) -> None:
    assert read(tmp_path, "") == LoginSettings(REAL_PLATFORM, {}, ())


REFUSED = {
    "no TOML": "secret = hush",
    "an unknown field": "upstreams = 1",
    "an unknown field of an app": APP + "appkey = 1",
    "an unknown kind": APP.replace("mini-program", "mini"),
    "no secret": APP.replace('secret = "hush"\n', ""),
    "an empty secret": APP.replace("hush", ""),
    "a secret with a space": APP.replace("hush", "hu sh"),
    "two apps with one appid": APP + APP.replace("phone", "other"),
    "an upstream with a path": 'upstream = "https://api.example/sns"',
    "an upstream with a password": 'upstream = "https://a:hush@api.example"',
    "an upstream that is none": 'upstream = "api.example"',
    "a shared secret as algorithm": ISSUER.replace("RS256", "HS256") + JWKS,
    "no algorithm at all": ISSUER.replace('"RS256"', "") + JWKS,
    "the algorithm none": ISSUER.replace("RS256", "none") + JWKS,
    "no keys": ISSUER,
    "two kinds of keys": ISSUER + JWKS + 'keys = "keys.json"',
    "keys from a file: URL": ISSUER + 'jwks = "file:///etc/passwd"',
    "a file of keys that is missing": ISSUER + 'keys = "nowhere.json"',
    "no audience": ISSUER.replace('"syncd"', '""') + JWKS,
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_meant_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsRefused) as refused:
        read(tmp_path, text)
    sentence = str(refused.value)
    assert sentence.startswith("The file ")
    assert sentence.endswith(".")
    assert "hush" not in sentence


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match="cannot be read"):
        read_settings(tmp_path / "login.toml")
