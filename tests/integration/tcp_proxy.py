"""A TCP proxy on loopback before the hub or something it talks to, that can lose things at chosen moments."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

Chunk = Callable[[bytes], bool]


class Proxy:
    """Forwards bytes both ways. `on_client(chunk)` True: the rule below is applied to this connection.

    swallow   the chunk reaches the server, no answer comes back, then the client's side is closed
    delay     the client's side is closed at once, the chunk reaches the server `delay_s` later
    drop      the client's side is closed, the chunk never arrives
    """

    def __init__(self, port: int) -> None:
        self.target = port  # may change: what is open stays where it is
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.on_client: Chunk = lambda _chunk: False
        self.rule = "swallow"
        self.delay_s = 1.0
        self.hits = 0
        self.lag_s = 0.0
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def once(self, marker: bytes, rule: str) -> None:
        """Apply a rule to the next chunk of a client that holds these bytes, and to no other."""
        self.rule = rule

        def found(chunk: bytes) -> bool:
            if marker not in chunk:
                return False
            self.on_client = lambda _chunk: False
            self.hits += 1
            return True

        self.on_client = found

    def cut(self) -> None:
        """Close every connection that is open now; new ones may come."""
        for one in list(self._sockets):
            _shut(one)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:  # nobody there right now
                client.close()
                continue
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets += [client, server]
            threading.Thread(target=self._serve, args=(client, server), daemon=True).start()

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        mute = threading.Event()
        up = threading.Thread(target=self._up, args=(client, server, mute), daemon=True)
        up.start()
        self._down(server, client, mute)
        up.join()
        for one in (client, server):
            with suppress(ValueError):  # `close` was quicker
                self._sockets.remove(one)
            one.close()

    def _up(self, client: socket.socket, server: socket.socket, mute: threading.Event) -> None:
        with suppress(OSError):
            while chunk := client.recv(65536):
                time.sleep(self.lag_s)
                if not self.on_client(chunk):
                    server.sendall(chunk)
                    continue
                mute.set()
                if self.rule == "swallow":
                    server.sendall(chunk)
                    threading.Event().wait(0.3)  # the server has its time to commit
                    _shut(client)
                elif self.rule == "delay":
                    _shut(client)
                    threading.Event().wait(self.delay_s)
                    server.sendall(chunk)
                    threading.Event().wait(0.3)
                else:
                    _shut(client)
                break
        _shut(client)
        _shut(server)

    def _down(self, server: socket.socket, client: socket.socket, mute: threading.Event) -> None:
        with suppress(OSError):
            while chunk := server.recv(65536):
                if mute.is_set():
                    continue
                time.sleep(self.lag_s)
                client.sendall(chunk)
        if not mute.is_set():
            _shut(client)

    def close(self) -> None:
        """End everything."""
        _shut(self._listener)  # or whoever waits there would take one more
        self._listener.close()
        for one in list(self._sockets):
            _shut(one)
            one.close()


def _shut(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
