"""proxy.py SERVER PORT CUTS: passes TCP connections on to the server, and loses replies.

It prints the port of the loopback that it listens on. Then, again and again, it takes a connection, swallows what the
server sends by it from the next byte on, and resets it 50 ms after that byte: requests have reached the server, and
their replies are lost. After CUTS of these it says how much was lost, and passes on everything.
"""

import random
import selectors
import socket
import struct
import sys
import time

SWALLOWED = 0.05  # seconds from the first byte that is lost to the reset
PATIENCE = 1.0  # seconds to wait for that byte before another connection is taken
PAUSE = 0.3  # seconds at most from a reset to the next connection
# Linux connects again at once if it last did so more than 3 s ago, else when they have passed.
SETTLED = 3.2
PIECE = 1 << 18


class Connection:
    """A connection of the client, and the one to the server that belongs to it."""

    def __init__(self, client, server):
        self.client, self.server = client, server
        self.since = time.monotonic()
        self.out = {client: bytearray(), server: bytearray()}  # what is still to be sent by each
        self.swallowing, self.lost, self.end = False, 0, None
        for end in self.out:
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def other(self, end):
        return self.server if end is self.client else self.client

    def receive(self, end):
        """False when that end is closed."""
        data = end.recv(PIECE)
        if self.swallowing and end is self.server:
            if data and not self.lost:
                self.end = time.monotonic() + SWALLOWED
            self.lost += len(data)
        else:
            self.out[self.other(end)] += data
            self.send(self.other(end))
        return bool(data)

    def send(self, end):
        try:
            del self.out[end][: end.send(self.out[end])]
        except BlockingIOError:
            pass

    def swallow(self, wanted):
        self.swallowing, self.end = wanted, time.monotonic() + PATIENCE


class Proxy:
    """All connections, of which one at a time loses replies."""

    def __init__(self, server, cuts):
        self.server, self.cuts = server, cuts
        self.selector = selectors.DefaultSelector()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.connections = []
        self.victim, self.next = None, time.monotonic()
        self.done, self.lost = 0, 0
        print(self.listener.getsockname()[1], flush=True)

    def accept(self):
        client, _ = self.listener.accept()
        try:
            server = socket.create_connection(self.server)
        except OSError as error:
            print("the server:", error, flush=True)
            client.close()
            return
        connection = Connection(client, server)
        self.connections.append(connection)
        for end in connection.out:
            self.selector.register(end, selectors.EVENT_READ, connection)

    def close(self, connection, reset):
        self.connections.remove(connection)
        if self.victim is connection:
            self.victim = None
        for end in connection.out:
            self.selector.unregister(end)
            if reset:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()

    def serve(self, end, connection, events):
        try:
            if events & selectors.EVENT_WRITE:
                connection.send(end)
            if events & selectors.EVENT_READ and not connection.receive(end):
                self.close(connection, reset=False)
                return
        except OSError:
            self.close(connection, reset=True)
            return
        for one, waiting in connection.out.items():
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if waiting else 0)
            if self.selector.get_key(one).events != wanted:
                self.selector.modify(one, wanted, connection)

    def cut(self, now):
        """Begins or ends the loss of replies; returns when it is to be called again."""
        victim = self.victim
        if self.done == self.cuts:
            return now + 1
        if victim is None:
            settled = [one for one in self.connections if now - one.since > SETTLED]
            if now >= self.next and settled:
                self.victim = random.choice(settled)
                self.victim.swallow(True)
            return max(self.next, now + 0.02)
        if now < victim.end:
            return victim.end
        if not victim.lost:
            victim.swallow(False)
            self.victim = None
            return now
        self.close(victim, reset=True)
        self.done, self.lost = self.done + 1, self.lost + victim.lost
        self.next = now + random.uniform(0, PAUSE)
        if self.done == self.cuts:
            print(f"{self.done} connections were reset, {self.lost} bytes were lost", flush=True)
        return self.next

    def run(self):
        while True:
            again = self.cut(time.monotonic())
            for key, events in self.selector.select(max(0, again - time.monotonic())):
                if key.fileobj is self.listener:
                    self.accept()
                elif key.data in self.connections:
                    self.serve(key.fileobj, key.data, events)


def main():
    server, port, cuts = sys.argv[1:]
    Proxy((server, int(port)), int(cuts)).run()


main()
