"""A network of its own for a test, to be broken at will: two hosts, in network namespaces, joined by two links.

    client ──── lan: a pair of virtual Ethernet devices (veth) ──── server
           ──── wan: a wire that loses, delays, doubles (wire.py) ──

The server's address is on neither link, so the client's routes decide which link is used: at first the lan.  The lan
breaks as the kernel breaks links, with carrier, neighbours and routes.  The wan does what `tc netem` does, on kernels
that lack it too.

A namespace belongs to a process that ends with its standard input, and has no name.  So all of this is gone when the
process that made the lab ends, however it ends.  Nothing touches the machine's own network.
"""

import atexit
import ctypes
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from tests.faults import wire
from tests.faults.wire import Impairment
from tests.needs import needs, needs_program, needs_root
from tests.server_process import ServerProcess

T = TypeVar("T")

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
    allowed = subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True).returncode == 0
    needs(allowed, "leave to make network namespaces", "use a virtual machine, or a privileged container")
    needs(Path("/dev/net/tun").exists(), "/dev/net/tun", "modprobe tun, or give the container the device")
    needs(Path("/proc/net/if_inet6").exists(), "IPv6", "boot without ipv6.disable")


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
            self._know(SERVER)
            self._resolver_file.write_text("nameserver 192.0.2.53\noptions timeout:1 attempts:1\n")
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
    def refusal(self) -> Iterator[None]:
        """Somebody on the way refuses all packets, and says so (ICMP, administratively prohibited)."""
        with _rule(self.server, "arriving", "reject with icmpx admin-prohibited"):
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
        self._know()
        try:
            yield
        finally:
            self._know(SERVER)

    @contextmanager
    def ipv6_broken(self) -> Iterator[None]:
        """`SERVER_NAME` has an IPv6 address too, which comes first, and nothing that is sent there arrives."""
        with _rule(self.server, "arriving", f"ip6 daddr {SERVER_IPV6} drop"):
            self._know(SERVER_IPV6, SERVER)
            try:
                yield
            finally:
                self._know(SERVER)

    def _know(self, *addresses: str) -> None:
        self._hosts_file.write_text("".join(f"{address} {SERVER_NAME}\n" for address in addresses))


class Site:
    """A lab with servers in it, for tests that use it one after the other."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._servers: dict[tuple[str, float], ServerProcess] = {}
        folder = self._stack.enter_context(tempfile.TemporaryDirectory())
        self.lab = self._stack.enter_context(Lab(Path(folder)))

    def server(self, address: str, next_beat: float) -> ServerProcess:
        """The server at an address, or name, that asks for a heartbeat every `next_beat` seconds."""
        address = SERVER if address == SERVER_NAME else address
        if (address, next_beat) not in self._servers:
            started = ServerProcess(
                "--host", address, "--name", SERVER_NAME, next_beat=next_beat, launcher=self.lab.server.command()
            )
            self._servers[address, next_beat] = self._stack.enter_context(started)
        return self._servers[address, next_beat]

    def close(self) -> None:
        """Take it away."""
        self._stack.close()


@cache
def site() -> Site:
    """This process's site, made when first asked for; skips the running test, as `needs`, where it cannot be."""
    needs_network()
    made = Site()
    atexit.register(made.close)
    return made


def within(host: int, make: Callable[..., T], *arguments: object) -> T:
    """Take this process, which must have no thread but one, to a host, and return what `make` makes there.

    `host` is `Host.pid`.
    """
    libc = ctypes.CDLL(None, use_errno=True)  # os.setns came with Python 3.12
    for kind in ("net", "mnt"):
        with open(f"/proc/{host}/ns/{kind}") as namespace:
            if libc.setns(namespace.fileno(), 0) != 0:
                raise OSError(ctypes.get_errno(), f"no way into {namespace.name}")
    return make(*arguments)


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
