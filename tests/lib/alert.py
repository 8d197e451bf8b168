"""
alert.py - does a client hear the alert that refuses it?

In TLS 1.3 the server judges the certificate when the client has finished its handshake
and may already speak. A server that refuses closes with what it has not read; from
OpenSSL 3.5 on (Debian 13) that is enough for its kernel to reset the connection, so a
client that sends first finds it reset. The alert came before, and can be read.
"""


def sendall(sock, data):
    """sock.sendall(); of a connection that was reset meanwhile the alert is raised."""
    try:
        sock.sendall(data)
    except ConnectionError:
        sock.recv(1)
        raise
