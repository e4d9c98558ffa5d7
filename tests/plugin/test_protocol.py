"""Lines from the backend: cut anywhere, mixed with garbage, endless."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


def line(**body):
    return json.dumps(body, ensure_ascii=False).encode() + b"\n"


@settings(deadline=None)  # other work may share the machine
@given(cuts=st.lists(st.integers(0, 400), max_size=12))
def test_messages_arrive_whole_however_the_stream_is_cut(protocol, cuts):
    progress = line(type="progress", id=2, done=1, total=3, unit="Häuser")
    stream = line(type="hello", id=1) + progress + line(type="heartbeat")
    reader, found, at = protocol.LineReader(), [], 0
    for cut in [*sorted(cuts), len(stream)]:
        found += reader.feed(stream[at:cut])
        at = max(at, cut)
    assert [message.kind for message in found] == ["hello", "progress", "heartbeat"]
    assert found[1].body["unit"] == "Häuser" and found[1].id == 2 and found[2].id is None


@pytest.mark.parametrize(
    "junk", [b"Downloading: 3%\n", b"\xff\xfe\x00\n", b"[1]\n", b'{"no": "type"}\n', b'{"type": 3}\n', b"{\n"])
def test_garbage_is_kept_and_does_not_disturb(protocol, junk):
    reader = protocol.LineReader()
    found = reader.feed(junk + line(type="result", id=1, result={"a": 1}))
    assert [message.result() for message in found] == [{"a": 1}]
    assert len(reader.garbage) == 1


def test_a_line_without_end_is_an_error_and_memory_is_freed(protocol):
    reader = protocol.LineReader()
    with pytest.raises(protocol.BackendError, match="without end"):
        for _ in range(20):
            reader.feed(b"x" * 1_000_000)
    assert [message.kind for message in reader.feed(b"\n" + line(type="hello"))] == ["hello"]


def test_requests_are_one_line_of_utf8(protocol):
    sent = protocol.Request("search", {"texts": ["Häuser\nund Höfe"]}).line(7)
    assert sent.endswith(b"\n") and sent.count(b"\n") == 1
    assert json.loads(sent) == {"id": 7, "op": "search", "params": {"texts": ["Häuser\nund Höfe"]}}


def test_errors_carry_message_remedy_code_and_traceback(protocol):
    body = {"type": "error", "id": 1, "code": "raster", "message": "No CRS.", "remedy": "Set one.", "traceback": "T"}
    fault = protocol.Message("error", 1, body).error()
    assert str(fault) == "No CRS. Set one." and fault.code == "raster" and fault.details == "T"


def test_another_major_protocol_is_refused(protocol):
    protocol.check_hello(protocol.Message("hello", 1, {"protocol": "1.9"}))
    with pytest.raises(protocol.BackendError, match="protocol 2"):
        protocol.check_hello(protocol.Message("hello", 1, {"protocol": "2.0"}))


def test_the_tail_keeps_the_last_lines(protocol):
    tail = protocol.Tail(3)
    tail.feed(b"a\nb\nc\nd\npart")
    tail.feed(b"ial")
    assert tail.text() == "b\nc\nd\npartial"


def test_remaining_time_is_proportional_and_starts_afresh_with_a_new_unit(protocol):
    remaining = protocol.Remaining()
    assert remaining.update(0, 0, 100, "tiles") is None
    assert remaining.update(10, 25, 100, "tiles") == pytest.approx(30)
    assert remaining.update(11, 1, 50, "windows") is None
