"""A client of a region in Python: a socket, and what packages/protocol/WEBSOCKET.md says. Usage: client.py HOST PORT < requests"""
import base64, json, os, socket, struct, sys

HEAD = ("GET /ws HTTP/1.1\r\nHost: {}:{}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: {}\r\nSec-WebSocket-Protocol: meridian.v1+json\r\n\r\n")

class Region:
    def __init__(self, host, port):
        self.stream = socket.create_connection((host, port)).makefile("rwb")
        key = base64.b64encode(os.urandom(16)).decode()
        self.stream.write(HEAD.format(host, port, key).encode())
        self.stream.flush()
        lines = list(iter(self.stream.readline, b"\r\n"))
        assert b" 101 " in lines[0], lines[0]

    def send(self, payload, opcode=1):
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else struct.pack("!BH", 0xFE, size) if size < 65536 else struct.pack("!BQ", 0xFF, size)
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        self.stream.write(bytes([0x80 | opcode]) + length + mask + masked)
        self.stream.flush()

    def receive(self):
        while True:
            opcode, size = self.stream.read(2)
            if size == 126: size, = struct.unpack("!H", self.stream.read(2))
            elif size == 127: size, = struct.unpack("!Q", self.stream.read(8))
            payload = self.stream.read(size)
            if opcode == 0x81: return json.loads(payload)
            if opcode == 0x88: raise EOFError(payload[2:].decode())
            if opcode == 0x89: self.send(payload, opcode=10)

region = Region(sys.argv[1], int(sys.argv[2]))
for number, line in enumerate(sys.stdin, 1):
    region.send(json.dumps({"id": number, **json.loads(line)}).encode())
    print(json.dumps(region.receive()), flush=True)
while any(arg == "--follow" for arg in sys.argv): print(json.dumps(region.receive()), flush=True)
