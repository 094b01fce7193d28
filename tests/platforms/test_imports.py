"""Nothing of the package needs POSIX to be imported.

Textual is the exception: by `sys.platform`, it imports what this system has.
"""

import json

from tests.needs import needs_linux
from tests.platforms.programs import ALL, output_of, without

needs_linux("what other systems lack is taken away from this one")

EVERYTHING = """
import importlib, json, pkgutil
import agentcp_fsm
names = [each.name for each in pkgutil.walk_packages(agentcp_fsm.__path__, "agentcp_fsm.")]
names.remove("agentcp_fsm.operations.top")
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
print(json.dumps(names))
"""


def test_every_module_is_imported_where_all_of_it_is_absent() -> None:
    imported = json.loads(output_of(without(ALL, EVERYTHING)))
    assert {"agentcp_fsm.connection.driver", "agentcp_fsm.cli.connect", "agentcp_fsm.sdk"} <= set(imported)


def test_what_is_absent_is_really_absent() -> None:
    """Else the other tests here would show nothing."""
    output_of(
        without(
            ALL,
            """
import asyncio, os, select, selectors, signal, socket, time
assert not [name for name in ("fork", "register_at_fork", "geteuid") if hasattr(os, name)]
assert not [name for name in ("poll", "epoll") if hasattr(select, name)]
assert not hasattr(socket, "MSG_DONTWAIT") and not hasattr(socket, "AF_UNIX") and not hasattr(signal, "SIGHUP")
assert selectors.DefaultSelector is selectors.SelectSelector
assert time.get_clock_info("monotonic").resolution > 0.015
loop = asyncio.new_event_loop()
ours, theirs = socket.socketpair()
for call in (lambda: loop.add_reader(ours, print), lambda: loop.add_signal_handler(signal.SIGINT, print)):
    try:
        call()
    except NotImplementedError:
        continue
    raise AssertionError("it is there")
for call in (os.fstat, os.dup):
    try:
        call(ours.fileno())
    except OSError:
        continue
    raise AssertionError("it is there")
loop.close(), ours.close(), theirs.close()
""",
        )
    )
