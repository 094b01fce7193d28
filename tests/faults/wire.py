"""A wire made of a process: passes the packets of two TUN devices to each other, as badly as it is told to.

It does what `tc netem` does, which not every kernel has, and does the same everywhere for the same seed.  It makes two
devices, named on its command line, in its own network namespace; its parent may move them.  Then it takes one line of
JSON at a time, the fields of an `Impairment`, and answers each with the packets passed and lost so far.  It ends with
its standard input.
"""

import fcntl
import heapq
import json
import os
import selectors
import struct
import sys
import time
from dataclasses import dataclass
from itertools import count
from random import Random

TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
PACKET = 65536
"""Bytes; no packet is larger."""
WAITING = 1000
"""Packets that may be under way; more are lost, as in a router's queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Impairment:
    """What is wrong with a wire, in each of its directions; the default is nothing.  Shares are from 0 to 1."""

    loss: float = 0.0
    """The share of packets that is lost."""
    delay: float = 0.0
    """Seconds that a packet is under way."""
    jitter: float = 0.0
    """Seconds by which that varies, evenly, either way."""
    duplication: float = 0.0
    """The share of packets that arrives twice."""
    reordering: float = 0.0
    """The share of packets that is not delayed, and so overtakes those that are."""


class Wire:
    """Packets under way from one device to the other; decides about each, and does no input or output."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._order = count()
        self._under_way: list[tuple[float, int, bytes]] = []
        self.passed = 0
        self.lost = 0

    def put(self, packet: bytes, impairment: Impairment, now: float) -> None:
        """A packet enters at the time `now`."""
        if self._random.random() < impairment.loss:
            self.lost += 1
            return
        for _ in range(2 if self._random.random() < impairment.duplication else 1):
            if len(self._under_way) >= WAITING:
                self.lost += 1
                return
            delay = impairment.delay + impairment.jitter * self._random.uniform(-1, 1)
            if self._random.random() < impairment.reordering:
                delay = 0.0
            heapq.heappush(self._under_way, (now + max(delay, 0.0), next(self._order), packet))

    @property
    def due(self) -> float:
        """When the next packet arrives; infinite for none."""
        return self._under_way[0][0] if self._under_way else float("inf")

    def take(self, now: float) -> list[bytes]:
        """Return the packets that have arrived by `now`, in the order of arrival."""
        arrived = []
        while self.due <= now:
            arrived.append(heapq.heappop(self._under_way)[2])
        self.passed += len(arrived)
        return arrived


def _open_device(name: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return device


def _write(device: int, packet: bytes) -> bool:
    try:
        os.write(device, packet)
    except OSError:  # the device is down, or its queue full: a packet lost
        return False
    return True


def main(near_name: str, far_name: str, seed: str) -> None:
    """Relay until the standard input ends."""
    near, far = _open_device(near_name), _open_device(far_name)
    wires = {near: (far, Wire(int(seed))), far: (near, Wire(int(seed) + 1))}
    impairment = Impairment()
    selector = selectors.DefaultSelector()
    for file in (0, near, far):
        selector.register(file, selectors.EVENT_READ)
    print("ready", flush=True)
    while True:
        due = min(wire.due for _, wire in wires.values())
        timeout = None if due == float("inf") else max(due - time.monotonic(), 0.0)
        for key, _ in selector.select(timeout):
            if key.fd != 0:
                try:
                    packet = os.read(key.fd, PACKET)
                except OSError:  # the device is down
                    continue
                wires[key.fd][1].put(packet, impairment, time.monotonic())
            elif line := os.read(0, PACKET):
                impairment = Impairment(**json.loads(line))
                counted = [(wire.passed, wire.lost) for _, wire in wires.values()]
                print(json.dumps([sum(numbers) for numbers in zip(*counted, strict=True)]), flush=True)
            else:
                return
        for destination, wire in wires.values():
            for packet in wire.take(time.monotonic()):
                if not _write(destination, packet):
                    wire.passed -= 1
                    wire.lost += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
