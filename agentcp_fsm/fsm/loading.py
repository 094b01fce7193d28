"""A chart by the name under which it is imported, ``module:name``."""

from __future__ import annotations

import os
import sys
from importlib import import_module

from agentcp_fsm.errors import ChartError
from agentcp_fsm.fsm.chart import Chart


def load_chart(target: str) -> Chart:
    """The chart that ``module:name`` names; the module may be in the present folder.

    Raises ChartError if it names none.
    """
    module_name, _, name = target.partition(":")
    if not module_name or not name:
        raise ChartError(f"{target!r} names no chart: write module:name, as in mypackage.door:DOOR")
    sys.path.insert(0, os.getcwd())
    try:
        value: object = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise ChartError(f"the module {module_name} imports {error.name}, which is not installed") from error
        raise ChartError(
            f"there is no module {error.name}: run the command in the folder that holds it, or install it"
        ) from error
    except Exception as error:
        raise ChartError(f"the module {module_name} cannot be imported: {error!r}") from error
    finally:
        sys.path.pop(0)
    module = value
    for part in name.split("."):
        if not hasattr(value, part):
            charts = [other for other, found in vars(module).items() if isinstance(found, Chart)]
            raise ChartError(
                f"the module {module_name} has no {name}; "
                + (f"its charts are {', '.join(charts)}" if charts else "there is no chart in it")
            )
        value = getattr(value, part)
    if not isinstance(value, Chart):
        raise ChartError(f"{target} is no chart, but of type {type(value).__name__}: name a Chart")
    return value
