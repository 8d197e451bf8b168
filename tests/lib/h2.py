"""
h2.py - one HTTP/2 connection that stays open, for tests: request after request.

    c = H2(tls_socket)              # ALPN has chosen h2
    c.get("/", "a.test")            # status; 0: not one of the static table (RFC 7541 A)

Just enough of RFC 9113 to ask and to read a status; nothing is checked.
"""

import struct

STATUS = {0x88: 200, 0x89: 204, 0x8a: 206, 0x8b: 304, 0x8c: 400, 0x8d: 404, 0x8e: 500}
DATA, HEADERS, SETTINGS, PING, GOAWAY, WINDOW = 0, 1, 4, 6, 7, 8


def frame(kind, flags, stream, body=b""):
    return struct.pack(">I", len(body))[1:] + bytes([kind, flags]) + \
        struct.pack(">I", stream) + body


class H2:
    def __init__(self, sock):
        self.sock, self.stream, self.buffer = sock, -1, b""
        # No dynamic table: a status stands for itself in every answer.
        sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" +
                     frame(SETTINGS, 0, 0, struct.pack(">HI", 1, 0)))

    def read(self, n):
        while len(self.buffer) < n:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError("closed")
            self.buffer += data
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def ask(self, path, host):
        """Sends a request; its stream."""
        self.stream += 2
        block = b"\x82\x87" + b"".join(
            bytes([name, len(value)]) + value.encode() for name, value in ((4, path), (1, host)))
        self.sock.sendall(frame(HEADERS, 0x5, self.stream, block))
        return self.stream

    def get(self, path="/", host="localhost"):
        stream, status = self.ask(path, host), None
        while True:
            head = self.read(9)
            size = int.from_bytes(head[:3], "big")
            kind, flags, about = head[3], head[4], int.from_bytes(head[5:9], "big")
            body = self.read(size)
            if kind == SETTINGS and not flags & 1:
                self.sock.sendall(frame(SETTINGS, 1, 0))
            elif kind == PING and not flags & 1:
                self.sock.sendall(frame(PING, 1, 0, body))
            elif kind == GOAWAY:
                raise EOFError("GOAWAY %d" % int.from_bytes(body[4:8], "big"))
            elif kind == DATA and size:
                self.sock.sendall(frame(WINDOW, 0, 0, struct.pack(">I", size)))
            elif kind == HEADERS and about == stream and status is None:
                while body[0] & 0xe0 == 0x20:       # a new size of the dynamic table
                    body = body[1:]
                if body[0] in STATUS:
                    status = STATUS[body[0]]
                elif body[0] & 0x3f == 8 or body[0] == 8:   # literal, name 8 is :status
                    status = int(body[2:5]) if body[1] == 3 else 0
                else:
                    status = 0
            if about == stream and kind in (DATA, HEADERS) and flags & 1:
                return status
