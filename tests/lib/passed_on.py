"""
passed_on.py - an application behind a server that only listens: what does the server
pass on?

    b = Backend()
    ...         # a request that ends with the words "the-end", to 127.0.0.1:b.port
    b.all()     # the bytes that came, of whatever protocol
"""

import socket
import threading


class Backend:
    """Takes what comes, and answers with nothing: what did the server pass on?"""

    def __init__(self):
        self.got = b""
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(1)
        self.listener.settimeout(60)
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        s = self.listener.accept()[0]
        s.settimeout(60)
        # the server waits for an answer now: the words are the last of what it says
        while b"the-end" not in self.got:
            data = s.recv(65536)
            if not data:
                break
            self.got += data
        s.close()

    def all(self):
        self.thread.join(60)
        self.listener.close()
        return self.got
