// One device's line to its log: a client of PROTOCOL.md, JSON subprotocol, that keeps all it has in
// memory. It states its place as long as the page lives; a page that is loaded anew has none, states
// none, and is served the whole retained log again. What it has not been told to be accepted is sent
// again on the next socket; what had no answer when the page was closed may or may not be in the log.

import { Inbox } from "./inbox.js";

const WINDOW_BYTES = 1024 * 1024;
const SILENT_MS = 45_000; // two heartbeats and a little
const DELAY_MIN_MS = 500, DELAY_MAX_MS = 20_000;
const GAP = 4002, HEARTBEAT_LOST = 4003, RESENDING = 4007, FENCED = 4505;
const OUT_OF_TURN = 4502;
const RETRYABLE_FROM = 100;

const drawInstance = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");

export class Line {
  // address: of the socket. told: {changed(), refused(message, code), ended(code, name)}; `ended` when
  // it will not come back by itself.
  constructor(address, token, told) {
    Object.assign(this, { address, token, told });
    this.instance = drawInstance();
    this.position = null;
    this.number = 0;
    this.sent = new Map(); // number -> message, all of this page's life: a server may lose them yet
    this.settled = new Set(); // numbers that were accepted
    this.failures = 0;
    this.inbox = null;
    this.device = "";
    this.live = false;
    this.stopped = false;
    this.connect();
  }

  connect() {
    const socket = new WebSocket(this.address, ["syncd.v1.json"]);
    this.socket = socket;
    this.code = null;
    socket.onopen = () =>
      this.say({ frame: "hello", token: this.token, instance: this.instance, position: this.position, cursor: false, window: WINDOW_BYTES });
    socket.onmessage = (event) => {
      if (this.socket !== socket || this.code !== null) return;
      this.listen();
      this.hear(JSON.parse(event.data));
    };
    socket.onclose = (event) => {
      if (this.socket === socket) this.closed(this.code ?? event.code, event.reason);
    };
    this.listen();
  }

  say(frame) {
    this.socket.send(JSON.stringify(frame));
  }

  listen() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.leave(HEARTBEAT_LOST), SILENT_MS);
  }

  // Close, and go by `code` whatever the close frame of the other side says.
  leave(code) {
    this.code ??= code;
    this.live = false;
    this.socket.close(code);
  }

  stop() {
    this.stopped = true;
    this.leave(1000);
    clearTimeout(this.silence);
    clearTimeout(this.waiting);
  }

  closed(code, name) {
    clearTimeout(this.silence);
    this.live = false;
    if (this.stopped) return;
    const own = code === FENCED && this.goodbye?.instance === this.instance;
    if ((code >= 4500 && !own) || code === 1007 || code === 1009) {
      this.stopped = true;
      this.told.ended(code, this.goodbye?.name ?? name);
      return;
    }
    const bound = Math.min(DELAY_MIN_MS * 2 ** this.failures++, DELAY_MAX_MS);
    const least = this.goodbye?.retry_after ?? 0;
    this.goodbye = null;
    this.waiting = setTimeout(() => this.connect(), least + Math.random() * bound);
    this.told.changed();
  }

  hear(frame) {
    switch (frame.frame) {
      case "welcome": case "truncated": case "reset": return this.judged(frame);
      case "batch": return this.take(frame);
      case "answers": return this.answers(frame);
      case "heartbeat": return this.beat(frame);
      case "goodbye":
        this.goodbye = frame;
        this.code = frame.code;
        this.live = false;
    }
  }

  judged(verdict) {
    const continues = verdict.frame === "welcome" && this.position !== null;
    if (verdict.frame === "welcome" && verdict.start !== (this.position?.seq ?? verdict.floor)) return this.skipped();
    if (!continues) this.inbox = new Inbox(verdict.account, verdict.aliases);
    for (const alias of verdict.aliases ?? []) this.inbox.own.add(alias);
    this.inbox.trim(verdict.floor);
    this.device = verdict.device;
    this.position = { epoch: verdict.epoch, seq: verdict.start, chain: verdict.chain };
    this.number = Math.max(this.number, verdict.sent);
    this.failures = 0;
    this.live = true;
    // What was accepted and is not known any more was lost by the server: it goes again, as it was.
    for (const number of this.settled) if (number > verdict.sent) this.settled.delete(number);
    for (const message of this.sent.values()) {
      if (!this.settled.has(message.number)) this.say({ frame: "send", messages: [message] });
    }
    this.told.changed();
  }

  skipped() {
    this.leave(OUT_OF_TURN);
    this.stopped = true;
    this.told.ended(OUT_OF_TURN, "server_skipped");
  }

  take(batch) {
    if (batch.prev !== this.position.seq) return this.leave(GAP);
    batch.entries.forEach((entry, index) => {
      this.inbox.apply(batch.prev + 1 + index, entry);
      if (entry.device === this.device) this.settled.add(entry.number);
    });
    this.position = { epoch: this.position.epoch, seq: batch.to, chain: batch.chain };
    this.say({ frame: "ack", epoch: this.position.epoch, seq: batch.to });
    this.told.changed();
  }

  beat(heartbeat) {
    if (heartbeat.to !== this.position.seq) return this.leave(GAP);
    this.inbox.trim(heartbeat.floor);
    this.told.changed();
  }

  answers(answers) {
    for (const { number } of answers.accepted) this.settled.add(number);
    for (const { number, code } of answers.refused) {
      if (code >= RETRYABLE_FROM) return this.leave(RESENDING);
      this.told.refused(this.sent.get(number), code);
      this.sent.delete(number);
    }
    this.told.changed();
  }

  // Send a message, or a mark; false while there is no verdict yet, because then there is no number.
  send(kind, conversation, target, body) {
    if (!this.live) return false;
    const message = { number: ++this.number, kind, conversation, target, body };
    this.sent.set(message.number, message);
    this.say({ frame: "send", messages: [message] });
    return true;
  }
}
