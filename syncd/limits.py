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

CURSOR_SAVE_DELAY_S = 1.0
"""Cursors are saved with the next commit, or after this long when none comes."""

POLL_INTERVAL_S = 5.0
"""One look per node at all heads, jittered, that makes a lost wake-up harmless."""

COMMIT_MESSAGES_MAX = 4096
"""Messages in one transaction: where group commit has long paid off and latency still matters."""

COMMITTER_CROWDED_BYTES = 32 * 1024 * 1024
"""Bytes waiting for the disk, over all sessions, from which on the server stops reading from
devices that still have messages unanswered: a slow disk is felt as a slow line, not as refusals."""

COMMITTER_WAITING_BYTES_MAX = 128 * 1024 * 1024
"""The same, before sends are refused as busy: only a crowd that all sends at once gets there."""

SOCKET_BUFFER_BYTES_MAX = WINDOW_BYTES_MAX + 1024 * 1024
"""Unsent bytes of one socket at which the server stops reading from it."""

SOCKET_FRAMES_MAX = 1024
"""Frames written to a socket since its buffer was last empty, at which the server stops reading
from it: from Python 3.12 on asyncio adds up all waiting pieces at every write, so a flood of pings
by a peer that does not read would cost the square of what waits."""

RECONNECT_DELAY_MIN_S = 0.5
RECONNECT_DELAY_MAX_S = 20.0
"""A client's reconnects: full jitter between 0 and a bound that doubles from MIN to MAX."""

IDEMPOTENCY_WINDOW_DAYS = 7
"""How long an idempotency key of the HTTP door is honoured at least."""

assert BODY_BYTES_MAX * 4 // 3 + 2048 <= CLIENT_FRAME_BYTES_MAX, "a largest body fits a JSON frame"
assert ENTRY_BYTES_MAX <= WINDOW_BYTES_MIN, "a window always has room for one entry"
assert ENTRY_BYTES_MAX <= BATCH_BYTES_MAX <= WINDOW_BYTES_MAX
assert WINDOW_BYTES_MIN <= WINDOW_BYTES_DEFAULT <= WINDOW_BYTES_MAX
assert COMMITTER_CROWDED_BYTES < COMMITTER_WAITING_BYTES_MAX
assert UNANSWERED_MESSAGES_MAX <= REMEMBERED_MESSAGES, "a retry is always recognised"
assert MESSAGES_PER_FRAME_MAX <= UNANSWERED_MESSAGES_MAX
assert HEARTBEAT_INTERVAL_S * HEARTBEATS_MISSED_MAX < PEER_SILENT_TIMEOUT_S
