"""A network of its own for a test, to be broken at will: two hosts, in network namespaces, joined by two links.

    client ──── lan: a pair of virtual Ethernet devices (veth) ──── server
           ──── wan: a wire that loses, delays, doubles (wire.py) ──

The server's address is its own, on neither link, so that it is reached by whichever the client's routes choose: at
first the lan.  The lan is what breaks as the kernel breaks links, with carrier, neighbours and routes; the wan is what
`tc netem` would be, without a kernel that has it.

A namespace is that of a process which ends with its standard input, and named nowhere.  So when the process that made
the lab ends, however it ends, all of this is gone.  Nothing touches the machine's own network.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.faults import wire
from tests.faults.wire import Impairment
from tests.needs import needs, needs_program, needs_root

SERVER = "203.0.113.1"
SERVER_IPV6 = "2001:db8:f::1"
SERVER_NAME = "heartbeat.test"
"""The name that the client's host knows for `SERVER`, unless its resolution fails."""
LAN, WAN = "lan", "wan"
NETWORKS = {LAN: ("192.0.2", "2001:db8:1:"), WAN: ("198.51.100", "2001:db8:2:")}
"""The first parts of the addresses on each link; the server's host has number 1."""
FIRST_HOST, LAST_HOST = 2, 254


def needs_network() -> None:
    """Skip the running test, as `needs`, where a `Lab` cannot be made."""
    needs_root()
    needs_program("ip", "iproute2")
    needs_program("nft", "nftables")
    needs_program("nsenter", "util-linux")
    needs(Path("/dev/net/tun").exists(), "/dev/net/tun", "modprobe tun, or give the container the device")


class Direction(StrEnum):
    """What is lost in an outage."""

    BOTH = "both"
    REQUESTS = "requests"
    """What the client sends."""
    ANSWERS = "answers"
    """What the server sends."""


class Host:
    """A namespace, and how to run something in it."""

    def __init__(self) -> None:
        # Reverse path filtering would drop what comes by another link than its answers go.
        setting_up = "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done; ip link set lo up"
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "sh", "-ec", f"{setting_up}; echo ready; exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"ready\n"
        self.pid = self._holder.pid

    def command(self, *command: str) -> list[str]:
        """The command that runs `command` in here; its process is the command's own."""
        return ["nsenter", f"--target={self.pid}", "--net", "--mount", *command]

    def run(self, *command: str, given: str = "") -> str:
        """Run a command in here, with `given` as its input, and return its output; fails if it fails."""
        done = subprocess.run(self.command(*command), input=given, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}\n{given}"
        return done.stdout

    def ip(self, *lines: str) -> None:
        """Run `ip` with each of the lines."""
        self.run("ip", "-batch", "-", given="\n".join(lines))

    def close(self) -> None:
        self._holder.communicate()


class Lab:
    """Two hosts, two links, and what can go wrong with them.

    Each fault is a context manager: it is in force when entered, and mended when left.  Faults may be combined, unless
    they are about the same thing.
    """

    def __init__(self, directory: Path, seed: int = 0) -> None:
        self._stack = ExitStack()
        self._hosts_file = directory / "hosts"
        self._resolver_file = directory / "resolv.conf"
        self._host_number = FIRST_HOST
        self.seed = seed

    def __enter__(self) -> Self:
        with self._stack:  # what was made is gone if the rest cannot be
            self.client, self.server = Host(), Host()
            self._stack.callback(self.client.close)
            self._stack.callback(self.server.close)
            self._relay = subprocess.Popen(
                self.client.command(sys.executable, wire.__file__, WAN, "far", str(self.seed)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            self._stack.callback(self._relay.communicate)
            assert self._relay.stdout is not None
            assert self._relay.stdout.readline() == "ready\n"
            self.client.ip(
                f"link add {LAN} type veth peer name {LAN} netns {self.server.pid}",
                f"link set far netns {self.server.pid}",
            )
            self.server.ip(
                f"link set far name {WAN}",
                f"address add {SERVER}/32 dev lo",
                f"address add {SERVER_IPV6}/128 dev lo nodad",
                *(line for link in NETWORKS for line in _addressed(link, 1)),
            )
            self.client.ip(*(line for link in NETWORKS for line in _addressed(link, FIRST_HOST)), *_routes(LAN))
            self.server.run("nft", "-f", "-", given=_CHAINS)
            self.client.run("nft", "-f", "-", given=_CHAINS)
            self._name_is_known(True)
            for file in (self._hosts_file, self._resolver_file):
                self.client.run("mount", "--bind", str(file), f"/etc/{file.name}")
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def processes(self) -> tuple[int, ...]:
        """The processes that it is made of."""
        return self.client.pid, self.server.pid, self._relay.pid

    # Packets lost on the way ------------------------------------------------------------------------------------------

    @contextmanager
    def outage(self, direction: Direction = Direction.BOTH, *, udp_only: bool = False) -> Iterator[None]:
        """Packets are lost, each where it arrives: whoever sent it hears of nothing."""
        what = "meta l4proto udp drop" if udp_only else "drop"
        with ExitStack() as stack:
            if direction is not Direction.ANSWERS:
                stack.enter_context(_rule(self.server, "arriving", what))
            if direction is not Direction.REQUESTS:
                stack.enter_context(_rule(self.client, "arriving", what))
            yield

    @contextmanager
    def firewall(self) -> Iterator[None]:
        """The client's own host lets nothing out; who sends is told (EPERM)."""
        with _rule(self.client, "leaving", "drop"):
            yield

    @contextmanager
    def impaired(self, impairment: Impairment) -> Iterator[None]:
        """The way leads over a wire as bad as told."""
        with self.rerouted():
            self.impair(impairment)
            try:
                yield
            finally:
                self.impair(Impairment())

    def impair(self, impairment: Impairment) -> tuple[int, int]:
        """Make the wan so; returns how many packets it has passed and lost so far."""
        assert self._relay.stdin is not None
        assert self._relay.stdout is not None
        self._relay.stdin.write(json.dumps(asdict(impairment)) + "\n")
        self._relay.stdin.flush()
        passed, lost = json.loads(self._relay.stdout.readline())
        return passed, lost

    @contextmanager
    def small_packets_only(self, size: int) -> Iterator[None]:
        """Packets of more than `size` bytes vanish on the way, without a word: a black hole of path MTU discovery."""
        what = f"meta length > {size} drop"
        with _rule(self.server, "arriving", what), _rule(self.client, "arriving", what):
            yield

    # The client's own network -----------------------------------------------------------------------------------------

    @contextmanager
    def link_down(self) -> Iterator[None]:
        """The client's end of the lan is switched off; its routes go with it."""
        self.client.ip(f"link set {LAN} down")
        try:
            yield
        finally:
            self.client.ip(*_addressed(LAN, self._host_number), *_routes(LAN))

    @contextmanager
    def carrier_lost(self) -> Iterator[None]:
        """The other end of the lan is switched off: the client's loses its carrier, and keeps its routes."""
        self.server.ip(f"link set {LAN} down")
        try:
            yield
        finally:
            self.server.ip(*_addressed(LAN, 1))

    @contextmanager
    def route_removed(self) -> Iterator[None]:
        """There is no way to the server."""
        self.client.ip("route del 0.0.0.0/0", "route del ::/0")
        try:
            yield
        finally:
            self.client.ip(*_routes(LAN))

    @contextmanager
    def rerouted(self, *, lan_down: bool = False) -> Iterator[None]:
        """The way leads over the wan, as when a telephone leaves the Wi-Fi; `lan_down`: and the lan is gone."""
        with ExitStack() as stack:
            if lan_down:
                stack.enter_context(self.link_down())
            self.client.ip(*_routes(WAN))
            try:
                yield
            finally:
                if lan_down:
                    stack.close()
                else:
                    self.client.ip(*_routes(LAN))

    def change_address(self) -> None:
        """The client's addresses on the lan are taken away, and others given."""
        self._host_number = self._host_number + 1 if self._host_number < LAST_HOST else FIRST_HOST
        self.client.ip(f"address flush dev {LAN}", *_addressed(LAN, self._host_number), *_routes(LAN))

    @contextmanager
    def mtu(self, size: int) -> Iterator[None]:
        """The client's end of the lan takes packets of at most `size` bytes (below 1280 it has no IPv6)."""
        self.client.ip(f"link set {LAN} mtu {size}")
        try:
            yield
        finally:
            self.client.ip(f"link set {LAN} mtu 1500", *_addressed(LAN, self._host_number), *_routes(LAN))

    @contextmanager
    def name_unknown(self) -> Iterator[None]:
        """`SERVER_NAME` cannot be resolved: the host's table lacks it, and no name server answers."""
        self._name_is_known(False)
        try:
            yield
        finally:
            self._name_is_known(True)

    def _name_is_known(self, known: bool) -> None:
        self._hosts_file.write_text(f"127.0.0.1 localhost\n{SERVER} {SERVER_NAME}\n" if known else "")
        self._resolver_file.write_text("nameserver 192.0.2.53\noptions timeout:1 attempts:1\n")


_CHAINS = """
table inet lab {
    chain arriving { type filter hook input priority 0; iif "lo" accept; }
    chain leaving { type filter hook output priority 0; oif "lo" accept; }
}
"""


@contextmanager
def _rule(host: Host, chain: str, what: str) -> Iterator[None]:
    added = host.run("nft", "--echo", "--handle", "--json", "add", "rule", "inet", "lab", chain, what)
    handle = next(item["add"]["rule"]["handle"] for item in json.loads(added)["nftables"] if "add" in item)
    try:
        yield
    finally:
        host.run("nft", "delete", "rule", "inet", "lab", chain, "handle", str(handle))


def _addressed(link: str, host: int) -> Sequence[str]:
    """The lines for `ip` that bring a link up with its addresses, whatever it has of them."""
    ipv4, ipv6 = NETWORKS[link]
    return (
        f"link set {link} up",
        f"address replace {ipv4}.{host}/24 dev {link}",
        f"address replace {ipv6}:{host}/64 dev {link} nodad",
    )


def _routes(link: str) -> Sequence[str]:
    """The lines for `ip` that lead the client's way to the server over a link."""
    ipv4, ipv6 = NETWORKS[link]
    return (
        f"route replace 0.0.0.0/0 via {ipv4}.1 dev {link}",
        f"route replace ::/0 via {ipv6}:1 dev {link}",
    )
