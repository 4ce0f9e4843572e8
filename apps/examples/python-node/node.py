#!/usr/bin/env python3
"""A Meridian node in Python, from PROTOCOL.md's "The smallest node" alone: standard library, data in memory.

    python3 node.py <host> <port> <node id>

Reads commands from standard input, a line each: `set <key> <text>`, `delete <key>`, `get <key>`, `quit`.
Prints what happens, a line each: `ready`, `stored <key>`, `acknowledged <position>`, `value <key> <text>`, `none <key>`, `down`.
"""
import base64
import json
import os
import random
import select
import socket
import struct
import sys
import time

HEADER = struct.Struct("<BBHIddddddd")  # kind, flags, extension bytes, count, seven doubles
ENTRY = struct.Struct("<dddIHBB")  # time, origin, expiry, bytes of value, key and content type, flags
EPOCH_MS = 1704067200000
DELETED, ATTRIBUTES = 1, 2


def now_ms():
    return int(time.time() * 1000)


def say(*words):
    print(*words, flush=True)


class WebSocket:
    """The client's half of RFC 6455, as far as it is needed: whole messages, close, ping."""

    def __init__(self, host, port, path):
        self.socket = socket.create_connection((host, port), timeout=5)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self._receive()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise ConnectionError(head.split(b"\r\n")[0].decode())
        self.parts, self.opcode = [], 0

    def fileno(self):
        return self.socket.fileno()

    def _receive(self):
        chunk = self.socket.recv(1 << 20)
        if not chunk:
            raise ConnectionError("the directory has closed the connection")
        self.buffer += chunk

    def send(self, payload):
        opcode = 1 if isinstance(payload, str) else 2
        self._send(opcode, payload.encode() if opcode == 1 else payload)

    def _send(self, opcode, data):
        length = len(data)
        if length < 126:
            head = struct.pack("!BB", 0x80 | opcode, 0x80 | length)
        elif length < 1 << 16:
            head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, length)
        else:
            head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, length)
        mask = os.urandom(4)
        stream = (mask * (length // 4 + 1))[:length]
        masked = (int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")).to_bytes(length, "big")
        self.socket.sendall(head + mask + masked)

    def close(self, code):
        try:
            self._send(8, struct.pack("!H", code))
        finally:
            self.socket.close()

    def messages(self):
        """What has arrived, whole messages only: str or bytes."""
        self._receive()
        while True:
            frame = self._frame()
            if frame is None:
                return
            final, opcode, data = frame
            if opcode == 8:
                raise ConnectionError(f"closed with {struct.unpack('!H', data[:2])[0] if data else 'no code'}")
            if opcode == 9:
                self._send(10, data)
            elif opcode in (0, 1, 2):
                self.opcode = opcode or self.opcode
                self.parts.append(data)
                if final:
                    message, self.parts = b"".join(self.parts), []
                    yield message.decode() if self.opcode == 1 else message

    def _frame(self):
        if len(self.buffer) < 2:
            return None
        first, second = self.buffer[0], self.buffer[1]
        length, start = second & 127, 2
        if length == 126:
            start = 4
        elif length == 127:
            start = 10
        if len(self.buffer) < start:
            return None
        if start > 2:
            length = int.from_bytes(self.buffer[2:start], "big")
        if len(self.buffer) < start + length:
            return None
        data, self.buffer = self.buffer[start : start + length], self.buffer[start + length :]
        return first & 128, first & 15, data


class Node:
    def __init__(self, node_id):
        self.node_id = node_id
        self.incarnation = random.randrange(1, 2**48 - 1)
        self.origin = random.randrange(1, 2**48 - 1)
        self.entries = {}  # key → (stamp, expires at, deleted, content type, value, attributes)
        self.outbox = {}  # position → (frame's entries as bytes, highest time)
        self.position = self.acknowledged = self.applied = self.last = 0
        self.whole = self.whole_from = 0  # the last place without gaps, and where the gaps of compacted frames end
        self.link = None

    # --- Links -----------------------------------------------------------------------------------

    def connect(self, host, port):
        self.link = WebSocket(host, port, "/replicate")
        self.welcome, self.is_ready, self.reconciling = None, False, False
        self.beat_at, self.heard_at = float("inf"), time.monotonic()
        self.tell(
            "hello",
            versions=[1, 1],
            features=[],
            cluster="meridian",
            nodeId=self.node_id,
            region=self.node_id,
            incarnation=self.incarnation,
            ip=None,
            port=1,
            url=None,
            lat=0,
            lon=0,
            status="joining",
            cursors=[],
            home=None,
            outboxThrough=self.position,
            outboxAcknowledged=self.acknowledged,
            admittedTime=0,
            horizon=0,
        )

    def tell(self, kind, **members):
        self.link.send(json.dumps({"type": kind, "nowMs": now_ms(), **members}))

    def heartbeat(self):
        ready = self.applied >= self.welcome["head"] and not self.reconciling
        if ready and not self.is_ready:
            say("ready")
        self.is_ready = self.is_ready or ready
        self.tell(
            "heartbeat",
            status="ready" if self.is_ready else "syncing",
            appliedThrough=0 if self.reconciling else self.whole,
            outboxPending=len(self.outbox),
            lowestTime=self.lowest_time(),
            lagMs=0,
            load={"entries": len(self.entries), "bytes": 0, "requestsPerSecond": 0},
        )
        self.beat_at = time.monotonic() + self.welcome["heartbeatMs"] / 1000

    def lowest_time(self):
        if self.outbox:
            return min(stamp_of(block) for block, _ in self.outbox.values())
        self.last = max(self.last, (now_ms() - self.welcome["horizonMs"] - EPOCH_MS) * 4096)
        return self.last + 1

    # --- What the directory says -----------------------------------------------------------------

    def hear(self, message):
        self.heard_at = time.monotonic()
        if isinstance(message, bytes):
            return self.take(message)
        told = json.loads(message)
        handle = getattr(self, "on_" + told["type"].replace("-", "_"), None)
        if handle is not None:
            handle(told)

    def on_welcome(self, told):
        self.welcome = told
        if told["resume"] == "feed":
            self.reach(told["resumeAfter"])
        else:
            self.reconciling = True
            self.tell("reconcile")
        self.acknowledge(told["outboxThrough"])
        for position in sorted(self.outbox):
            self.send(position)
        self.heartbeat()

    def on_reconcile_begin(self, told):
        self.reach(told["head"])
        keys = sorted(self.entries, key=str.encode)
        stamps = [[key, *self.entries[key][0]] for key in keys]
        self.tell("offer", id=1, **{"from": None}, to=None, entries=stamps)

    def on_wanted(self, told):
        self.owed = self.position
        for key in told["keys"]:
            self.append(key)
            self.owed = self.position
        self.end_reconciling()

    def end_reconciling(self):
        if self.reconciling and hasattr(self, "owed") and self.acknowledged >= self.owed:
            self.reconciling = False
            del self.owed
            self.tell("reconciled")
            self.heartbeat()

    def on_acknowledge(self, told):
        self.acknowledge(told["outboxThrough"])
        say("acknowledged", self.acknowledged)
        self.end_reconciling()

    def on_refuse(self, told):
        """Our clock is ahead: stamp what is refused anew, with the directory's time."""
        self.last = max(0, int(told["nowMs"]) - EPOCH_MS) * 4096
        for position in sorted(self.outbox):
            if position >= told["position"]:
                self.last += 1
                block, _ = self.outbox[position]
                self.outbox[position] = (struct.pack("<d", self.last) + block[8:], self.last)
                key = block[ENTRY.size : ENTRY.size + ENTRY.unpack_from(block)[4]].decode()
                self.entries[key] = ((self.last, self.origin), *self.entries[key][1:])
                self.send(position)

    def acknowledge(self, through):
        self.acknowledged = max(self.acknowledged, through)
        self.outbox = {at: frame for at, frame in self.outbox.items() if at > self.acknowledged}

    # --- Frames ----------------------------------------------------------------------------------

    def take(self, data):
        kind, flags, extension, count, after, through, _, highest, _, incarnation, position = HEADER.unpack_from(data)
        if kind == 1 and through <= self.applied:
            return
        if kind == 1 and after > self.applied:
            raise ConnectionError("a message is missing")
        at = HEADER.size + extension
        for _ in range(count):
            at = self.merge(data, at)
        self.last = max(self.last, int(highest))
        if kind == 1:
            if through > after + count and incarnation == 0:
                self.whole_from = max(self.whole_from, int(position))
            self.reach(int(through))
            if flags & 1 and self.whole == self.applied:
                self.tell("applied", through=self.applied)

    def reach(self, sequence):
        self.applied = sequence
        if sequence >= self.whole_from:
            self.whole = sequence

    def merge(self, data, at):
        stamp_time, origin, expires, value_bytes, key_bytes, type_bytes, flags = ENTRY.unpack_from(data, at)
        at += ENTRY.size
        fields = []
        for length in (key_bytes, type_bytes, value_bytes):
            fields.append(data[at : at + length])
            at += length
        attributes = b""
        if flags & ATTRIBUTES:
            (length,) = struct.unpack_from("<H", data, at)
            attributes, at = data[at + 2 : at + 2 + length], at + 2 + length
        key, content_type, value = fields[0].decode(), fields[1].decode(), fields[2]
        self.store(key, ((int(stamp_time), int(origin)), expires, flags & DELETED, content_type, value, attributes))
        return at

    def store(self, key, entry):
        held = self.entries.get(key)
        if held is None or entry[0] > held[0]:
            self.entries[key] = entry
            say("stored", key)

    def write(self, key, value, deleted=0):
        self.last = max(self.last + 1, max(0, now_ms() - EPOCH_MS) * 4096)
        content_type = "" if deleted else "text/plain"
        self.store(key, ((self.last, self.origin), 0, deleted, content_type, value, b""))
        self.append(key)

    def append(self, key):
        (stamp_time, origin), expires, deleted, content_type, value, attributes = self.entries[key]
        flags = deleted | (ATTRIBUTES if attributes else 0)
        sizes = (len(value), len(key.encode()), len(content_type.encode()))
        block = ENTRY.pack(stamp_time, origin, expires, *sizes, flags) + key.encode() + content_type.encode() + value
        if attributes:
            block += struct.pack("<H", len(attributes)) + attributes
        self.position += 1
        self.outbox[self.position] = (block, stamp_time)
        if self.link is not None and self.welcome is not None:
            self.send(self.position)

    def send(self, position):
        block, highest = self.outbox[position]
        self.link.send(
            HEADER.pack(1, 0, 0, 1, 0, 0, 0, highest, now_ms(), self.incarnation, position) + block
        )

    def get(self, key):
        held = self.entries.get(key)
        if held is None or held[2] or (held[1] and now_ms() >= held[1]):
            say("none", key)
        else:
            say("value", key, held[4].decode())


def stamp_of(block):
    return int(ENTRY.unpack_from(block)[0])


def obey(node, line):
    command, *rest = line.split(" ", 2)
    if command == "set":
        node.write(rest[0], rest[1].encode())
    elif command == "delete":
        node.write(rest[0], b"", DELETED)
    elif command == "get":
        node.get(rest[0])


def main(host, port, node_id):
    node, wait, commands = Node(node_id), 0.1, b""
    dial_at = 0
    while True:
        if node.link is None and time.monotonic() >= dial_at:
            try:
                node.connect(host, port)
            except OSError:
                node.link, dial_at, wait = None, time.monotonic() + wait, min(wait * 2, 5)
        watched = [sys.stdin.buffer] + ([node.link] if node.link is not None else [])
        readable, _, _ = select.select(watched, [], [], 0.05)
        if sys.stdin.buffer in readable:
            chunk = os.read(sys.stdin.fileno(), 1 << 16)
            commands += chunk
            *lines, commands = commands.split(b"\n")
            if not chunk or b"quit" in lines:
                if node.link is not None:
                    node.tell("goodbye")
                    node.link.close(1000)
                return
            for line in lines:
                obey(node, line.decode())
        if node.link is None:
            continue
        try:
            if node.link in readable:
                for message in node.link.messages():
                    node.hear(message)
            if time.monotonic() >= node.beat_at:
                node.heartbeat()
                wait = 0.1
            lease = node.welcome["leaseMs"] / 1000 if node.welcome is not None else 5
            if time.monotonic() - node.heard_at > lease:
                raise ConnectionError("nothing came for the lease")
        except OSError as failure:
            say("down", failure)
            node.link.socket.close()
            node.link, node.welcome, dial_at = None, None, time.monotonic() + wait


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
