"""The JSON twin: what only JSON can get wrong, and that it gets through to nobody."""

import json
import time
from base64 import b64encode, urlsafe_b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.limits import CLIENT_FRAME_BYTES_MAX, INTEGER_MAX
from syncd.wire import json_twin
from syncd.wire.codec import JSON_SUBPROTOCOL, Malformed, codec_for
from syncd.wire.frames import Ack, ClientFrame, Goodbye, Heartbeat, Hello, Message, Send

CODEC = codec_for(JSON_SUBPROTOCOL)
EPOCH = "00112233445566ff"
ACK = Ack(bytes.fromhex(EPOCH), 5)
BOMB_SECONDS_MAX = 2.0  # each takes milliseconds; the rest is for a busy machine


def ack(seq: str = "5", epoch: str = f'"{EPOCH}"', rest: str = "") -> bytes:
    return f'{{"frame":"ack","epoch":{epoch},"seq":{seq}{rest}}}'.encode()


def send(body: str = '""', target: str = "null", rest: str = "") -> bytes:
    message = f'"number":1,"kind":1,"conversation":"a~b","target":{target},"body":{body}{rest}'
    return f'{{"frame":"send","messages":[{{{message}}}]}}'.encode()


def hello(token: str = '"t"', position: str = "null", cursor: str = "false") -> bytes:
    return (
        f'{{"frame":"hello","token":{token},"instance":"{"0" * 16}",'
        f'"position":{position},"cursor":{cursor},"window":65536}}'
    ).encode()


def test_the_frames_that_the_bad_ones_come_from_are_good() -> None:
    assert CODEC.decode_client(ack()) == ACK
    assert CODEC.decode_client(send('"_-8"')).messages[0].body == b"\xff\xef"
    assert CODEC.decode_client(hello()).token == "t"


def test_keys_come_in_any_order_and_blanks_do_not_matter() -> None:
    data = f' {{\n"seq" : 5,\t"epoch":"{EPOCH}", "frame":"ack" }}\r\n'.encode()
    assert CODEC.decode_client(data) == ACK


def test_escapes_spell_the_same_text() -> None:
    escaped = b'{"fr\\u0061me":"a\\u0063k","epoch":"' + EPOCH.encode() + b'","seq":5}'
    assert CODEC.decode_client(escaped) == ACK
    assert CODEC.decode_client(hello(r'"\ud83d\ude00"')).token == "\U0001f600"


NOT_FROM_A_CLIENT = {
    "nothing": b"",
    "blank": b" ",
    "no JSON": b"hello",
    "truncated": ack()[:-1],
    "trailing brace": ack() + b"}",
    "trailing frame": ack() + ack(),
    "trailing zero byte": ack() + b"\x00",
    "trailing comma": ack(rest=","),
    "single quotes": ack().replace(b'"', b"'"),
    "comment": ack() + b"//",
    "byte order mark": b"\xef\xbb\xbf" + ack(),
    "UTF-16": ack().decode().encode("utf-16"),
    "UTF-16 without mark": ack().decode().encode("utf-16-le"),
    "UTF-32": ack().decode().encode("utf-32"),
    "MessagePack": b"\x93\x02\xc4\x08eeeeeeee\x05",
    "array": b'["ack"]',
    "array by position": f'[2,"{EPOCH}",5]'.encode(),
    "text": b'"ack"',
    "number": b"5",
    "null": b"null",
    "no name": ack().replace(b'"frame":"ack",', b""),
    "unknown name": ack().replace(b'"ack"', b'"akk"'),
    "name in capitals": ack().replace(b'"ack"', b'"Ack"'),
    "a server's name": b'{"frame":"heartbeat","epoch":"%s","head":5,"to":5}' % EPOCH.encode(),
    "a record's name": b'{"frame":"message"}',
    "tag for name": ack().replace(b'"ack"', b"2"),
    "list for name": ack().replace(b'"ack"', b'["ack"]'),
    "null for name": ack().replace(b'"ack"', b"null"),
    "doubled key": ack(rest=',"seq":5'),
    "doubled key by escape": ack(rest=',"s\\u0065q":5'),
    "doubled name": ack(rest=',"frame":"ack"'),
    "doubled key inside": send(rest=',"body":""'),
    "unknown key": ack(rest=',"later":5'),
    "unknown key inside": send(rest=',"later":5'),
    "name inside": send(rest=',"frame":"message"'),
    "key in capitals": ack().replace(b'"seq"', b'"Seq"'),
    "missing key": ack().replace(b',"seq":5', b""),
    "missing key instead of null": send().replace(b'"target":null,', b""),
    "null for integer": ack("null"),
    "not a number": ack("NaN"),
    "infinity": ack("Infinity"),
    "minus infinity": ack("-Infinity"),
    "float": ack("5.0"),
    "float by exponent": ack("5e0"),
    "huge float": ack("1e999"),
    "minus zero": ack("-0"),
    "float minus zero": ack("-0.0"),
    "bool": ack("true"),
    "text for integer": ack('"5"'),
    "negative": ack("-1"),
    "leading zero": ack("05"),
    "plus": ack("+5"),
    "hex integer": ack("0x5"),
    "other digits": ack("\u0665"),
    "underscore": ack("1_0"),
    "above 2^53-1": ack(str(INTEGER_MAX + 1)),
    "twenty digits": ack("9" * 20),
    "least integer": ack(str(-(2**63))),
    "integer for bool": hello(cursor="0"),
    "text for bool": hello(cursor='"false"'),
    "null for bool": hello(cursor="null"),
    "integer for text": hello("5"),
    "null for text": hello("null"),
    "empty token": hello('""'),
    "lone surrogate": hello(r'"\ud800"'),
    "lone low surrogate": hello(r'"\udc00"'),
    "surrogates in the wrong order": hello(r'"\udc00\ud800"'),
    "surrogate in raw bytes": hello('"t"').replace(b'"t"', b'"\xed\xa0\x80"'),
    "text not UTF-8": hello('"t"').replace(b'"t"', b'"\xff"'),
    "line end in text": hello('"\n"'),
    "zero byte in text": hello('"\x00"'),
    "unknown escape": hello(r'"\x41"'),
    "array for record": hello(position=f'["{EPOCH}",5,"{EPOCH}"]'),
    "text for record": hello(position='"here"'),
    "false for null": hello(position="false"),
    "empty record": hello(position="{}"),
    "record with a part missing": hello(position=f'{{"epoch":"{EPOCH}","seq":5}}'),
    "record with a part too many": hello(
        position=f'{{"epoch":"{EPOCH}","seq":5,"chain":"{EPOCH}","later":1}}'
    ),
    "hex in capitals": ack(epoch='"00112233445566FF"'),
    "hex with blanks": ack(epoch='"00 11 22 33 44 55 66 ff"'),
    "hex with prefix": ack(epoch='"0x112233445566ff"'),
    "hex too short": ack(epoch='"00112233445566"'),
    "hex too long": ack(epoch='"00112233445566ff00"'),
    "hex with half a byte": ack(epoch='"00112233445566f"'),
    "hex of other digits": ack(epoch='"\u0660\u0660112233445566ff"'),
    "epoch as base64": ack(epoch='"ABEiM0RVZv8"'),
    "epoch as integer": ack(epoch="11"),
    "body as array": send("[104,105]"),
    "body as null": send("null"),
    "base64 with padding": send('"_-8="'),
    "base64 of the other alphabet": send('"/+8"'),
    "base64 with stray bits": send('"_-9"'),
    "base64 with a lone character": send('"A"'),
    "base64 of five characters": send('"AAAAA"'),
    "base64 with a blank": send('"AA AA"'),
    "base64 with a line end": send('"AAAA\\n"'),
    "base64 with other characters": send('"AA\u00e9A"'),
    "only padding": send('"="'),
    "object for messages": b'{"frame":"send","messages":{}}',
    "null for messages": b'{"frame":"send","messages":null}',
    "number for messages": b'{"frame":"send","messages":5}',
    "text for messages": b'{"frame":"send","messages":""}',
    "no messages": b'{"frame":"send","messages":[]}',
    "array for message": b'{"frame":"send","messages":[[1,1,"a~b",null,""]]}',
}

ROOM = CLIENT_FRAME_BYTES_MAX - 200
BOMBS = {
    "depth of arrays": ack("[" * ROOM),
    "depth of closed arrays": ack("[" * (ROOM // 2) + "]" * (ROOM // 2)),
    "depth of objects": ack('{"a":' * (ROOM // 5)),
    "depth that the parser allows": ack("[" * 300 + "]" * 300),
    "digits": ack("9" * ROOM),
    "negative digits": ack("-" + "9" * ROOM),
    "digits of a fraction": ack("0." + "9" * ROOM),
    "digits of an exponent": ack("1e" + "9" * ROOM),
    "empty objects": ack("[" + "{}," * (ROOM // 3) + "{}]"),
    "many keys": ack(rest="".join(f',"{key}":0' for key in range(6_000))),
    "many doubled keys": ack(rest=',"k":0' * (ROOM // 6)),
    "escapes": hello('"' + r"\u0041" * (ROOM // 6) + '"'),
    "open string": hello('"' + "a" * ROOM),
    "blanks": b" " * ROOM,
    "bad base64": send('"' + "=" * ROOM + '"'),
    "quotes": send('"' + r"\"" * (ROOM // 2) + '"'),
}


@pytest.mark.parametrize("name", NOT_FROM_A_CLIENT)
def test_what_is_no_frame_is_malformed(name: str) -> None:
    with pytest.raises(Malformed):
        CODEC.decode_client(NOT_FROM_A_CLIENT[name])


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_take_no_time(name: str) -> None:
    begin = time.perf_counter()
    with pytest.raises(Malformed):
        CODEC.decode_client(BOMBS[name])
    assert time.perf_counter() - begin < BOMB_SECONDS_MAX


def test_a_hundred_thousand_digits_are_not_converted() -> None:
    begin = time.perf_counter()
    with pytest.raises(Malformed):
        CODEC.decode_server(heartbeat("9" * 100_000))
    assert time.perf_counter() - begin < BOMB_SECONDS_MAX


@pytest.mark.parametrize("entries", ["{}", '""', "null", "5", "[[]]", "[{}]"])
def test_entries_are_an_array_of_objects(entries: str) -> None:
    batch = f'{{"frame":"batch","prev":1,"to":1,"entries":%s,"chain":"{EPOCH}","head":1}}'
    assert CODEC.decode_server((batch % "[]").encode())
    with pytest.raises(Malformed):
        CODEC.decode_server((batch % entries).encode())


# ---------------------------------------------------------------- servers may grow


def heartbeat(extra: str) -> bytes:
    return f'{{"later":{extra},"frame":"heartbeat","epoch":"{EPOCH}","head":7,"to":5}}'.encode()


@pytest.mark.parametrize("extra", ["1", "null", "1.5", '"text"', "[[],{}]", '{"a":{"a":true}}'])
def test_a_client_ignores_keys_that_it_does_not_know(extra: str) -> None:
    assert CODEC.decode_server(heartbeat(extra)) == Heartbeat(bytes.fromhex(EPOCH), 7, 5)


def test_records_of_servers_may_grow_too() -> None:
    data = (
        b'{"frame":"answers","refused":[{"number":1,"code":4,"text":"no"}],'
        b'"accepted":[{"number":2,"seq":null,"duplicate":true,"later":{}}]}'
    )
    assert CODEC.decode_server(data).refused[0].code == 4


@pytest.mark.parametrize("extra", ["NaN", '{"a":1,"a":1}', "9" * 17, "[" * 5_000, "01", "tru"])
def test_what_a_server_grows_must_be_json(extra: str) -> None:
    with pytest.raises(Malformed):
        CODEC.decode_server(heartbeat(extra))


# ---------------------------------------------------------------- spelling


def test_frames_are_spelled_by_name() -> None:
    goodbye = Goodbye(4505, "fenced", None, 10)
    assert CODEC.encode(goodbye) == (
        b'{"frame":"goodbye","code":4505,"name":"fenced","instance":null,"retry_after":10}'
    )
    assert CODEC.encode(ACK) == ack()
    assert CODEC.encode(Send((Message(1, 1, "a~b", None, b"\xff\xef"),))) == send('"_-8"')


def test_a_frame_has_no_line_end_and_plain_utf8() -> None:
    data = CODEC.encode(Hello("\n\u2028é", "0" * 16, None, False, 65_536))
    assert b"\n" not in data
    assert "é".encode() in data


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=40))
def test_each_body_has_one_spelling(body: bytes) -> None:
    spelled = urlsafe_b64encode(body).rstrip(b"=").decode()
    assert CODEC.decode_client(send(f'"{spelled}"')).messages[0].body == body
    for other in {urlsafe_b64encode(body).decode(), b64encode(body).decode()} - {spelled}:
        with pytest.raises(Malformed):
            CODEC.decode_client(send(f'"{other}"'))


@settings(max_examples=300, deadline=None)
@given(text=st.text("ABQgwx-_+/= ", max_size=9))
def test_whatever_is_taken_for_base64_is_canonical(text: str) -> None:
    try:
        frame = CODEC.decode_client(send(json.dumps(text)))
    except Malformed:
        return
    assert CODEC.encode(frame) == send(json.dumps(text))


# ---------------------------------------------------------------- chance

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=20,
)
NAMES = ["hello", "ack", "send", "welcome", "batch", "heartbeat", "answers", "goodbye"]
KEYS = [
    *("token", "instance", "position", "cursor", "window", "epoch", "seq", "messages"),
    *("prev", "to", "entries", "chain", "head", "accepted", "refused", "code", "name"),
    *("retry_after", "account", "device", "floor", "start", "missed", "sent"),
]


@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from(NAMES), fields=st.dictionaries(st.sampled_from(KEYS), values))
def test_random_trees_under_a_name(name: str, fields: dict[str, object]) -> None:
    data = json.dumps({"frame": name, **fields}).encode()
    for decode in (CODEC.decode_client, CODEC.decode_server):
        try:
            frame = decode(data)
        except Malformed:
            continue
        assert decode(CODEC.encode(frame)) == frame


def test_a_reader_says_why_without_quoting_the_peer() -> None:
    reader = json_twin.Reader[ClientFrame](ClientFrame)
    with pytest.raises(json_twin.Unreadable) as caught:
        reader.decode(hello().replace(b'"t"', b'"secret","secret":1'))
    assert "secret" not in str(caught.value)
    assert json_twin.frame_name(Hello) == "hello"
