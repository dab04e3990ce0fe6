"""Messages between our processes: JSON and arrays over a socket. Nobody unpickles what another process sends."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

#: before each message: bytes of its JSON text, bytes of its arrays
_LENGTHS = struct.Struct("!QQ")
#: a longer JSON text is no message of ours
MOST_TEXT = 2**28


class Message(NamedTuple):
    """What was sent: plain data and arrays."""

    data: dict[str, Any]
    arrays: list[np.ndarray]


class MessageError(Exception):
    """What came is no message of ours."""


def encode(data: dict[str, Any], arrays: Sequence[np.ndarray] = ()) -> list[bytes]:
    """The parts of a message, to be sent one behind the other."""
    bodies = [np.ascontiguousarray(a) for a in arrays]
    text = json.dumps({"data": data, "arrays": [[a.dtype.str, a.shape] for a in bodies]}).encode()
    return [_LENGTHS.pack(len(text), sum(a.nbytes for a in bodies)) + text, *(a.tobytes() for a in bodies)]


class Inbox:
    """Bytes as they arrive, cut into messages.

    Args:
        most: bytes of arrays that a message may have: whoever waits for an estimate knows its size.
    """

    def __init__(self, most: int = 2**40):
        self._bytes, self._most = bytearray(), most

    def add(self, chunk: bytes) -> None:
        """Take in what was received."""
        self._bytes += chunk

    def take(self) -> Message | None:
        """The next message if all of it has come. Raises MessageError when it is none."""
        if len(self._bytes) < _LENGTHS.size:
            return None
        text, body = _LENGTHS.unpack_from(self._bytes)
        if text > MOST_TEXT or body > self._most:
            raise MessageError(f"a message of {text} + {body} bytes")
        start, middle, end = _LENGTHS.size, _LENGTHS.size + text, _LENGTHS.size + text + body
        if len(self._bytes) < end:
            return None
        message = _decoded(bytes(self._bytes[start:middle]), bytes(self._bytes[middle:end]))
        del self._bytes[:end]
        return message


def _decoded(text: bytes, body: bytes) -> Message:
    arrays, begin = [], 0
    try:
        head = json.loads(text)
        for kind, shape in head["arrays"]:
            dtype = np.dtype(kind)
            if dtype.hasobject or min(shape, default=0) < 0:
                raise MessageError(f"an array of {kind} with the shape {shape}")
            count = int(np.prod(shape, dtype=object))
            arrays.append(np.frombuffer(body, dtype, count, begin).reshape(shape))
            begin += count * dtype.itemsize
        data = head["data"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise MessageError(str(error)) from error
    if not isinstance(data, dict):
        raise MessageError("no plain data in it")
    return Message(data, arrays)


class Channel:
    """One end of a connection between two processes of ours."""

    def __init__(self, end: socket.socket):
        self.socket = end
        self._inbox = Inbox()

    def send(self, data: dict[str, Any], arrays: Sequence[np.ndarray] = (), files: Sequence[int] = ()) -> None:
        """Send a message, and open files with it. Raises OSError when the other end is closed."""
        first, *others = encode(data, arrays)
        if files:  # they travel with the first byte
            socket.send_fds(self.socket, [first[:1]], list(files))
            first = first[1:]
        self.socket.sendall(first)
        for part in others:
            self.socket.sendall(part)

    def receive(self) -> tuple[Message, list[int]]:
        """The next message and the files that came with it. Raises EOFError when the other end is closed."""
        files: list[int] = []
        while (message := self._inbox.take()) is None:
            try:
                chunk, new, _, _ = socket.recv_fds(self.socket, 2**20, 4)
            except ConnectionResetError as error:
                raise EOFError from error
            files += new
            if not chunk:
                raise EOFError
            self._inbox.add(chunk)
        return message, files

    def close(self) -> None:
        """Let the other end know that nothing follows."""
        self.socket.close()
