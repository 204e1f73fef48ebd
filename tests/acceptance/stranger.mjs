// A minimal syncd client (protocol version 1, subprotocol syncd.v1.msgpack) on Node's built-in
// modules only. Written from PROTOCOL.md alone, without a look at the project's own source.
//   node stranger.mjs HOST PORT TOKEN [--path /v1/sync] [--send CONVERSATION TEXT]
// It states no position, downloads what the verdict announces, prints one JSON line and closes.
// It lives for one session and its store is memory: what it prints is the only durable copy, and
// coming back (after a gap, say) is left to whoever runs it again. With --send it keeps nothing of
// the log, so it acknowledges nothing; it prints what became of the message.
import { connect } from 'node:net';
import { createHash, randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
const SUBPROTOCOL = 'syncd.v1.msgpack';
const SERVER_FRAME_BYTES_MAX = 4_194_304;
const CLIENT_FRAME_BYTES_MAX = 65_535; // the page allows one more, but this fits a head of 16 bits
const WINDOW_BYTES = 1_048_576;
const ACK_DELAY_MS = 100;
const LINE_DEAD_MS = 2 * 20_000; // two heartbeat intervals without any frame
const CLOSE_TIMEOUT_MS = 5_000; // this client's own choice: the page names none
const TAG = { hello: 1, ack: 2, send: 3 };
const FRAME_NAMES = { 16: 'welcome', 17: 'truncated', 18: 'reset', 19: 'batch', 20: 'heartbeat', 21: 'answers', 22: 'goodbye' };
const VERDICTS = ['welcome', 'truncated', 'reset'];
const RETRYABLE_FROM = 100; // refusal codes from here on are retryable
const CLOSE = { done: 1000, protocolError: 1002, wrongType: 1003, tooLarge: 1009, gap: 4002, heartbeatLost: 4003, resending: 4007 };
const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

// ---------------------------------------------------------------- MessagePack (section 3)
function encode(value) {
  if (value === null || typeof value === 'boolean') return Buffer.of(value === null ? 0xc0 : value ? 0xc3 : 0xc2);
  if (typeof value === 'number') return value < 0x80 ? Buffer.of(value) : headOf(0xcf, 8, value);
  if (typeof value === 'string') {
    const text = Buffer.from(value, 'utf8');
    return Buffer.concat([text.length < 32 ? Buffer.of(0xa0 | text.length) : headOf(0xdb, 4, text.length), text]);
  }
  if (Buffer.isBuffer(value)) return Buffer.concat([headOf(0xc6, 4, value.length), value]);
  return Buffer.concat([value.length < 16 ? Buffer.of(0x90 | value.length) : headOf(0xdd, 4, value.length), ...value.map(encode)]);
}

// A type byte and an integer after it. Any width is allowed, so the widest will do.
function headOf(type, width, integer) {
  const bytes = Buffer.alloc(9, type);
  bytes.writeBigUInt64BE(BigInt(integer) << BigInt(64 - 8 * width), 1);
  return bytes.subarray(0, 1 + width);
}

const encodedLengths = new WeakMap(); // of every decoded array: the window counts entries' bytes

function decode(bytes) {
  let offset = 0;
  const take = (length) => {
    if (offset + length > bytes.length) throw new Error('MessagePack ends too early');
    offset += length;
    return bytes.subarray(offset - length, offset);
  };
  const unsigned = (width) => (width === 8 ? Number(take(8).readBigUInt64BE()) : take(width).readUIntBE(0, width));
  const signed = (width) => (width === 8 ? Number(take(8).readBigInt64BE()) : take(width).readIntBE(0, width));
  const text = (length) => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(take(length));
  const array = (length, start) => {
    const items = [];
    while (items.length < length) items.push(value());
    encodedLengths.set(items, offset - start);
    return items;
  };
  function value() {
    const start = offset;
    const head = unsigned(1);
    if (head < 0x80) return head;
    if (head >= 0xe0) return head - 0x100;
    if (head >= 0x90 && head < 0xa0) return array(head & 0x0f, start);
    if (head >= 0xa0 && head < 0xc0) return text(head & 0x1f);
    if (head === 0xc0) return null;
    if (head === 0xc2 || head === 0xc3) return head === 0xc3;
    if (head >= 0xc4 && head <= 0xc6) return take(unsigned(1 << (head - 0xc4)));
    if (head >= 0xcc && head <= 0xcf) return unsigned(1 << (head - 0xcc));
    if (head >= 0xd0 && head <= 0xd3) return signed(1 << (head - 0xd0));
    if (head >= 0xd9 && head <= 0xdb) return text(unsigned(1 << (head - 0xd9)));
    if (head === 0xdc || head === 0xdd) return array(unsigned(head === 0xdc ? 2 : 4), start);
    throw new Error(`MessagePack type 0x${head.toString(16)} does not occur in this protocol`);
  }
  const result = value();
  if (offset !== bytes.length) throw new Error('bytes after the frame');
  return result;
}

// ---------------------------------------------------------------- WebSocket (RFC 6455)
class WebSocketClient {
  // handlers: open(), message(bytes), broken(code, text), closed(code, error), refused(status line, body)
  constructor(host, port, path, handlers) {
    this.handlers = handlers;
    this.received = Buffer.alloc(0);
    this.fragments = [];
    this.upgraded = false;
    this.refused = this.closeCode = null; // the status line of a refusal; the code of the server's close frame
    this.closing = false; // our close frame is sent: nothing more may follow it
    this.key = randomBytes(16).toString('base64');
    this.socket = connect(port, host, () => this.socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}:${port}\r\n`
      + `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${this.key}\r\n`
      + `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ${SUBPROTOCOL}\r\n\r\n`));
    this.socket.on('data', (bytes) => {
      this.received = Buffer.concat([this.received, bytes]);
      if (this.upgraded || this.upgrade()) while (this.readFrame());
    });
    this.socket.on('error', (error) => { this.error = error.message; });
    this.socket.on('close', () => (this.refused === null ? handlers.closed(this.closeCode, this.error)
      : handlers.refused(this.refused, this.received.toString('utf8'))));
  }

  upgrade() {
    const end = this.received.indexOf('\r\n\r\n');
    if (end < 0 || this.refused !== null) return false;
    const [statusLine, ...lines] = this.received.toString('latin1', 0, end).split('\r\n');
    this.received = this.received.subarray(end + 4);
    const headers = new Map(lines.map((line) => [line.split(':')[0].toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]));
    const expected = createHash('sha1').update(`${this.key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    const accepted = /^HTTP\/1\.1 101\b/.test(statusLine) && /^websocket$/i.test(headers.get('upgrade'))
      && /\bupgrade\b/i.test(headers.get('connection')) && headers.get('sec-websocket-accept') === expected
      && headers.get('sec-websocket-protocol') === SUBPROTOCOL && !headers.has('sec-websocket-extensions');
    this.upgraded = accepted;
    if (accepted) this.handlers.open();
    else this.refused = statusLine;
    if (!accepted) setTimeout(() => this.socket.destroy(), 500); // time for the body of the refusal
    return accepted;
  }

  readFrame() {
    const bytes = this.received;
    if (bytes.length < 2 || this.closeCode !== null) return false;
    const [final, opcode] = [bytes[0] >= 0x80, bytes[0] & 0x0f];
    if ((bytes[0] & 0x70) !== 0 || (bytes[1] & 0x80) !== 0) return this.handlers.broken(CLOSE.protocolError, 'reserved bits or a mask');
    let length = bytes[1] & 0x7f;
    const headLength = length < 126 ? 2 : length === 126 ? 4 : 10;
    if (bytes.length < headLength) return false;
    if (headLength > 2) length = headLength === 4 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
    if (opcode >= OPCODE.close && (!final || length > 125)) return this.handlers.broken(CLOSE.protocolError, 'a bad control frame');
    const earlier = opcode === OPCODE.continuation ? this.fragments.reduce((sum, part) => sum + part.length, 0) : 0;
    if (earlier + length > SERVER_FRAME_BYTES_MAX) return this.handlers.broken(CLOSE.tooLarge, 'a message that is too long');
    if (bytes.length < headLength + length) return false;
    const payload = bytes.subarray(headLength, headLength + length);
    this.received = bytes.subarray(headLength + length);
    if (opcode === OPCODE.ping) this.write(OPCODE.pong, payload);
    else if (opcode === OPCODE.close) {
      this.closeCode = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
      this.close(this.closeCode === 1005 ? CLOSE.done : this.closeCode);
      this.socket.end();
    } else if (opcode === OPCODE.text) return this.handlers.broken(CLOSE.wrongType, 'a text message');
    else if (opcode === OPCODE.binary || opcode === OPCODE.continuation) {
      if ((opcode === OPCODE.binary) !== (this.fragments.length === 0)) return this.handlers.broken(CLOSE.protocolError, 'a bad fragment');
      this.fragments.push(payload);
      if (final && !this.closing) this.handlers.message(Buffer.concat(this.fragments.splice(0)));
    } else if (opcode !== OPCODE.pong) return this.handlers.broken(CLOSE.protocolError, 'an unknown opcode');
    return true;
  }

  write(opcode, payload) {
    if (this.closing) return;
    const head = Buffer.of(0x80 | opcode, 0x80 | Math.min(payload.length, 126), payload.length >> 8, payload.length & 0xff);
    const mask = randomBytes(4);
    this.socket.write(Buffer.concat([head.subarray(0, payload.length < 126 ? 2 : 4), mask, payload.map((byte, index) => byte ^ mask[index % 4])]));
  }

  close(code) {
    if (this.closing) return;
    this.write(OPCODE.close, Buffer.of(code >> 8, code & 0xff));
    this.closing = true;
  }
}

// ---------------------------------------------------------------- the session (sections 4 to 8)
class Session {
  constructor(host, port, path, token, outgoing) {
    this.outgoing = outgoing; // null, or { conversation, text }
    this.entries = new Map(); // by identity: { seq, body, old }
    this.position = null; // { epoch, seq, chain }, from the first verdict on
    this.verdict = null; // the first one, for the report
    this.finished = false;
    const hello = [TAG.hello, token, randomBytes(8).toString('hex'), null, false, WINDOW_BYTES];
    this.restartLineTimer();
    this.webSocket = new WebSocketClient(host, port, path, {
      open: () => this.write(hello),
      message: (bytes) => this.onMessage(bytes),
      broken: (code, text) => this.finish(code, { error: text, code }),
      refused: (status, body) => this.finish(null, { error: 'upgrade refused', status, body }),
      closed: (code, error) => this.finish(null, { error: error ?? 'connection ended', code }),
    });
  }

  write(frame) {
    const bytes = encode(frame);
    if (bytes.length > CLIENT_FRAME_BYTES_MAX) this.finish(CLOSE.done, { error: 'frame too long' });
    else this.webSocket.write(OPCODE.binary, bytes);
  }

  restartLineTimer() {
    clearTimeout(this.lineTimer);
    this.lineTimer = setTimeout(() => this.finish(CLOSE.heartbeatLost, { error: 'heartbeat_lost', code: 4003 }), LINE_DEAD_MS);
  }

  // Prints the one line (the first caller wins), then closes.
  finish(code, line, successful = false) {
    if (this.finished) return;
    clearTimeout(this.ackTimer);
    clearTimeout(this.lineTimer);
    this.finished = true;
    console.log(JSON.stringify(line));
    process.exitCode = successful ? 0 : 1;
    if (code !== null) this.acknowledge();
    if (code !== null) this.webSocket.close(code); // null: the server closes, or the line is gone already
    setTimeout(() => this.webSocket.socket.destroy(), CLOSE_TIMEOUT_MS).unref();
  }

  onMessage(bytes) {
    if (this.finished) return;
    this.restartLineTimer();
    try {
      const [tag, ...fields] = decode(bytes); // fields past those that we know are ignored
      const name = FRAME_NAMES[tag];
      if (VERDICTS.includes(name)) this.onVerdict(name, ...fields);
      else if (name !== undefined && (this.position !== null || name === 'goodbye')) this[name](...fields);
      else throw new Error(`unexpected frame ${name ?? tag}`);
    } catch (error) {
      this.finish(CLOSE.protocolError, { error: error.message, code: CLOSE.protocolError });
    }
  }

  onVerdict(name, account, device, epoch, floor, head, start, chain, missed, sent) {
    const first = this.verdict === null;
    this.verdict ??= { verdict: name, start, missed };
    if (name === 'welcome' && (!first || start !== floor)) { // section 5: report it loudly, do not go on
      return this.finish(CLOSE.done, { error: `the server skipped entries ${floor + 1}..${start}`, ...this.report(chain) });
    }
    if (missed !== head - start) throw new Error(`missed is ${missed}, but head - start is ${head - start}`);
    this.entries.forEach((entry) => { entry.old = true; }); // until it comes again
    this.position = { epoch, seq: start, chain };
    this.acknowledged = start; // with the window it starts anew
    this.unacknowledgedBytes = 0;
    this.target = head;
    if (first && this.outgoing !== null) { // the counter is `sent`: this store has none of its own
      this.write([TAG.send, [[sent + 1, 1, this.outgoing.conversation, null, Buffer.from(this.outgoing.text, 'utf8')]]]);
    }
    this.finishWhenComplete();
  }

  batch(previous, to, entries, chain) {
    if (previous !== this.position.seq) return this.finishWithGap(previous);
    if (entries.length !== to - previous) throw new Error(`batch ${previous}..${to} has ${entries.length} entries`);
    entries.forEach((entry, index) => { // device, number and body are its fields 3, 4 and 7
      this.entries.set(`${entry[3]}/${entry[4]}`, { seq: previous + 1 + index, body: entry[7].toString('utf8'), old: false });
      this.unacknowledgedBytes += encodedLengths.get(entry);
    });
    this.position = { ...this.position, seq: to, chain };
    if (this.unacknowledgedBytes >= WINDOW_BYTES / 2) this.acknowledge();
    else this.ackTimer ??= setTimeout(() => this.acknowledge(), ACK_DELAY_MS);
    this.finishWhenComplete();
  }

  acknowledge() {
    clearTimeout(this.ackTimer);
    this.ackTimer = null;
    if (this.outgoing !== null || this.position === null || this.position.seq <= this.acknowledged) return;
    this.write([TAG.ack, this.position.epoch, this.position.seq]);
    this.acknowledged = this.position.seq;
    this.unacknowledgedBytes = 0;
  }

  heartbeat(epoch, head, to) {
    if (!epoch.equals(this.position.epoch) || to !== this.position.seq) this.finishWithGap(to);
  }

  finishWithGap(found) { this.finish(CLOSE.gap, { error: 'gap', code: CLOSE.gap, own: this.position.seq, found }); }

  answers(accepted, refused) {
    if (this.outgoing === null) return;
    for (const [number, seq, duplicate] of accepted) this.finish(CLOSE.done, { answer: 'accepted', number, seq, duplicate }, true);
    for (const [number, code] of refused) this.finish(code < RETRYABLE_FROM ? CLOSE.done : CLOSE.resending, { answer: 'refused', number, code });
  }

  goodbye(code, name) { this.finish(null, { goodbye: name, code }); }

  finishWhenComplete() {
    if (this.outgoing !== null || this.position.seq < this.target) return;
    this.finish(CLOSE.done, this.report(this.position.chain), true);
  }

  report(chain) {
    const stored = [...this.entries.values()].filter((entry) => !entry.old).sort((one, other) => one.seq - other.seq);
    const old = [...this.entries.values()].filter((entry) => entry.old); // not on the server, or local only
    return {
      ...this.verdict, received: stored.length, seqs: stored.map((entry) => entry.seq),
      bodies: stored.map((entry) => entry.body), chain: chain.toString('hex'),
      ...(old.length > 0 && { old: old.map((entry) => entry.body) }),
    };
  }
}

const options = { path: { type: 'string', default: '/v1/sync' }, send: { type: 'string' } };
const { values, positionals: [host, port, token, text] } = parseArgs({ options, allowPositionals: true });
const outgoing = values.send === undefined ? null : { conversation: values.send, text }; // TEXT is the last argument
if (token === undefined || (outgoing !== null && text === undefined)) {
  console.error('usage: node stranger.mjs HOST PORT TOKEN [--path /v1/sync] [--send CONVERSATION TEXT]');
  process.exit(2);
}
new Session(host, Number(port), values.path, token, outgoing);
