// A syncd v1 client (JSON subprotocol) written from PROTOCOL.md only, and a trial of groups with it.
import net from 'node:net';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { execFileSync } from 'node:child_process';

// node stranger_groups.mjs HOST PORT PYTHON DATA TOKENS STORES: TOKENS is a file of `alice.PC1 TOKEN` lines, two devices for each of
// alice, bob and carol; PYTHON -m syncd erases and trims in DATA; STORES is an empty folder.
const [HOST, PORT, PYTHON, DATA, TOKENS, STORES] = process.argv.slice(2);
const syncd = (...given) => execFileSync(PYTHON, ['-m', 'syncd', ...given, '--data', DATA]).toString().trim();
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));

// ---------------------------------------------------------------- RFC 6455, minimal client
class Socket {
  constructor(path, protocol, on) {
    this.on = on; this.buffer = Buffer.alloc(0); this.open = false; this.parts = []; this.closed = false;
    this.key = crypto.randomBytes(16).toString('base64');
    this.tcp = net.connect(PORT, HOST, () => this.tcp.write(
      `GET ${path} HTTP/1.1\r\nHost: ${HOST}:${PORT}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Key: ${this.key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ${protocol}\r\n\r\n`));
    this.protocol = protocol;
    this.tcp.setNoDelay(true);
    this.tcp.on('data', (d) => { this.buffer = Buffer.concat([this.buffer, d]); this.pump(); });
    this.tcp.on('error', (e) => { if (this.code) globalThis.lateErrors = (globalThis.lateErrors ?? 0) + 1; this.end(this.code ?? 1006, e.code); });
    this.tcp.on('close', () => this.end(this.code ?? 1006, ''));
  }
  end(code, why) { if (this.closed) return; this.closed = true; this.tcp.destroy(); this.on.close(code, why); }
  pump() {
    if (!this.open) {
      const at = this.buffer.indexOf('\r\n\r\n'); if (at < 0) return;
      const head = this.buffer.subarray(0, at).toString('latin1').split('\r\n');
      this.buffer = this.buffer.subarray(at + 4);
      const headers = Object.fromEntries(head.slice(1).map((l) => [l.slice(0, l.indexOf(':')).toLowerCase(), l.slice(l.indexOf(':') + 1).trim()]));
      const accept = crypto.createHash('sha1').update(this.key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
      if (!/ 101 /.test(head[0] + ' ')) { this.code = 1006; this.end(1006, head[0]); return; }
      if (headers['sec-websocket-accept'] !== accept || headers['sec-websocket-protocol'] !== this.protocol) { this.end(1006, 'bad upgrade'); return; }
      this.open = true; this.on.open();
    }
    for (;;) {
      const b = this.buffer; if (b.length < 2) return;
      let n = b[1] & 127, at = 2;
      if (n === 126) { if (b.length < 4) return; n = b.readUInt16BE(2); at = 4; }
      else if (n === 127) { if (b.length < 10) return; n = Number(b.readBigUInt64BE(2)); at = 10; }
      if (b.length < at + n) return;
      const payload = b.subarray(at, at + n), op = b[0] & 15, fin = b[0] & 128;
      this.buffer = b.subarray(at + n);
      if (op === 9) this.frame(10, payload);
      else if (op === 8) {
        this.code = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
        if (!this.closing) { this.closing = true; this.frame(8, payload.subarray(0, 2)); }
        this.tcp.end(); setTimeout(() => this.end(this.code, ''), 200);
      } else if (op <= 2) {
        this.parts.push(payload);
        if (fin) { const all = Buffer.concat(this.parts); this.parts = []; this.on.message(all.toString('utf8')); }
      }
    }
  }
  frame(op, payload) {
    if (this.closed || this.tcp.destroyed) return;
    const n = payload.length, mask = crypto.randomBytes(4);
    const head = n < 126 ? Buffer.from([128 | op, 128 | n]) : n < 65536 ? Buffer.from([128 | op, 254, n >> 8, n & 255])
      : (() => { const h = Buffer.alloc(10); h[0] = 128 | op; h[1] = 255; h.writeBigUInt64BE(BigInt(n), 2); return h; })();
    const out = Buffer.from(payload); for (let i = 0; i < n; i++) out[i] ^= mask[i & 3];
    this.tcp.write(Buffer.concat([head, mask, out]));
  }
  text(s) { this.frame(1, Buffer.from(s, 'utf8')); }
  close(code) {
    if (this.closing || this.closed) return; this.closing = true;
    const p = Buffer.alloc(2); p.writeUInt16BE(code); this.frame(8, p); setTimeout(() => this.end(1006, 'no close frame'), 5000).unref();
  }
}

// ---------------------------------------------------------------- the client
const b64 = (b) => Buffer.from(b).toString('base64url');
const text = (body) => (body === null ? null : Buffer.from(body, 'base64url').toString('utf8'));
const idOf = (device, number) => `${device}/${number}`;

// Unread: a fold over the log, entry by entry (section 8).
class Fold {
  constructor() { this.floor = 0; this.place = new Map(); this.messages = new Map(); this.gone = new Set(); this.marks = new Map(); this.markPlaceOfEntry = new Map(); }
  apply(seq, e, own) {
    const id = idOf(e.device, e.number); this.place.set(id, seq);
    if (e.kind === 1 && e.account !== own) this.messages.set(id, { seq, conversation: e.conversation });
    const t = e.target && idOf(e.target.device, e.target.number);
    if (e.kind === 3 || e.kind === 4) this.gone.add(t);
    if (e.kind === 5) {                                   // the mark's place = the target's place, not the mark's own seq (guess)
      this.marks.set(e.conversation, Math.max(this.marks.get(e.conversation) ?? 0, this.place.get(t) ?? 0));
      this.markPlaceOfEntry.set(e.conversation, seq);
    }
  }
  unread() {
    const n = {};
    for (const [id, m] of this.messages) {
      n[m.conversation] ??= 0;
      if (m.seq > this.floor && m.seq > (this.marks.get(m.conversation) ?? 0) && !this.gone.has(id)) n[m.conversation]++;
    }
    return JSON.stringify(Object.fromEntries(Object.entries(n).sort()));
  }
}

class Device {
  constructor(name, token) {
    this.name = name; this.token = token; this.own = name.split('.')[0];
    this.s = { instance: null, account: null, device: null, position: null, counter: null, entries: {}, outbox: {} };
    this.fold = new Fold(); this.waiting = new Map(); this.signals = []; this.frames = []; this.errors = []; this.live = false;
    this.beats = 0; this.codes = [];
    this.s.instance = crypto.randomBytes(8).toString('hex'); this.store();
  }
  store() { fs.writeFileSync(`${STORES}/${this.name}.tmp`, JSON.stringify(this.s)); fs.renameSync(`${STORES}/${this.name}.tmp`, `${STORES}/${this.name}.json`); }
  connect(over = {}) {
    this.closedP = new Promise((r) => { this.onClosed = r; });
    return new Promise((done, fail) => {
      this.stated = 'position' in over ? over.position : this.s.position;
      const ws = this.ws = new Socket('/v1/sync', 'syncd.v1.json', {
        open: () => { ws.text(JSON.stringify({ frame: 'hello', token: this.token, instance: this.s.instance, position: this.stated, cursor: false, window: 1048576, ...over })); this.alive(); },
        message: (m) => { this.alive(); const f = JSON.parse(m); this.frames.push(f); this.take(f, done); },
        close: (code, why) => { clearTimeout(this.dead); clearTimeout(this.ackLater); this.ackLater = null; this.live = false; this.codes.push(code); this.onClosed(code); fail(new Error(`closed ${code} ${why} ${JSON.stringify(this.goodbye ?? null)}`)); },
      });
    });
  }
  alive() { clearTimeout(this.dead); this.dead = setTimeout(() => this.ws.close(4003), 40000); this.dead.unref(); }
  put(o) { this.ws.text(JSON.stringify(o)); }
  bad(why, code) { this.errors.push(why); this.ws.close(code); }
  take(f, done) {
    switch (f.frame) {
      case 'welcome': case 'truncated': case 'reset': {
        const s = this.s;
        if (s.device && (s.account !== f.account || s.device !== f.device)) return this.bad('other account', 4502);
        if (f.frame === 'welcome' && !this.live && f.start !== (this.stated ? this.stated.seq : f.floor)) return this.bad(`start ${f.start}`, 4502);
        s.account = f.account; s.device = f.device; s.position = { epoch: f.epoch, seq: f.start, chain: f.chain };
        s.counter = Math.max(s.counter ?? 0, f.sent);
        for (const e of Object.values(s.entries)) if (e.device === s.device && e.number > f.sent)
          s.outbox[e.number] ??= { number: e.number, kind: e.kind, conversation: e.conversation, target: e.target, body: e.body };
        this.fold.floor = f.floor; this.acked = f.start; this.store(); this.live = true; this.verdict = f;
        const todo = Object.values(s.outbox).filter((o) => !o.seq && !o.failed).sort((a, b) => a.number - b.number);
        if (todo.length) this.put({ frame: 'send', messages: todo.map(({ number, kind, conversation, target, body }) => ({ number, kind, conversation, target, body })) });
        done?.(f); break;
      }
      case 'batch': {
        const s = this.s;
        if (f.prev !== s.position.seq) return this.bad(`gap ${f.prev} at ${s.position.seq}`, 4002);
        if (f.entries.length !== f.to - f.prev) return this.bad('count', 4502);
        f.entries.forEach((e, i) => {
          const id = idOf(e.device, e.number); s.entries[id] = { ...e, seq: f.prev + 1 + i };
          if (e.device === s.device && s.outbox[e.number]) { s.outbox[e.number].echoed = true; if (s.outbox[e.number].seq) delete s.outbox[e.number]; }
          this.fold.apply(f.prev + 1 + i, e, this.own);
        });
        s.position = { epoch: s.position.epoch, seq: f.to, chain: f.chain }; this.store();
        this.ackLater ??= setTimeout(() => this.ack(), 100); break;
      }
      case 'heartbeat':
        if (f.epoch !== this.s.position.epoch || f.to !== this.s.position.seq) return this.bad(`heartbeat ${f.to}`, 4002);
        this.fold.floor = f.floor ?? 0; this.beats++; break;
      case 'answers':
        for (const a of f.accepted) {
          const o = this.s.outbox[a.number]; if (o) { o.seq = a.seq ?? -1; if (o.echoed) delete this.s.outbox[a.number]; }
          this.waiting.get(a.number)?.({ seq: a.seq, duplicate: a.duplicate, code: 0, number: a.number }); this.waiting.delete(a.number);
        }
        for (const r of f.refused) {
          const o = this.s.outbox[r.number]; if (o && r.code < 100) o.failed = r.code;
          this.waiting.get(r.number)?.({ code: r.code, number: r.number }); this.waiting.delete(r.number);
          if (r.code >= 100) this.ws.close(4007);
        }
        this.store(); break;
      case 'signalled': this.signals.push(f); break;
      case 'goodbye': this.goodbye = f; break;
      default: this.bad(`unknown frame ${f.frame}`, 4500);
    }
  }
  ack() {
    clearTimeout(this.ackLater); this.ackLater = null;
    if (this.live && this.s.position.seq > this.acked) { this.acked = this.s.position.seq; this.put({ frame: 'ack', epoch: this.s.position.epoch, seq: this.acked }); }
  }
  raw(m) { return new Promise((r, x) => { this.waiting.set(m.number, r); setTimeout(() => x(new Error(`no answer to ${JSON.stringify(m).slice(0, 200)} ${JSON.stringify(this.goodbye ?? null)}`)), 4000); this.put({ frame: 'send', messages: [m] }); }); }
  send(kind, conversation, target, body) {
    const m = { number: ++this.s.counter, kind, conversation, target, body: b64(body ?? '') };
    this.s.outbox[m.number] = m; this.store();
    return this.raw({ ...m });
  }
  id(number) { return { device: this.s.device, number }; }
  signal(conversation, kind, body = '') { this.put({ frame: 'signal', conversation, kind, body: b64(body) }); }
  async close() { this.ack(); this.ws.close(1000); return this.closedP; }
  log() { return Object.values(this.s.entries).sort((a, b) => a.seq - b.seq); }
}

// ---------------------------------------------------------------- the trial
const NAMES = { 0: 'accepted', 1: 'conflict', 2: 'skipped', 3: 'stale', 4: 'not_a_member', 5: 'unknown_account', 6: 'unknown_conversation', 7: 'too_large', 8: 'unsupported_kind', 9: 'forbidden', 10: 'target_gone', 11: 'wrong_target', 12: 'recall_too_late', 13: 'mark_backwards', 14: 'conversation_exists', 15: 'too_many_members', 16: 'nothing_to_change', 17: 'bad_change' };
let good = 0, wrong = 0; const met = {};
const say = (ok, what, more = '') => { ok === true ? good++ : ok === false ? wrong++ : 0; console.log(`${ok === true ? 'ok   ' : ok === false ? 'WRONG' : 'saw  '} ${what}${more === '' ? '' : '  ' + more}`); };
const check = (what, got, want) => say(JSON.stringify(got) === JSON.stringify(want), what, JSON.stringify(got) === JSON.stringify(want) ? '' : `got ${JSON.stringify(got)} wanted ${JSON.stringify(want)}`);
const until = async (f, ms = 3000) => { for (const t = Date.now(); Date.now() - t < ms; await sleep(10)) if (f()) return true; return false; };
// want: the name that the page predicts; null where the page does not say
const answer = async (what, promise, want) => {
  let a; try { a = await promise; } catch (e) { say(false, what, e.message); return { code: -1 }; }
  const got = NAMES[a.code] ?? String(a.code); met[got] = (met[got] ?? 0) + 1;
  say(want === null ? undefined : got === want, what, want === got ? `-> ${got}` : `-> ${got}` + (want ? `, wanted ${want}` : ' (the page does not say)'));
  return a;
};
const run = fs.readFileSync(TOKENS, 'utf8').trim().split('\n').map((l) => l.split(/\s+/));
const tokens = Object.fromEntries(run.map((r) => [r[0], r[r.length - 1]]));
const dev = (n) => new Device(n, tokens[n]);
const a1 = dev('alice.PC1'), a2 = dev('alice.PC2'), b1 = dev('bob.PC1'), b2 = dev('bob.PC2'), c1 = dev('carol.PC1'), c2 = dev('carol.PC2');
const t0 = Date.now();
const RUN = crypto.randomBytes(3).toString('hex'), G = `team-${RUN}`, MSG = 1, EDIT = 2, RECALL = 3, DEL = 4, READ = 5, SYS = 6;
const change = (d, g, action, members, owners) => d.send(SYS, g, null, JSON.stringify({ action, ...(members && { members }), ...(owners && { owners }) }));
const settled = () => until(() => [a1, b1, b2, c1].every((d) => !d.live || !d.verdict || d.s.position.seq >= (d.frames.findLast((f) => f.head !== undefined)?.head ?? 0)));

const v = await a1.connect(); check('welcome to nothing stated starts at the floor', [v.frame, v.start, v.account], ['welcome', v.floor, 'alice']);
await Promise.all([b1, b2, c1].map((d) => d.connect()));   // alice.PC2 and carol.PC2 come at the end

console.log('--- messages, numbers');
const m1 = await answer('bob writes to alice', b1.send(MSG, 'alice~bob', null, 'one'), 'accepted');
const m2 = await answer('bob writes again', b1.send(MSG, 'alice~bob', null, 'two'), 'accepted');
const m3 = await answer('and again', b1.send(MSG, 'alice~bob', null, 'three'), 'accepted');
const r1 = await answer('same number, same content', b1.raw({ number: m1.number, kind: 1, conversation: 'alice~bob', target: null, body: b64('one') }), 'accepted');
check('  is a duplicate with the same seq', [r1.duplicate, r1.seq], [true, m1.seq]);
await answer('same number, other content', b1.raw({ number: m1.number, kind: 1, conversation: 'alice~bob', target: null, body: b64('other') }), 'conflict');
b1.s.counter += 5;
await answer('a gap in the numbers', b1.send(MSG, 'alice~bob', null, 'four'), 'accepted');
await answer('a passed-over number', b1.raw({ number: b1.s.counter - 2, kind: 1, conversation: 'alice~bob', target: null, body: b64('late') }), 'skipped');
await answer('notes to oneself', a1.send(MSG, 'alice~alice', null, 'note'), 'accepted');
await until(() => b2.s.entries[idOf(b1.s.device, m1.number)] && a1.s.entries[idOf(b1.s.device, m3.number)]);
check('the other PC of bob has the echo', text(b2.s.entries[idOf(b1.s.device, m1.number)].body), 'one');
check('alice has it', text(a1.s.entries[idOf(b1.s.device, m1.number)].body), 'one');

console.log('--- conversations that are wrong');
await answer('ids in the wrong order', a1.send(MSG, 'bob~alice', null, 'x'), 'unknown_conversation');
await answer('an account that does not exist', a1.send(MSG, 'alice~zed', null, 'x'), 'unknown_account');
await answer('a foreign direct conversation', a1.send(MSG, 'bob~carol', null, 'x'), 'not_a_member');
await answer('a foreign one whose accounts do not exist', a1.send(MSG, 'yan~zed', null, 'x'), null);
await answer('three parts', a1.send(MSG, 'a~b~c', null, 'x'), 'unknown_conversation');
await answer('a blank in the id', a1.send(MSG, 'a b', null, 'x'), 'unknown_conversation');
await answer('a group id of 65 characters', change(a1, 'g'.repeat(65), 'create', []), 'unknown_conversation');
await answer('a group that does not exist', a1.send(MSG, 'nogroup', null, 'x'), 'not_a_member');
await answer('an unknown kind', a1.send(77, 'alice~bob', null, 'x'), 'unsupported_kind');
await answer('a body of 32,769 bytes', a1.send(MSG, 'alice~bob', null, Buffer.alloc(32769)), 'too_large');
await answer('a body of 32,768 bytes', a1.send(MSG, 'alice~alice', null, Buffer.alloc(32768)), 'accepted');

console.log('--- groups');
await answer('create with unknown member', change(a1, G, 'create', ['zed']), 'unknown_account');
const g0 = await answer('alice creates', change(a1, G, 'create', ['bob']), 'accepted');
await answer('create again', change(a1, G, 'create', ['bob']), 'conversation_exists');
await answer('a stranger (carol) creates the same id', change(c1, G, 'create', []), 'conversation_exists');
await answer('a system message in a direct conversation', change(a1, 'alice~bob', 'add', ['carol']), null);
await answer('a group id like an account id', change(a1, 'bob', 'create', []), null);
await answer('create naming oneself as a member', change(a1, `self-${RUN}`, 'create', ['alice']), null);
await answer('create: one account in both lists', change(a1, `both-${RUN}`, 'create', ['bob'], ['bob']), 'bad_change');
await answer('create with nobody', change(a1, `solo-${RUN}`, 'create'), 'accepted');
await answer('body is no JSON', a1.send(SYS, G, null, 'hello'), 'bad_change');
await answer('body has another key', a1.send(SYS, G, null, '{"action":"add","members":["carol"],"x":1}'), 'bad_change');
await answer('unknown action', a1.send(SYS, G, null, '{"action":"rename"}'), 'bad_change');
await answer('a doubled account', change(a1, G, 'add', ['carol', 'carol']), 'bad_change');
await answer('add with nobody', change(a1, G, 'add'), null);
await answer('members null', a1.send(SYS, G, null, '{"action":"add","members":null,"owners":["carol"]}'), null);
await answer('remove with owners', change(a1, G, 'remove', [], ['bob']), 'bad_change');
await answer('leave naming somebody', change(b1, G, 'leave', ['bob']), 'bad_change');
await answer('leave with empty lists', change(b1, G, 'leave', ['carol']), 'bad_change');
await answer('system message with a target', a1.send(SYS, G, a1.id(g0.number), '{"action":"add","members":["carol"]}'), 'wrong_target');
await answer('a member that is no owner adds', change(b1, G, 'add', ['carol']), 'forbidden');
await answer('carol, not in it, writes', c1.send(MSG, G, null, 'x'), 'not_a_member');
await answer('carol, not in it, adds herself', change(c1, G, 'add', ['carol']), 'not_a_member');
await answer('carol leaves what she is not in', change(c1, G, 'leave'), 'not_a_member');
const g1 = await answer('bob writes before the join', b1.send(MSG, G, null, 'before'), 'accepted');
await answer('add who is in, same role', change(a1, G, 'add', ['bob']), 'nothing_to_change');
const gj = await answer('alice adds carol', change(a1, G, 'add', ['carol']), 'accepted');
await until(() => c1.log().some((e) => e.conversation === G));
check('carol sees the join as the first entry of the group', c1.log().filter((e) => e.conversation === G).map((e) => [e.kind, e.device, e.number]), [[6, a1.s.device, gj.number]]);
await answer('carol reads what was before her join', c1.send(READ, G, b1.id(g1.number), ''), 'target_gone');
await answer('remove who is not in', change(a1, G, 'remove', ['dora']), null);

console.log('--- edits, recalls, deletions, reads; wrong targets');
const g2 = await answer('bob writes', b1.send(MSG, G, null, 'tpyo'), 'accepted');
const e1 = await answer('bob edits', b1.send(EDIT, G, b1.id(g2.number), 'typo'), 'accepted');
await until(() => b2.s.entries[idOf(b1.s.device, g2.number)]);
await answer('bob edits from his other PC', b2.send(EDIT, G, b1.id(g2.number), 'typo!'), 'accepted');
await answer('alice (owner) edits bob\'s', a1.send(EDIT, G, b1.id(g2.number), 'x'), 'forbidden');
await answer('alice (owner) recalls bob\'s', a1.send(RECALL, G, b1.id(g2.number), ''), 'forbidden');
await answer('message with a target', b1.send(MSG, G, b1.id(g2.number), 'x'), 'wrong_target');
for (const [n, k] of [['edit', 2], ['recall', 3], ['delete', 4], ['read', 5]]) await answer(`${n} without a target`, b1.send(k, G, null, ''), 'wrong_target');
for (const [n, k] of [['edit', 2], ['recall', 3], ['delete', 4], ['read', 5]]) await answer(`${n}: target that never was`, b1.send(k, G, b1.id(999999), ''), 'target_gone');
for (const [n, k] of [['edit', 2], ['recall', 3], ['delete', 4], ['read', 5]]) await answer(`${n}: target of another conversation`, b1.send(k, 'alice~bob', b1.id(g2.number), ''), 'wrong_target');
await answer('edit of an edit', b1.send(EDIT, G, b1.id(e1.number), 'x'), 'wrong_target');
await answer('recall of an edit', b1.send(RECALL, G, b1.id(e1.number), ''), 'wrong_target');
await answer('delete of an edit', b1.send(DEL, G, b1.id(e1.number), ''), 'wrong_target');
await answer('edit of an own system message', a1.send(EDIT, G, a1.id(g0.number), 'x'), 'wrong_target');
await answer('edit of a foreign system message', b1.send(EDIT, G, a1.id(g0.number), 'x'), null);
await answer('delete of a system message', b1.send(DEL, G, a1.id(g0.number), ''), 'accepted');
await answer('a device unknown to the server as the target', b1.send(READ, G, { device: 'f'.repeat(24), number: 1 }, ''), 'target_gone');
await answer('target is the message itself', b1.send(READ, G, b1.id(b1.s.counter + 1), ''), 'target_gone');
const g3 = await answer('bob writes', b1.send(MSG, G, null, 'to be recalled'), 'accepted');
await answer('bob recalls', b1.send(RECALL, G, b1.id(g3.number), ''), 'accepted');
await answer('bob recalls a second time', b1.send(RECALL, G, b1.id(g3.number), ''), null);
await answer('bob edits what he recalled', b1.send(EDIT, G, b1.id(g3.number), 'x'), null);
await answer('a recall with a body', b1.send(RECALL, G, b1.id(g3.number), 'why'), null);
const g4 = await answer('carol writes', c1.send(MSG, G, null, 'c1'), 'accepted');
const g5 = await answer('carol writes', c1.send(MSG, G, null, 'c2'), 'accepted');
const g6 = await answer('carol writes', c1.send(MSG, G, null, 'c3'), 'accepted');
await until(() => a1.s.entries[idOf(c1.s.device, g6.number)]);
await answer('alice deletes one for herself', a1.send(DEL, G, c1.id(g4.number), ''), 'accepted');
await answer('alice deletes it again', a1.send(DEL, G, c1.id(g4.number), ''), null);
await answer('alice reads up to c2 (c3 is there already)', a1.send(READ, G, c1.id(g5.number), ''), 'accepted');
await answer('reads the same place again', a1.send(READ, G, c1.id(g5.number), ''), 'mark_backwards');
await answer('reads further back', a1.send(READ, G, c1.id(g4.number), ''), 'mark_backwards');
await answer('alice reads up to "two" of bob', a1.send(READ, 'alice~bob', b1.id(m2.number), ''), 'accepted');
const lastRead = a1.s.counter;
await until(() => a1.s.entries[idOf(a1.s.device, lastRead)]);
check('unread on alice.PC1: the group c3, the direct three and four', a1.fold.unread(), JSON.stringify({ 'alice~bob': 2, [G]: 1 }));
say(undefined, 'had I taken the mark ENTRY\'s place instead: group', String([...a1.fold.messages].filter(([id, m]) => m.conversation === G && m.seq > a1.fold.markPlaceOfEntry.get(G)).length));
await answer('read with an own read mark as target ("any entry")', a1.send(READ, 'alice~bob', a1.id(lastRead), ''), 'accepted');
await until(() => a1.fold.marks.get('alice~bob') > lastRead);
check('  it marks all up to there', JSON.parse(a1.fold.unread())['alice~bob'], 0);
check('reads and deletes of alice went to her log only', [b1, c1].some((d) => d.log().some((e) => e.account === 'alice' && (e.kind === 4 || e.kind === 5))), false);

console.log('--- removal');
const underway = { number: c1.s.counter + 1, kind: 1, conversation: G, target: null, body: b64('c4') }; c1.s.counter++;
await answer('carol writes c4', c1.raw(underway), 'accepted');
await answer('alice removes carol', change(a1, G, 'remove', ['carol']), 'accepted');
await answer('alice removes her again', change(a1, G, 'remove', ['carol']), null);
await until(() => c1.log().at(-1).kind === 6);
check('carol sees her removal as the last entry', JSON.parse(text(c1.log().at(-1).body)), { action: 'remove', members: ['carol'] });
await answer('the retry of carol\'s accepted message', c1.raw(underway), 'accepted');
await answer('carol writes', c1.send(MSG, G, null, 'x'), 'not_a_member');
await answer('carol edits her own old one', c1.send(EDIT, G, c1.id(g6.number), 'x'), 'not_a_member');
await answer('carol recalls her own old one', c1.send(RECALL, G, c1.id(g6.number), ''), 'not_a_member');
await answer('carol reads what she holds', c1.send(READ, G, b1.id(g2.number), ''), 'accepted');
await answer('carol deletes what she holds', c1.send(DEL, G, b1.id(g2.number), ''), 'accepted');
await answer('bob leaves', change(b1, G, 'leave'), 'accepted');
await answer('bob leaves again', change(b1, G, 'leave'), 'not_a_member');
await answer('alice adds carol as an owner', change(a1, G, 'add', [], ['carol']), 'accepted');
await until(() => c1.log().at(-1).kind === 6);
await answer('carol demotes alice', change(c1, G, 'add', ['alice']), 'accepted');
await answer('alice adds bob', change(a1, G, 'add', ['bob']), 'forbidden');
await answer('carol takes bob in', change(c1, G, 'add', ['bob']), 'accepted');
await answer('carol, the only owner, leaves', change(c1, G, 'leave'), null);
await answer('carol, the only owner, demotes herself', change(c1, G, 'add', ['carol']), null);
await answer('carol, owner, removes herself', change(c1, G, 'remove', ['carol']), null);
await answer('carol writes c5', c1.send(MSG, G, null, 'c5'), null);
await answer('bob writes', b1.send(MSG, G, null, 'bob again'), 'accepted');
const gone = await answer('bob writes', b1.send(MSG, G, null, 'secret'), 'accepted');
await answer('bob, left in a group without an owner, adds alice as an owner', change(b1, G, 'add', [], ['alice']), null);
await answer('alice, still a member there, adds carol again', change(a1, G, 'add', ['carol']), null);
const K = `two-${RUN}`; await answer('a group of two owners', change(a1, K, 'create', [], ['bob']), 'accepted');
const both = await Promise.all([change(a1, K, 'remove', ['bob']), change(b1, K, 'remove', ['alice'])]);
check('two owners remove each other: one wins', both.map((x) => NAMES[x.code]).sort(), ['accepted', 'not_a_member']);
const w = both[0].code ? b1 : a1, other = w === a1 ? 'bob' : 'alice', o = w === a1 ? b1 : a1;
await answer('an owner removes himself', change(w, K, 'remove', [w.own]), null);
await answer('the other is taken in anew', change(w, K, 'add', [other]), null);
await answer('create: 501 names', change(a1, `big-${RUN}`, 'create', Array.from({ length: 501 }, (_, i) => `n${i}`)), null);
await answer('last one of a group leaves', change(a1, `solo-${RUN}`, 'leave'), 'accepted');
await answer('its id is made anew', change(a1, `solo-${RUN}`, 'create'), null);

console.log('--- signals');
const H = `sig-${RUN}`;
await answer('a group for it', change(a1, H, 'create', ['bob', 'carol']), 'accepted');
for (const d of [a1, b1, b2, c1]) d.signals = [];
b1.signal(H, 1, 'hm'); await until(() => a1.signals.length && b2.signals.length && c1.signals.length);
check('typing is heard by alice, carol and bob\'s other PC', [a1, b2, c1].map((d) => d.signals.map((s) => [s.account, s.device === b1.s.device, s.kind, text(s.body)])), Array(3).fill([['bob', true, 1, 'hm']]));
check('not by the sending device', b1.signals.length, 0);
b1.signal(H, 9); b1.signal('nogroup', 1); b1.signal('alice~carol', 1); await sleep(200);
check('unknown kind, no member: dropped without a word', [a1, b2, c1, b1].map((d) => d.signals.length), [1, 1, 1, 0]);
b1.signal(H, 2); b1.signal(H, 3); await until(() => a1.signals.length === 3);
check('here, away, in order', a1.signals.slice(1).map((s) => s.kind), [2, 3]);
b2.signal(H, 2, 'green'); await until(() => a1.signals.length === 4);
await b2.close(); await until(() => a1.signals.length === 5, 2000);
check('away is said when the session ends', a1.signals.slice(3).map((s) => [s.kind, s.device === b2.s.device]), [[2, true], [3, true]]);
say(undefined, 'body of that away', JSON.stringify(a1.signals.at(-1).body));
await sleep(1500); a1.signals = [];
for (let i = 0; i < 40; i++) b1.signal('alice~bob', 1); await sleep(500);
say(a1.signals.length >= 20 && a1.signals.length <= 26, 'forty at once: heard about 20', String(a1.signals.length));
a1.signals = []; await sleep(2200); b1.signal(H, 2); await until(() => a1.signals.length); c1.signals = [];
await c1.close(); await c1.connect(); await sleep(300);
say(undefined, 'a device that connects later hears of who is here already:', String(c1.signals.length));
a1.signals = []; await answer('bob is removed while he is here', change(a1, H, 'remove', ['bob']), 'accepted'); await sleep(400);
say(undefined, 'signals that alice hears at that', JSON.stringify(a1.signals.map((s) => s.kind)));
await b1.close(); await sleep(300); say(undefined, 'and when his session ends', JSON.stringify(a1.signals.map((s) => s.kind)));
const bv = await b1.connect(); check('bob resumes where he was', [bv.frame, bv.start, bv.missed], ['welcome', bv.start, 0]); await b2.connect();

console.log('--- second hello, fenced, positions');
a1.put({ frame: 'hello', token: a1.token, instance: a1.s.instance, position: null, cursor: false, window: 1048576 });
check('a second hello on the socket', await a1.closedP, 4502); say(undefined, 'goodbye', JSON.stringify(a1.goodbye));
const pos = { ...a1.s.position };
await b1.send(MSG, 'alice~bob', null, 'while away');
const v2 = await a1.connect(); check('reconnect with a position', [v2.frame, v2.start, v2.chain, v2.missed], ['welcome', pos.seq, pos.chain, v2.head - pos.seq]);
check('sent is the highest accepted number', v2.sent <= a1.s.counter && v2.sent > 0, true);
await until(() => a1.s.position.seq === v2.head);
const twin = new Device('alice.PC1', a1.token); await twin.connect();
check('a second socket fences the first', [await a1.closedP, a1.goodbye.instance], [4505, twin.s.instance]);
await until(() => twin.s.position.seq === twin.verdict.head); check('all again from nothing: the same position', twin.s.position, a1.s.position); await twin.close();
const st = a1.s.instance; a1.store();
const v3 = await a1.connect(); check('reconnect: nothing missed', [v3.frame, v3.missed], ['welcome', 0]);
for (const [what, position, reason] of [['chain', { ...pos, chain: '00000000000000ff' }, 'forked'], ['seq', { ...pos, seq: 99999 }, 'ahead'], ['epoch', { ...pos, epoch: '00000000000000ff' }, 'epoch']]) {
  const x = new Device('carol.X', tokens['carol.PC2']); const mine = c1.s.position;
  const f = await x.connect({ position: { ...mine, [what]: position[what] } }); check(`a position with a wrong ${what}`, [f.frame, f.reason], ['reset', reason]); await x.close();
}

console.log('--- frames that are wrong');
const spoil = async (what, frame, want) => { const x = new Device('bob.PC2', tokens['bob.PC2']); x.s.position = b2.s.position; await x.connect(); await until(() => x.s.position.seq === x.verdict.head); x.ack(); x.put(frame(x)); check(what, await Promise.race([x.closedP, sleep(2000).then(() => 'open')]), want); };
const one = (m) => ({ frame: 'send', messages: [{ number: 1, kind: 1, conversation: 'alice~bob', target: null, body: '', ...m }] });
await spoil('number 0', () => one({ number: 0 }), 4500);
await spoil('an extra key', () => one({ extra: 1 }), 4500);
await spoil('base64 with padding', () => one({ body: 'eA==' }), 4500);
await spoil('target of a device of 3 characters', () => one({ kind: 5, target: { device: 'abc', number: 1 } }), 4500);
await spoil('signal body of 257 bytes', () => ({ frame: 'signal', conversation: 'alice~bob', kind: 1, body: b64(Buffer.alloc(257)) }), 4500);
await spoil('ack beyond', (x) => ({ frame: 'ack', epoch: x.s.position.epoch, seq: x.s.position.seq + 1 }), 4506);
await spoil('ack backwards', (x) => ({ frame: 'ack', epoch: x.s.position.epoch, seq: x.s.position.seq - 1 }), 4507);
await spoil('ack of another epoch is ignored', () => ({ frame: 'ack', epoch: '00000000000000ff', seq: 99999 }), 'open');
await b2.closedP; await sleep(50); await b2.connect();
console.log('--- erased body');
const place = a1.s.entries[idOf(b1.s.device, gone.number)].seq;
console.log('     ', syncd('erase', 'alice', String(place)));
await sleep(300);
say(undefined, 'PC1, online, body in its store after the erasure', text(a1.s.entries[idOf(b1.s.device, gone.number)].body));

console.log('--- the device that connects at the end');
await a2.connect(); await c2.connect();
await until(() => a2.s.position.seq === a2.verdict.head && c2.s.position.seq === c2.verdict.head && a1.s.position.seq === a2.verdict.head);
check('alice: same position on both', a2.s.position, a1.s.position);
check('carol: same position on both', c2.s.position, c1.s.position);
check('alice: same unread counts', a2.fold.unread(), a1.fold.unread()); console.log('      ', a1.fold.unread());
check('carol: same unread counts', c2.fold.unread(), c1.fold.unread()); console.log('      ', c1.fold.unread());
check('the erased body is null, the entry is there', [a2.s.entries[idOf(b1.s.device, gone.number)].body, a2.s.entries[idOf(b1.s.device, gone.number)].seq], [null, place]);
check('all other entries are equal', JSON.stringify(a2.log().filter((e) => e.seq !== place)), JSON.stringify(a1.log().filter((e) => e.seq !== place)));
await answer('bob edits the erased one', b1.send(EDIT, G, b1.id(gone.number), 'new'), null);
await answer('bob retries the erased one', b1.raw({ number: gone.number, kind: 1, conversation: G, target: null, body: b64('secret') }), 'accepted');

console.log('--- trim');
console.log('     ', syncd('trim', 'alice', '--before', String(m2.seq + 1)));
await a1.close(); const v4 = await a1.connect(); say(undefined, 'verdict after a trim below the position', `${v4.frame} floor ${v4.floor} start ${v4.start}`);
await a2.close(); const fresh = new Device('alice.fresh', tokens['alice.PC2']); const v5 = await fresh.connect();
await until(() => fresh.s.position.seq === v5.head && a1.s.position.seq === v5.head);
check('from nothing after the trim starts at the floor', [v5.frame, v5.start], ['welcome', v5.floor]);
const strip = (u) => JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(u)).filter(([, n]) => n)));
check('unread counts are still equal', strip(fresh.fold.unread()), strip(a1.fold.unread()));
await answer('alice reads a trimmed one', a1.send(READ, 'alice~bob', b1.id(m1.number), ''), 'target_gone');
for (const d of [a1, b1, b2, c1, c2, fresh]) { const c = await d.close(); if (c !== 1000) say(false, `${d.name} close`, String(c)); if (d.errors.length) say(false, d.name, String(d.errors)); }
console.log(`\n${good} as the page says, ${wrong} not, ${((Date.now() - t0) / 1000).toFixed(1)} s; answers met:`, JSON.stringify(met));
process.exit(wrong ? 1 : 0);
