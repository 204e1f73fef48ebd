// The page /pair: shows a code until a signed-in device has said yes to it, and is an inbox then.
//
// What is kept lies in localStorage: account, device, token and secret. The secret is what lets this
// browser keep its device at the next login; so it has to outlive the tab, and a log-out. Nothing of
// the log is kept: a page that is loaded anew fetches it again. All that came from others is shown as
// text (textContent), never as markup; the server's policy for this page allows no other script.

import { Line } from "./line.js";
import { bodyOf, direct, textOf } from "./inbox.js";

const KEPT = `syncd ${location.pathname}`;
const MESSAGE = 1, READ = 5;
const NOT_AUTHENTICATED = 4503, REVOKED = 4504, FENCED = 4505, ROTATED = 4509, SIGNED_OUT = 4510, MERGED = 4511;
const SHOWN_LINES_MAX = 300;

const byId = (id) => document.getElementById(id);
const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

const kept = () => JSON.parse(localStorage.getItem(KEPT) ?? "{}");
const keep = (login) => localStorage.setItem(KEPT, JSON.stringify(login));
const signOut = () => keep({ device: kept().device, secret: kept().secret });

let line = null;
let open = null; // the conversation that is shown
let marked = ""; // up to where it was said to be read
let trouble = "";

function show(screen) {
  for (const each of ["pairing", "notice", "inbox"]) byId(each).hidden = each !== screen;
}

function tell(text, button, next) {
  show("notice");
  byId("notice-text").textContent = text;
  byId("again").hidden = !button;
  byId("again").textContent = button;
  byId("again").onclick = next;
}

async function ask(path, body, token) {
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  try {
    const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body), credentials: "omit" });
    return { ok: answer.ok, ...(await answer.json()) };
  } catch {
    return { ok: false, error: "unreachable" };
  }
}

// ---------------------------------------------------------------- the code

async function pair() {
  const { device, secret } = kept();
  const platform = navigator.userAgentData?.platform || navigator.platform || "";
  const request = { name: `Browser ${platform}`.trim().slice(0, 60), platform: "web" };
  if (device && secret) request.device = { id: device, secret };
  const begun = await ask("v1/pairing", request);
  if (!begun.ok) return tell(begun.text ?? "The server cannot be reached.", "Try again", pair);
  byId("qr").src = `data:image/svg+xml,${encodeURIComponent(begun.qr)}`;
  byId("user-code").textContent = begun.user_code;
  byId("matching-code").textContent = begun.matching_code;
  byId("place").textContent = begun.place && `, and ${begun.place} as the place`;
  show("pairing");
  let interval = begun.interval;
  for (;;) {
    await sleep(interval);
    const answer = await ask("v1/pairing/token", { device_code: begun.device_code });
    if (answer.ok) return enter(answer);
    switch (answer.error) {
      case "authorization_pending": case "unreachable": case "busy": case "draining":
        continue;
      case "slow_down":
        interval += 5;
        continue;
      case "access_denied":
        return tell("It was declined on the other device.", "Show a new code", pair);
      case "expired_token":
        return tell("The code has expired.", "Show a new code", pair);
      case "device_revoked":
        keep({});
        return tell("This device was revoked.", "Log in as a new one", pair);
      default:
        return tell(answer.text ?? "The login failed.", "Show a new code", pair);
    }
  }
}

function enter({ account, device, token, secret }) {
  keep({ account, device, token, secret: secret ?? kept().secret });
  follow();
}

// ---------------------------------------------------------------- the inbox

function follow() {
  const address = new URL("v1/sync", location.href);
  address.protocol = address.protocol.replace("http", "ws");
  line?.stop();
  open = null;
  marked = trouble = "";
  line = new Line(address.href.replace(/[#?].*/, ""), kept().token, { changed, refused, ended });
  show("inbox");
  changed();
}

function ended(code, name) {
  const again = kept().token;
  if (code === ROTATED && again && again !== line.token) return follow(); // another tab logged in
  if (code === FENCED) return tell("This inbox is open in another window.", "Use it here", follow);
  if (code === REVOKED) keep({});
  if ([NOT_AUTHENTICATED, ROTATED, SIGNED_OUT, MERGED].includes(code)) signOut();
  const words = {
    [REVOKED]: "This device was revoked.",
    [MERGED]: "The account was merged into another one.",
    [NOT_AUTHENTICATED]: "You are signed out.",
    [ROTATED]: "You are signed out.",
    [SIGNED_OUT]: "You were signed out.",
  };
  tell(words[code] ?? `The line ended: ${name}.`, words[code] ? "Log in again" : "Try again", start);
}

async function logOut() {
  const { token } = kept();
  line.stop();
  signOut();
  const answer = await ask("v1/self/logout", { everywhere: false, keep_this: false }, token);
  const sure = answer.ok || answer.error === "unauthorized";
  tell(sure ? "You are signed out." : "Signed out here; the server could not be told.", "Log in", start);
}

function refused(message, code) {
  if (message?.kind === MESSAGE) trouble = `not sent (${code}): ${textOf(message.body)}`;
}

let drawing = 0;
function changed() {
  drawing ||= setTimeout(draw, 20);
}

function draw() {
  drawing = 0;
  if (byId("inbox").hidden) return;
  const inbox = line.inbox;
  byId("state").textContent = trouble || (line.live ? "" : "connecting ...");
  if (!inbox) return;
  byId("who").textContent = inbox.account;
  const list = inbox.list();
  open ??= list[0] ?? null;
  byId("conversations").replaceChildren(...list.map((id) => choice(inbox, id)));
  byId("title").textContent = open === null ? "" : inbox.titleOf(open);
  byId("write").hidden = open === null;
  const lines = open === null ? [] : inbox.lines(open);
  byId("messages").replaceChildren(...lines.slice(-SHOWN_LINES_MAX).map((each) => shown(inbox, each)));
  byId("messages").lastElementChild?.scrollIntoView();
  markRead(lines);
}

function made(tag, text, name = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = name;
  return element;
}

function choice(inbox, id) {
  const button = made("button", "");
  button.type = "button";
  button.dataset.conversation = id;
  button.setAttribute("aria-current", String(id === open));
  const count = inbox.unread(id);
  if (count) button.append(made("span", count, "count"));
  button.append(made("bdi", inbox.titleOf(id)));
  button.onclick = () => choose(id);
  const item = made("li", "");
  item.append(button);
  return item;
}

function choose(id) {
  open = id;
  changed();
}

function shown(inbox, each) {
  if (each.notice) return made("li", told(each), "told");
  const item = made("li", "", inbox.isOwn(each.account) ? "own" : "");
  const text = each.body === null ? (each.recalled ? "recalled" : "erased") : textOf(each.body);
  if (each.body === null) item.classList.add("gone");
  if (!inbox.isOwn(each.account)) item.append(made("bdi", each.account || "system", "by"));
  item.append(made("bdi", text), each.edited ? " (edited)" : "");
  return item;
}

function told({ account, notice }) {
  switch (notice.action) {
    case "merge":
      return `${notice.guest} is this account, too, from here on`;
    case "device_added":
      return `A new device logged in: ${notice.name} (${notice.platform})`;
    default:
      return `${account || "operator"}: ${notice.action} ${[...(notice.members ?? []), ...(notice.owners ?? [])].join(", ")}`;
  }
}

function markRead(lines) {
  const newest = lines.findLast((each) => line.inbox.isUnread(each));
  if (!newest || newest.key === marked || document.visibilityState !== "visible") return;
  if (line.send(READ, open, newest.identity, "")) marked = newest.key;
}

function submitted(form, field, act) {
  byId(form).onsubmit = (event) => {
    event.preventDefault();
    const text = byId(field).value;
    if (text.trim() && act(text) !== false) byId(field).value = "";
  };
}

// ---------------------------------------------------------------- the beginning

function start() {
  const code = /^#([A-Z]{4}-[A-Z]{4})$/.exec(location.hash);
  if (code) return tell(`To let a computer in, confirm ${code[1]} in the app where you are signed in.`, "", null);
  return kept().token ? follow() : pair();
}

submitted("begin", "to", (text) => line.inbox && choose(direct(line.inbox.account, text.trim())));
submitted("write", "text", (text) => {
  trouble = "";
  return line.send(MESSAGE, open, null, bodyOf(text));
});
byId("log-out").onclick = logOut;
document.addEventListener("visibilitychange", changed);
start();
