"""What a device shows to log in: no secret of it is printed, and the apps are what they say."""

from client_sim.evidence import APPS, OPEN, Scanned


def test_a_token_is_not_printed() -> None:
    assert repr(Scanned("phone", "sd_secret")) == "Scanned(device='phone')"


def test_the_apps_tell_apart_what_plays_are_about() -> None:
    silent = {name for name, app in APPS.items() if app.platform == OPEN and app.silent}
    late = {name for name, app in APPS.items() if app.platform == OPEN and not app.silent}
    never = {name for name, app in APPS.items() if not app.platform}
    assert (silent, late, never) == ({"app", "site"}, {"page"}, {"stranger"})
