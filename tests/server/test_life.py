"""Starting and stopping: in a thread, in another's loop, in a process."""

import asyncio
import gc
import os
import re
import signal
import socket
import threading
import weakref
from collections.abc import Callable
from typing import Any

import psutil
import pytest
import requests

from agentcp_fsm.connection.hub import new_event_loop
from agentcp_fsm.errors import ConfigError, ServerError
from agentcp_fsm.server import HeartbeatServer, Limits, ServerThread, SignInFault, attend
from tests.server.client import A_HEARTBEAT, ALICE, INVITATION, PATIENCE, Client

# In a thread ----------------------------------------------------------------------------------------------------------


def test_it_starts_and_stops_again_and_again_and_leaves_nothing() -> None:
    def left() -> tuple[int, int]:
        return threading.active_count(), psutil.Process().num_fds()

    server = ServerThread()
    before = left()
    places = set()
    for _ in range(5):
        server.start()
        with Client(server) as client:
            client.sign_in()
            client.next_beat()
            places.add((server.url, server.udp_address))
        server.stop()
        server.stop()
    assert left() == before
    assert len(places) == 1, "it is found where it was"
    assert server.server.statistics().heartbeats == 5
    assert server.server.statistics().sessions == 0


def test_a_thread_that_does_not_run_says_so() -> None:
    server = ServerThread()
    for use in (server.statistics, server.restart, server.agents, lambda: server.url, lambda: server.command("help")):
        with pytest.raises(ServerError, match="start"):
            use()
    server.stop()
    with server:
        with pytest.raises(ServerError, match="stop"):
            server.start()
        assert server.statistics().calls == 0


def test_a_server_that_does_not_run_says_so() -> None:
    server = HeartbeatServer()
    for use in (lambda: server.url, lambda: server.udp_address, lambda: server.udp_port, server.move):
        with pytest.raises(ServerError, match="start"):
            use()


def test_faults_set_before_the_start_hold() -> None:
    server = ServerThread()
    server.server.set_faults(sign_in=SignInFault.REFUSED)
    with server, Client(server) as client:
        with pytest.raises(requests.ConnectionError):
            client.challenge("request")
        server.clear_faults()
        client.sign_in()


def test_a_moved_server_is_found_where_it_moved_to() -> None:
    server = ServerThread()
    with server:
        moved = server.move()
    with server:
        assert server.udp_address == moved


def test_it_can_be_started_while_it_stops() -> None:
    server = ServerThread()
    server.start()
    for _ in range(20):
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        while True:
            try:
                server.start()
            except ServerError as error:
                assert "thread" in str(error), "it is not yet told to stop"  # noqa: PT017
            else:
                break
        stopping.join()
    server.stop()


def test_stopping_ends_the_waits() -> None:
    with ServerThread() as server, Client(server) as client:
        client.sign_in()
        client.next_beat()
        told: list[Exception] = []

        def wait() -> None:
            try:
                server.invite(ALICE, INVITATION, timeout=3600)
            except ServerError as error:
                told.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        client.receive()
        server.stop()
        waiting.join(PATIENCE)
        assert "stopped" in str(told[0])


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_port_in_use_is_told(kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            taken.listen()
        port = taken.getsockname()[1]
        ports = {"http_port" if kind is socket.SOCK_STREAM else "udp_port": port}
        server = ServerThread(**ports)
        with pytest.raises(ServerError, match=f"127.0.0.1 port {port}"):
            server.start()
    server.start()
    server.stop()


def test_two_servers_do_not_share_a_port(server: ServerThread) -> None:
    _, udp_port = server.udp_address
    http_port = int(server.url.rpartition(":")[2])
    for ports in ({"udp_port": udp_port}, {"http_port": http_port}):
        with pytest.raises(ServerError, match="in use"):
            ServerThread(**ports).start()


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere..invalid", "null\0"])
def test_a_host_that_is_none_of_this_machine_is_told(host: str) -> None:
    with pytest.raises(ServerError, match=re.escape(host) if host.isprintable() else "null"):
        ServerThread(host).start()


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"http_port": -1}, "http_port"),
        ({"udp_port": 65536}, "udp_port"),
        ({"next_beat": 0.0}, "next_beat"),
        ({"next_beat": float("nan")}, "next_beat"),
        ({"next_beat": 1e9}, "next_beat"),
        ({"next_beat": 0.401}, "401"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], names: str) -> None:
    with pytest.raises(ConfigError, match=names):
        HeartbeatServer(**options)


@pytest.mark.parametrize(
    "limits", [{"agents": 0}, {"nonces": 0}, {"request_size": 0}, {"delayed_datagrams": 0}, {"nonce_lifetime": 0.0}]
)
def test_bad_limits_are_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(limits))):
        Limits(**limits)


# In another's loop ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, new_event_loop])
def test_any_event_loop_will_do(make_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def live() -> None:
        loop = asyncio.get_running_loop()
        async with HeartbeatServer() as server:
            host, _, port = server.url.removeprefix("http://").rpartition(":")
            for _ in range(3):
                reader, writer = await asyncio.open_connection(host, int(port))
                writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert (await reader.readline()).startswith(b"HTTP/1.1 404")
                server.set_faults(sign_in=SignInFault.REFUSED)
                async with asyncio.timeout(PATIENCE):
                    await reader.read()  # until it is dropped
                writer.close()
                with pytest.raises(ConnectionRefusedError):
                    await asyncio.open_connection(host, int(port))
                server.set_faults(sign_in=SignInFault.NONE)
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            with udp:
                udp.setblocking(False)
                udp.connect(server.udp_address)
                udp.send(A_HEARTBEAT)
                async with asyncio.timeout(PATIENCE):
                    assert (await loop.sock_recv(udp, 100)).hex() == "0001010200080000000000000191"

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(live())


@pytest.mark.parametrize("how", ["refused", "stopped"])
def test_a_connection_is_dropped_that_arrives_while_the_port_is_closed(how: str) -> None:
    async def live() -> bytes:
        async with HeartbeatServer() as server:
            host, _, port = server.url.removeprefix("http://").rpartition(":")
            with socket.create_connection((host, int(port)), PATIENCE) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                await asyncio.sleep(0)
                await asyncio.sleep(0)  # it is accepted, but has no transport yet
                if how == "refused":
                    server.set_faults(sign_in=SignInFault.REFUSED)
                else:
                    await server.stop()
                    assert asyncio.all_tasks() == {asyncio.current_task()}
                try:
                    return await asyncio.to_thread(connection.recv, 100)
                except ConnectionResetError:
                    return b""

    assert asyncio.run(live()) == b""


def test_a_delayed_datagram_holds_no_stopped_server() -> None:
    async def serve() -> weakref.ref[object]:
        async with HeartbeatServer() as server:
            server.set_faults(delay=3600.0)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                udp.sendto(A_HEARTBEAT, server.udp_address)
                for _ in range(1000):  # not in a thread, which would hold the server a moment longer than this
                    if server.statistics().unauthorized:
                        break
                    await asyncio.sleep(PATIENCE / 1000)
            assert server.statistics().unauthorized == 1
        return weakref.ref(server._heartbeats)

    async def live() -> None:
        held = await serve()
        gc.collect()
        assert held() is None

    asyncio.run(live())


# With a console -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_console_and_is_pythons_again(number: signal.Signals) -> None:
    async def live() -> None:
        async with HeartbeatServer() as server:
            asyncio.get_running_loop().call_later(0.01, os.kill, os.getpid(), number)
            await asyncio.wait_for(attend(server, print, keep_running=True), PATIENCE)
            assert signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler)

    asyncio.run(live())


def test_a_console_can_be_cancelled() -> None:
    async def live() -> None:
        async with HeartbeatServer() as server:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(attend(server, print, keep_running=True), 0.05)

    asyncio.run(live())
