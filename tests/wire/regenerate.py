"""Generates the code of the schemas: ``python -m tests.wire.regenerate`` in the project's root.

Needs grpcio-tools in the version that the `test` extra names, so that every protobuf version that the package allows
loads the result.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCHEMAS = (Path("agentcp_fsm/wire/agentcp.proto"), Path("agentcp_fsm/traces/trace.proto"))
GENERATED = tuple(schema.with_name(f"{schema.stem}_pb2{suffix}") for schema in SCHEMAS for suffix in (".py", ".pyi"))


def generate(root: Path) -> None:
    """Write the `GENERATED` files below `root`; raises `CalledProcessError` if the schema is at fault."""
    outputs = [f"--python_out={root}", f"--pyi_out={root}"]
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", "--proto_path=.", *outputs, *SCHEMAS], cwd=ROOT, check=True
    )


if __name__ == "__main__":
    generate(ROOT)
