"""wire.py INTERFACE PORT...: prints what passes there of callbacks and of delegations going back.

A line "SECONDS CALL|REPLY NAME STATUS" each, where SECONDS are the machine's monotonic clock and STATUS is 0
for a call. TCP on these ports is put together, records are cut, and COMPOUNDs are read as far as needed.
"""

import socket
import struct
import sys
import time

PROGRAM, CB_PROC, COMPOUND = 100003, 1, 1
PATIENCE = 64  # segments that may wait for one before them
SEQUENCE, PUTFH, GETATTR, DELEGRETURN = 53, 22, 9, 8
CB_GETATTR, CB_RECALL, CB_SEQUENCE = 3, 4, 11


class Reader:
    """XDR from a record."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, length):
        part = self.data[self.at : self.at + length]
        if len(part) < length:
            raise EOFError
        self.at += length + -length % 4
        return part

    def number(self):
        return struct.unpack(">I", self.take(4))[0]

    def opaque(self):
        return self.take(self.number())


def callback(reader):
    """What a CB_COMPOUND asks for."""
    reader.opaque()
    reader.take(8)  # minor version and callback_ident
    for _ in range(reader.number()):
        operation = reader.number()
        if operation == CB_RECALL:
            return "CB_RECALL"
        if operation == CB_GETATTR:
            return "CB_GETATTR"
        if operation != CB_SEQUENCE:
            break
        reader.take(16 + 4 * 4)
        for _ in range(reader.number()):
            reader.take(16)
            reader.take(8 * reader.number())
    return None


def request(reader):
    """Whether a COMPOUND gives a delegation back."""
    reader.opaque()
    reader.take(4)  # minor version
    for _ in range(reader.number()):
        operation = reader.number()
        if operation == DELEGRETURN:
            return "DELEGRETURN"
        if operation == SEQUENCE:
            reader.take(16 + 4 * 4)
        elif operation == PUTFH:
            reader.opaque()
        elif operation == GETATTR:
            reader.take(4 * reader.number())
        else:
            break
    return None


class Flow:
    """One direction of a connection."""

    def __init__(self, back):
        self.back = back  # the calls that came the other way and wait for replies from here
        self.next, self.early, self.stream = None, {}, bytearray()

    def segment(self, sequence, data, first):
        # Where a stream is met in its middle, an empty packet may be a probe from before its end.
        if first or (data and self.next is None):
            self.next, self.early = sequence, {}
            self.stream.clear()
        if not data:
            return
        self.early[sequence] = max(data, self.early.get(sequence, b""), key=len)
        if len(self.early) > PATIENCE:
            # A packet was missed. Requests mostly begin with a packet.
            report("GAP", "-", len(self.early))
            self.stream.clear()
            self.next = sequence
        for start in sorted(self.early, key=self.ahead):
            ahead = self.ahead(start)
            if ahead > 0:
                break
            part = self.early.pop(start)[-ahead:]
            self.stream += part
            self.next = (self.next + len(part)) & 0xFFFFFFFF

    def ahead(self, sequence):
        """How many bytes are missing before it; negative, if some of it was there already."""
        return (sequence - self.next + (1 << 31)) % (1 << 32) - (1 << 31)

    def records(self):
        while len(self.stream) >= 4:
            mark = struct.unpack(">I", self.stream[:4])[0]
            end = 4 + (mark & 0x7FFFFFFF)
            if len(self.stream) < end:
                return
            record = bytes(self.stream[4:end])
            del self.stream[:end]
            yield record


def report(kind, name, status):
    print(f"{time.monotonic():.3f} {kind} {name} {status}", flush=True)


def record(data, calls, waiting):
    """calls: where a call is noted for its reply; waiting: the calls that this may answer."""
    reader = Reader(data)
    xid, reply = reader.number(), reader.number()
    if reply:
        name = waiting.pop(xid, None)
        if name:
            reader.take(8)  # accepted, and the verifier's flavor
            reader.opaque()
            refused = reader.number()
            report("REPLY", name, reader.number() if not refused else f"refused:{refused}")
        return
    _, program, _, procedure = (reader.number() for _ in range(4))
    if procedure != COMPOUND:
        return
    for _ in range(2):  # credential, verifier
        reader.take(4)
        reader.opaque()
    name = request(reader) if program == PROGRAM else callback(reader)
    if name:
        calls[xid] = name
        report("CALL", name, 0)


def main():
    interface, ports = sys.argv[1], {int(port) for port in sys.argv[2:]}
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0003))
    raw.bind((interface, 0x0003))
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    flows = {}
    print("listening", flush=True)
    while True:
        packet, (_, protocol, *_) = raw.recvfrom(1 << 16)
        if protocol != 0x0800 or packet[9] != socket.IPPROTO_TCP:
            continue
        start, total = (packet[0] & 15) * 4, struct.unpack(">H", packet[2:4])[0]
        source, target, sequence = struct.unpack(">HHI", packet[start : start + 8])
        if not {source, target} & ports:
            continue
        data = packet[start + (packet[start + 12] >> 4) * 4 : total]
        first = bool(packet[start + 13] & 2)
        here, there = (packet[12:16], source), (packet[16:20], target)
        if first:
            sequence = (sequence + 1) & 0xFFFFFFFF
        flow = flows.setdefault((here, there), Flow({}))
        other = flows.setdefault((there, here), Flow({}))
        flow.segment(sequence, data, first)
        for found in flow.records():
            try:
                record(found, flow.back, other.back)
            except EOFError:
                pass


main()
