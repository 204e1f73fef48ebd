// The conversations of an account: a fold over its log, as protocol/view.py and unread.py tell it.
// Pure: no page, no socket, no clock. What is shown is a function of the entries that the log holds.

const MESSAGE = 1, EDIT = 2, RECALL = 3, DELETE = 4, READ = 5, SYSTEM = 6;

export const direct = (one, other) => [one, other].sort((a, b) => (a < b ? -1 : 1)).join("~");

const isToOneself = (id) => {
  const [one, other] = id.split("~");
  return one === other;
};

const keyOf = (identity) => `${identity.device}/${identity.number}`;

// The text of a body that travelled as base64url; null where it was erased.
export function textOf(body) {
  if (body === null) return null;
  const bytes = Uint8Array.from(atob(body.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  return new TextDecoder().decode(bytes);
}

export function bodyOf(text) {
  const bytes = Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte));
  return btoa(bytes.join("")).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

export class Inbox {
  constructor(account, aliases = []) {
    this.account = account;
    this.own = new Set([account, ...aliases]);
    this.floor = 0;
    this.conversations = new Map(); // id -> {lines, places, newest}
    this.segments = []; // of merged guests, while they come in: {notice, until}, in log order
    this.notices = []; // of merges that say what was read: {notice, until, read}
  }

  isOwn(account) {
    return this.own.has(account);
  }

  apply(seq, entry) {
    const known = this.conversations.get(entry.conversation);
    const conversation = known ?? { lines: new Map(), places: new Map(), newest: 0 };
    this.conversations.set(entry.conversation, conversation);
    const key = keyOf(entry);
    conversation.lines.delete(key); // retention may have dropped it before it came again
    switch (entry.kind) {
      case MESSAGE:
        conversation.lines.set(key, {
          seq, key, identity: { device: entry.device, number: entry.number }, account: entry.account,
          body: entry.body, edited: false, recalled: false, read: false,
          readBy: this.noticesOf(seq, entry.conversation),
        });
        conversation.newest = seq;
        break;
      case EDIT:
        this.alter(conversation, entry, (line) => { line.body = entry.body; line.edited = true; });
        break;
      case RECALL:
        this.alter(conversation, entry, (line) => { line.body = null; line.edited = false; line.recalled = true; });
        break;
      case DELETE:
        conversation.lines.delete(keyOf(entry.target));
        break;
      case READ:
        this.mark(conversation, conversation.places.get(keyOf(entry.target)));
        break;
      case SYSTEM:
        this.told(conversation, seq, key, entry);
        break;
    }
    conversation.places.set(key, seq);
    this.segments = this.segments.filter((segment) => segment.until > seq);
  }

  // By its author, whichever of the own accounts that was, and only until it was recalled.
  alter(conversation, entry, change) {
    const line = conversation.lines.get(keyOf(entry.target));
    if (!line || line.recalled || line.notice) return;
    if (line.account === entry.account || (this.isOwn(line.account) && this.isOwn(entry.account))) change(line);
  }

  // A read mark about an entry of a guest that comes in says nothing about what stands before them.
  mark(conversation, place) {
    if (place === undefined) return;
    const from = this.segments.findLast((segment) => segment.notice < place)?.notice ?? 0;
    for (const line of conversation.lines.values()) if (line.seq > from && line.seq <= place) line.read = true;
  }

  // The notices that say that what stands there was read.
  noticesOf(seq, conversation) {
    return this.notices
      .filter(({ notice, until, read }) => seq <= Math.min(until, notice + (read[conversation] ?? 0)))
      .map(({ notice }) => notice);
  }

  // A change of a group, or a word of the service about the account itself. Shown as a line.
  told(conversation, seq, key, entry) {
    let notice;
    try {
      notice = JSON.parse(textOf(entry.body));
    } catch {
      return;
    }
    if (!notice?.action) return; // erased since, or of a later server
    if (notice.action === "merge" && entry.account === "" && isToOneself(entry.conversation)) {
      this.own.add(notice.guest);
      const until = seq + notice.entries;
      this.segments.push({ notice: seq, until });
      if (notice.read) this.notices.push({ notice: seq, until, read: notice.read });
    }
    conversation.lines.set(key, { seq, key, account: entry.account, notice });
    conversation.newest = seq;
  }

  // Retention dropped everything up to `floor`.
  trim(floor) {
    if (floor <= this.floor) return;
    this.floor = floor;
    for (const [id, conversation] of this.conversations) {
      for (const [key, line] of conversation.lines) if (line.seq <= floor) conversation.lines.delete(key);
      for (const [key, place] of conversation.places) if (place <= floor) conversation.places.delete(key);
      if (!conversation.places.size) this.conversations.delete(id);
    }
  }

  isUnread(line) {
    if (line.notice || line.recalled || line.read || this.isOwn(line.account)) return false;
    return !line.readBy.some((notice) => notice > this.floor);
  }

  // The conversations that have something to show, the newest first.
  list() {
    return [...this.conversations.keys()]
      .filter((id) => this.conversations.get(id).lines.size)
      .sort((a, b) => this.conversations.get(b).newest - this.conversations.get(a).newest);
  }

  lines(id) {
    return [...(this.conversations.get(id)?.lines.values() ?? [])];
  }

  unread(id) {
    return this.lines(id).filter((line) => this.isUnread(line)).length;
  }

  // Whom a direct conversation is with, or the id of a group.
  titleOf(id) {
    const sides = id.split("~");
    if (sides.length === 1) return id;
    return sides.find((side) => !this.isOwn(side)) ?? "Notes to myself";
  }
}
