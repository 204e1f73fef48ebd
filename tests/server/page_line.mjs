// Plays sockets to the page's own line: a script of JSON lines in, what it did out.
// node page_line.mjs FOLDER, where line.js and inbox.js are modules.
import { createInterface } from "node:readline";

const did = [];
let socket = null;
globalThis.WebSocket = class {
  constructor() {
    socket = this;
    did.push(["connect"]);
  }
  send(text) {
    did.push(["say", JSON.parse(text)]);
  }
  close(code) {
    did.push(["close", code]);
  }
};
const timers = [];
globalThis.setTimeout = (act) => timers.push(act);
globalThis.clearTimeout = () => {};

const { Line } = await import(`file://${process.argv[2]}/line.js`);
let line = null;

const acts = {
  begin: () => {
    line = new Line("ws://here/v1/sync", "a token", {
      changed() {},
      refused: (message, code) => did.push(["refused", message.number, code]),
      ended: (code, name) => did.push(["ended", code, name]),
    });
  },
  open: () => socket.onopen(),
  hear: (frame) => socket.onmessage({ data: JSON.stringify(frame).replaceAll("OWN", line.instance) }),
  lose: (code) => socket.onclose({ code, reason: "" }),
  send: (body) => line.send(1, "alice~bob", null, body),
  wait: () => timers.at(-1)(),
};
for await (const text of createInterface({ input: process.stdin })) {
  const [act, given] = JSON.parse(text);
  acts[act](given);
  console.log(JSON.stringify(did.splice(0)));
}
