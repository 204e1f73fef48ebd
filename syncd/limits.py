"""Every bound of the service, with its unit in its name and its reason beside it.

These are constants, not settings: a client in another language may rely on them, and PROTOCOL.md
prints the ones that cross the wire. Relations between bounds are asserted at import.
"""

from __future__ import annotations

INTEGER_MAX = 2**53 - 1
"""The largest integer that JSON consumers hold exactly (RFC 8259, section 6)."""

ACCOUNT_CHARACTERS_MAX = 64
"""Room for a UUID, an e-mail address of usual size, or a namespaced id."""

CONVERSATION_CHARACTERS_MAX = 2 * ACCOUNT_CHARACTERS_MAX + 1
"""A direct conversation's id names both accounts and a separator."""

MEMBERS_MAX = 500
"""Accounts in a group: every message is written to each member's log in one transaction."""

DEVICE_ID_CHARACTERS = 24
"""96 random bits in hex: drawn, never counted, so ids cannot meet after a restore."""

INSTANCE_CHARACTERS = 16
"""64 random bits in hex, drawn at each start of a client process."""

TOKEN_CHARACTERS_MAX = 4096
"""An embedder's own token (a JWT, say) must fit; a megabyte of token must not."""

NAME_CHARACTERS_MAX = 128
"""A device's name, as its owner would type it."""

PLATFORM_CHARACTERS_MAX = 32
"""pc, phone, tablet, bot ...: a word."""

KEY_CHARACTERS_MAX = 200
"""An idempotency key: a UUID or a composed name."""

CLIENT_FRAME_BYTES_MAX = 64 * 1024
"""One WebSocket message to the server. Decoding the worst 64 KiB costs about 4 MB and 7 ms."""

BODY_BYTES_MAX = 32 * 1024
"""One message's body. As base64 in a JSON frame it still fits CLIENT_FRAME_BYTES_MAX."""

SIGNAL_BYTES_MAX = 256
"""A signal's body: a word, a colour, a key; what is larger is a message."""

SIGNALS_PER_SECOND = 10
"""Of one session, over time: people type no faster than others can see. What is more is dropped."""

SIGNALS_BURST = 20
"""Of one session at once: whoever opens a client says here in many conversations."""

PRESENCES_MAX = 32
"""Conversations in which one session can be said to be here, so that away can be said when it
ends. Here in another one is dropped."""

SIGNALS_WAITING_MAX = 4096
"""Signals of all sessions that wait to be delivered; while so many do, more are dropped."""

ENTRY_BYTES_MAX = BODY_BYTES_MAX + 1024
"""One encoded entry: body and header (header fields are bounded by the limits above)."""

BATCH_BYTES_MAX = 256 * 1024
"""Stored entry bytes in one batch: large enough that per-frame cost vanishes, small enough that
a slow line shows progress and other sockets get their turn."""

SERVER_FRAME_BYTES_MAX = 4 * 1024 * 1024
"""One WebSocket message to a client. A batch of tiny entries grows up to twelvefold as JSON."""

WINDOW_BYTES_MIN = 64 * 1024
"""The smallest window a device may ask for: one entry of any size always fits."""

WINDOW_BYTES_MAX = 4 * 1024 * 1024
"""The largest: what the server may hold in memory for one socket that stopped reading."""

WINDOW_BYTES_DEFAULT = 1024 * 1024
"""What our own client asks for: four batches under way hide a round trip of catch-up."""

MESSAGES_PER_FRAME_MAX = 1024
"""Messages in one send frame: no more than may be unanswered at all."""

UNANSWERED_MESSAGES_MAX = 1024
"""Messages sent, over all sessions of a device, whose answer it has not durably stored. The
server remembers as many per device, so that every retry can still be recognised."""

REMEMBERED_MESSAGES = 1024
"""Accepted numbers that the server remembers per device as (number, seq, content)."""

HELLO_TIMEOUT_S = 5.0
"""From the upgrade to a complete hello; sockets that never say who they are die young."""

REQUEST_HEAD_TIMEOUT_S = 10.0
"""From the first byte of a connection to the end of a request's head (slowloris)."""

ADMITTING_TIMEOUT_S = 10.0
"""From a complete hello to knowing whose token it is: an embedder's own login may be slow."""

HEARTBEAT_INTERVAL_S = 20.0
"""Between heartbeats of the server: inside the 30 s after which many NATs forget a flow."""

HEARTBEATS_MISSED_MAX = 2
"""After so many intervals without any frame a client takes the line for dead."""

PEER_SILENT_TIMEOUT_S = 45.0
"""Unacknowledged data on the TCP connection for so long means that the peer is gone."""

WRITE_STALLED_TIMEOUT_S = 30.0
"""A socket that accepts no byte for so long is closed: slow_reader."""

ACK_DELAY_S = 0.1
"""A client acks at half a window, or this long after it stored something unacknowledged."""

UNFOLDED_MIB = 64
"""Of the store's journal, from which on it is folded into pages. The more, the more entries each
log's page gets at once and the less is written; all of it is in memory, too, three times as large,
and is read again after a crash, some 40 MiB a second."""

UNFOLDED_MIB_MAX = 1024
"""More would take half a minute to read after a crash."""

CURSOR_SAVE_DELAY_S = 1.0
"""Cursors are saved with the next commit, or after this long when none comes."""

POLL_INTERVAL_S = 5.0
"""One look per node at all heads, jittered, that makes a lost wake-up harmless."""

COMMIT_ENTRIES_MAX = 8192
"""Entries that one transaction writes, of direct messages two each: where group commit has long
paid off and latency still matters."""

COMMIT_SHARE_ENTRIES_MAX = 256
"""Of these for one account while others send, too: so that whoever sends next waits for some
milliseconds of a flood, and a flood still pays few fsyncs. One message may take more."""

COMMIT_OPENINGS_MAX = 8
"""Devices that one transaction lets in, while more of them wait for the next one: all steps after
it are taken for all of them at a time, and whoever is connected waits that long."""

CONNECTIONS_PER_SECOND = 1_550
"""Connections that are accepted, over time; more wait in the kernel. Letting in one costs 0.35 ms,
so a crowd that comes back leaves a third of a core to whoever is connected."""

ACCEPTED_AT_ONCE = 4
"""Of these at a time: all that they need next is done for all of them, for a quarter less."""

TOKENS_INTERVAL_S = ACCEPTED_AT_ONCE / CONNECTIONS_PER_SECOND
"""Between two looks for tokens, at least, so that those who were let in together are looked up
together: a change of thread costs more than their rows. One device alone waits for nothing."""

COMPANY_S = 1.0
"""So long after a second account sent anything, nobody is taken to be alone: people who write to
each other pause longer than a transaction takes."""

FAN_OUTS_REMEMBERED_MAX = 65_536
"""Groups of which is remembered how many entries a message takes: some 10 MB."""

COMMITTER_CROWDED_BYTES = 32 * 1024 * 1024
"""Bytes waiting for the disk, over all sessions, from which on the server stops reading from
devices that still have messages unanswered: a slow disk is felt as a slow line, not as refusals."""

COMMITTER_ACCOUNT_CROWDED_BYTES = 8 * 1024 * 1024
"""The same for what one account has waiting: enough to fill any commit, and nobody else is slowed
by it."""

COMMITTER_WAITING_BYTES_MAX = 128 * 1024 * 1024
"""The same over all sessions, before sends are refused as busy: only a crowd that all sends at
once gets there."""

SOCKET_BUFFER_BYTES_MAX = WINDOW_BYTES_MAX + 1024 * 1024
"""Unsent bytes of one socket at which the server stops reading from it."""

SOCKET_FRAMES_MAX = 1024
"""Frames written to a socket since its buffer was last empty, at which the server stops reading
from it: from Python 3.12 on asyncio adds up all waiting pieces at every write, so a flood of pings
by a peer that does not read would cost the square of what waits."""

ACCOUNT_MESSAGES_PER_SECOND = 500
"""What the sockets of one account are read at, by default: no person writes so much and hardly a
bot, and it is a fiftieth of what one core makes durable. A message to a group of 500 counts as
twenty, a large one once per KiB."""

ACCOUNT_BURST_S = 4.0
"""Seconds of that rate at once: the outbox of a device that was away, up to two full windows."""

ACCOUNT_DEBT_S_MAX = 60.0
"""What was read before its cost was known is paid for so long at most; longer looks dead."""

ACCOUNT_HELLOS_PER_SECOND = 2
"""Hellos of one account over time: some devices on a bad line; a reconnect loop makes hundreds."""

ACCOUNT_HELLOS_BURST = 100
"""Hellos of one account at once: all its devices, some times over."""

HELLO_HELD_S = 2.0
"""How long a socket is kept waiting whose account said hello too often, before it is told to slow
down: who comes back at once all the same then comes once in so long, not a thousand times."""

HELD_SOCKETS_PER_ACCOUNT_MAX = 16
"""Sockets of one account that are kept waiting so; further ones are told at once."""

ADDRESS_REQUESTS_PER_SECOND = 50
"""Upgrades, and requests without a valid credential, of one address over time, by default: an
office behind one address that comes back after lunch."""

ADDRESS_BURST_S = 80.0
"""Seconds of that rate at once: 4,000 devices behind one address after a restart of the server."""

KEY_REQUESTS_PER_SECOND = 500
"""Requests of one credential over HTTP, by default: a backend with much to say. One core answers
some thousand."""

KEY_BURST_S = 4.0
"""Seconds of that rate at once."""

STRANGERS_PER_ADDRESS_MAX = 1024
"""Sockets of one address that have not shown a valid token yet: with 20 KiB each. A thousand
devices may arrive in the moment that a login takes."""

POLICY_TIMEOUT_S = 2.0
"""How long an embedder's policy may think about one message, or about one frame at once: longer,
and a person takes the message for lost."""

POLICY_WAITING_MESSAGES_MAX = 64
"""Messages of one session that wait for the policy, above which the server stops reading from it:
with bodies of the largest size 2 MiB."""

POLICY_CROWDED_BYTES = 32 * 1024 * 1024
"""Bytes that wait for the policy, over all sessions, from which on the server stops reading from
devices of which something waits: a thousand of them with 2 MiB each would be too many."""

POLICY_WAITING_BYTES_MAX = 128 * 1024 * 1024
"""The same, before messages are refused as policy_unavailable: a socket that is gone leaves behind
what it handed in, and behind a slow policy devices that come back again and again pile it up."""

RECONNECT_DELAY_MIN_S = 0.5
RECONNECT_DELAY_MAX_S = 20.0
"""A client's reconnects: full jitter between 0 and a bound that doubles from MIN to MAX."""

BADGE_FOLDS_MAX = 10_000
"""Accounts whose unread counts are kept warm: a fold of some entries has about 2 KiB."""

BADGE_ENTRIES_MAX = 500_000
"""Unread entries remembered over all of them, about 200 bytes each: 100 MiB at most. Twenty
accounts that never read anything must not take it all from ten thousand that do."""

TRANSFER_RECORD_BYTES_MAX = 1024 * 1024
"""One record of an exported account: a batch of entries and its largest one, or a device with all
its remembered answers; what claims more is no export and must not fill the memory."""

IDEMPOTENCY_WINDOW_DAYS = 7
"""How long an idempotency key of the HTTP door is honoured at least."""

CLOCK_TICK_S = 60.0
"""Between two notes of the persisted clock: what a crash may lose of it, and how fine the age of a
young entry is told. Each is one small transaction."""

CLOCK_STOP_S_MAX = 24 * 60 * 60.0
"""What the persisted clock goes on by across a stop, at most, whatever the wall clock says."""

SWEEP_INTERVAL_S = 60 * 60.0
"""Between two passes of retention: with the shortest age of a day a pass drops a twentieth."""

SWEEP_DROP_PERCENT_MAX = 20
"""A pass that would drop a larger part of the store does not run: a clock or a setting is wrong far
more often than a fifth of all entries grows old within an hour."""

RETAIN_DAYS_MAX = 36_500
"""A hundred years: what is longer means "for ever", and that is 0."""

RETAIN_ENTRIES_MAX = 10**12 - 1
"""As many digits as the setting takes; no log grows so long, and a store's integers hold it."""

TRIM_UNASKED_ENTRIES = 100
"""A command that drops no more from a log does so at once: what is so small was looked at."""

TRIM_UNASKED_PERCENT_MAX = 50
"""Of a longer log: a seq that drops the larger part is mistyped more often than it is meant."""

GRANTS_REMEMBERED = 100_000
"""Codes whose replay is still noticed: at a hundred logins a second those of a quarter of an hour,
and no code lives longer than ten minutes."""

MERGE_READ_BYTES_MAX = 16 * 1024
"""Of the read marks that the notice of a merge names: half of the largest body; the newest
conversations come first."""

PAIRING_LIFETIME_S = 300.0
"""How long the code that a new device shows is good for: as long as the platform's own."""

PAIRING_INTERVAL_S = 5
"""How long a new device waits between two questions (RFC 8628, section 3.2), and by how much longer
after one that came too soon (section 3.5)."""

PAIRINGS_MAX = 10_000
PAIRINGS_PER_ADDRESS_MAX = 200
"""Codes that are shown at once, about 1 KiB each: a classroom behind one address within five
minutes; all together they are too few for a guessed code to hit one."""

PAIRING_GUESSES_PER_MINUTE = 2
PAIRING_GUESSES_BURST = 10
"""Codes that nobody shows, typed by one account or from one address: of 2.5e10 that there are."""

SESSIONS_LOOK_S = 1.0
"""Between two looks at whether the sessions that are live still may be. With the grace below it
bounds how long the loss of a revocation's word matters: less than the two seconds promised."""

LOOKED_AT_ONCE = 256
"""Accounts or sessions that one look is about, of those that go by everybody now and then: 1 ms of
the thread that all reads pass through, and as much of the loop where everybody is woken."""

ENDED_GRACE_S = 0.5
"""How long a socket whose right has ended may take to hear why before it is cut off: what was on
its way before may fill the line for long."""

UPSTREAM_TIMEOUT_S = 5.0
"""How long the platform may take to redeem a code, tries included: a person waits for it."""

UPSTREAM_ANSWER_BYTES_MAX = 64 * 1024
"""One answer of the platform, or the keys of an issuer: a hundred times what they have."""

QUOTA_MINUTE_S = 60
"""When it is worth another try after the platform's quota of a minute is used up."""

ISSUER_KEYS_REFETCH_S = 60.0
"""The keys of an issuer are asked for at most so often, whatever key a token names."""

ISSUER_KEYS_KEPT_S = 60 * 60.0
"""And at least so often, where anybody logs in by them: a key that its issuer took back ends."""

JWT_AGE_S_MAX = 600
"""A signed token proves a login only for so long after it was issued, whatever its exp says."""

JWT_LEEWAY_S = 30
"""By which an issuer's clock may be ahead of ours or behind it."""

USER_INFO_AGE_S_MAX = 300
"""How old an encrypted user info may be, or how far its clock ahead: a new one is asked for."""

PENDING_WINDOW_LOGINS = 1000
PENDING_WINDOW_LOGINS_MIN = 200
PENDING_PERCENT_MAX = 1
"""Of an app's newest logins, so many may bring a union that contradicts the linked one before it is
an alarm: one is a person's affair, many mean that the app was bound to another platform account."""

LOGINS_REFUSED_PER_MINUTE = 60
"""Codes and proofs of one address that were refused: a person mistypes none, and an office behind
one address has a bad minute. Then the platform is not asked about more of them for a while."""

LOGINS_PER_DEVICE_PER_MINUTE = 30
"""Logins of one device that proves itself: one in a loop must not use up the platform's quota."""

assert BODY_BYTES_MAX * 4 // 3 + 2048 <= CLIENT_FRAME_BYTES_MAX, "a largest body fits a JSON frame"
assert ENTRY_BYTES_MAX <= WINDOW_BYTES_MIN, "a window always has room for one entry"
assert ENTRY_BYTES_MAX <= BATCH_BYTES_MAX <= WINDOW_BYTES_MAX
assert WINDOW_BYTES_MIN <= WINDOW_BYTES_DEFAULT <= WINDOW_BYTES_MAX
assert COMMITTER_ACCOUNT_CROWDED_BYTES < COMMITTER_CROWDED_BYTES < COMMITTER_WAITING_BYTES_MAX
assert POLICY_CROWDED_BYTES < POLICY_WAITING_BYTES_MAX
assert UNANSWERED_MESSAGES_MAX <= REMEMBERED_MESSAGES, "a retry is always recognised"
assert MESSAGES_PER_FRAME_MAX <= UNANSWERED_MESSAGES_MAX
assert HEARTBEAT_INTERVAL_S * HEARTBEATS_MISSED_MAX < PEER_SILENT_TIMEOUT_S
