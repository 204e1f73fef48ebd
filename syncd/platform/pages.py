"""The pages that people see at the platform: consent, the QR code, the phone that scanned it.

A page that asks offers both answers in the same shape: refusing is as easy as agreeing. Nothing
of a page runs but its own script, and nobody may frame a page that asks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from string import Template

_TEXTS = {
    "cn": {
        "allow": "允许",
        "refuse": "拒绝",
        "wants_profile": "申请获取你的昵称和头像",
        "scan": "使用手机扫一扫登录",
        "scanned": "扫描成功, 请在手机上确认",
        "cancelled": "你已取消此次登录, 可再次扫描",
        "expired": "二维码已失效, 请刷新页面",
        "wants_login": "申请在另一台设备上登录",
        "place": "登录地点",
        "matching": "两台设备上的号码必须一致",
        "nobody": "请在客户端打开链接",
        "unreachable": "该链接无法访问",
        "confirmed": "登录成功",
        "welcome": "此浏览器属于",
    },
    "en": {
        "allow": "Allow",
        "refuse": "Refuse",
        "wants_profile": "asks for your nickname and picture",
        "scan": "Scan with your phone to log in",
        "scanned": "Scanned. Now confirm on your phone",
        "cancelled": "You refused. Scan again to log in",
        "expired": "This code has expired. Reload the page",
        "wants_login": "asks to log you in on another device",
        "place": "Place",
        "matching": "Both devices must show the same number",
        "nobody": "Open this link in the client",
        "unreachable": "This link cannot be opened",
        "confirmed": "Logged in",
        "welcome": "This browser belongs to",
    },
}

_PAGE = Template("""<!doctype html>
<html lang="$language"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>$title</title>
<style nonce="$nonce">
body { font: 1.1rem/1.5 system-ui, sans-serif; text-align: center; margin: 3rem auto;
  max-width: 22rem }
img.qrcode { width: 17rem; height: 17rem; image-rendering: pixelated }
.matching { font-size: 2.2rem; letter-spacing: .3em; margin: .5rem }
form { display: flex; gap: 1rem }
button { flex: 1; font: inherit; padding: .7rem }
</style></head><body>
$content
</body></html>
""")

_ASK = Template("""<h1>$app</h1><p class="ask">$ask</p>$details
<form method="post" action="$action">$hidden
<button name="answer" value="refuse">$refuse</button>
<button name="answer" value="allow">$allow</button>
</form>""")

_QR = Template("""<h1>$app</h1>
<img class="qrcode lightBorder" src="/connect/qrcode/$uuid" alt="QR">
<p class="status">$scan</p><p class="matching">$matching</p><p>$matching_text</p>
<script nonce="$nonce">
const said = $said;
let last = "";
function poll() {
  const script = document.createElement("script");
  script.src = "/connect/l/qrconnect?uuid=$uuid" + last + "&_=" + Date.now();
  script.onload = () => { script.remove(); react(); };
  script.onerror = () => { script.remove(); setTimeout(poll, 2000); };
  window.wx_errcode = 408;
  document.head.append(script);
}
function react() {
  const status = window.wx_errcode;
  const text = said.texts[status];
  if (text) document.querySelector(".status").textContent = text;
  last = status === 408 ? "" : "&last=" + status;
  if (status === 405) {
    const leave = said.frame ? window : window.top;
    leave.location = said.before + window.wx_code + said.after;
  } else if (status !== 402) poll();
}
addEventListener("load", poll);
</script>""")


@dataclass(frozen=True, slots=True)
class Look:
    """What every page needs: its language ("cn" or "en") and the nonce of its style and script."""

    language: str
    nonce: str

    @property
    def texts(self) -> Mapping[str, str]:
        return _TEXTS[self.language]

    def page(self, title: str, content: str) -> str:
        """A whole page. content: HTML, everything in it escaped already."""
        language = "zh-CN" if self.language == "cn" else "en"
        return _PAGE.substitute(
            language=language, nonce=self.nonce, title=escape(title), content=content
        )


def language(asked: str) -> str:
    """The language of a `lang` parameter; the platform speaks Chinese to whoever asks for none."""
    return "en" if asked.startswith("en") else "cn"


def says(look: Look, text: str, detail: str = "") -> str:
    """A page with one sentence, named as in `_TEXTS`, and perhaps what it is about."""
    sentence = f"{look.texts[text]} {detail}".strip()
    return look.page(sentence, f'<p class="{text}">{escape(sentence)}</p>')


def asks_consent(look: Look, app: str, consent: str) -> str:
    """May the app see the profile? The form brings `consent` back, with the answer."""
    return look.page(app, _asks(look, app, "wants_profile", _Form("oauth2/answer", consent)))


def asks_login(look: Look, app: str, uuid: str, place: str, matching: str) -> str:
    """May another device, there, be logged in? The number must be the one that it shows."""
    details = (
        f"<p>{escape(look.texts['place'])}: {escape(place)}</p>"
        f'<p class="matching">{escape(matching)}</p><p>{escape(look.texts["matching"])}</p>'
    )
    return look.page(app, _asks(look, app, "wants_login", _Form("answer", uuid, details)))


def shows_qr(look: Look, app: str, uuid: str, matching: str, said: Mapping[str, object]) -> str:
    """The page of a PC that waits to be logged in.

    said: what its script leaves with: `before` and `after` the code, and whether only its own
    `frame` leaves.
    """
    texts = {404: look.texts["scanned"], 403: look.texts["cancelled"], 402: look.texts["expired"]}
    content = _QR.substitute(
        app=escape(app),
        uuid=escape(uuid),
        nonce=look.nonce,
        scan=escape(look.texts["scan"]),
        matching=escape(matching),
        matching_text=escape(look.texts["matching"]),
        # A script ends at "</script>" wherever that stands, so no "<" stands in its data.
        said=json.dumps({**said, "texts": texts}).replace("<", "\\u003c"),
    )
    return look.page(app, content)


@dataclass(frozen=True, slots=True)
class _Form:
    action: str
    subject: str
    details: str = ""


def _asks(look: Look, app: str, ask: str, form: _Form) -> str:
    return _ASK.substitute(
        app=escape(app),
        ask=escape(look.texts[ask]),
        details=form.details,
        action=f"/connect/{form.action}",
        hidden=f'<input type="hidden" name="subject" value="{escape(form.subject)}">',
        refuse=escape(look.texts["refuse"]),
        allow=escape(look.texts["allow"]),
    )
