"""What an upstream is told and tells: nothing of it that is secret is ever shown."""

from syncd.identity.upstream import App, AppKind, Redeemed


def test_no_secret_is_shown() -> None:
    app = App("phone", "wx1", "hush", AppKind.MINI_PROGRAM, "open")
    assert repr(app) == "App(name='phone', appid='wx1')"
    redeemed = Redeemed("o-alice", "o-union", "hush")
    assert repr(redeemed) == "Redeemed(openid='o-alice')"
