"""Generates agentcp_pb2.py and its stub from agentcp.proto: ``python -m tests.wire.regenerate`` in the project's root.

Needs grpcio-tools in the version that the `test` extra names, so that every protobuf version that the package allows
loads the result.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCHEMA = Path("agentcp_fsm/wire/agentcp.proto")
GENERATED = (Path("agentcp_fsm/wire/agentcp_pb2.py"), Path("agentcp_fsm/wire/agentcp_pb2.pyi"))


def generate(root: Path) -> None:
    """Write the `GENERATED` files below `root`; raises `CalledProcessError` if the schema is at fault."""
    outputs = [f"--python_out={root}", f"--pyi_out={root}"]
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", "--proto_path=.", *outputs, SCHEMA], cwd=ROOT, check=True
    )


if __name__ == "__main__":
    generate(ROOT)
