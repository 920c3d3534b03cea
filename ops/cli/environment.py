"""What a command needs of the world around it (settings, store, broker, files), and what it says when that fails.

Every such failure is one text and exit code 3. A fault of ours is none of them and keeps its traceback.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ops.cli.answers import Exit, fail

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_settings import BaseSettings


@contextlib.contextmanager
def environment(trouble: str) -> Iterator[None]:
    """Ends the command with `trouble` and the reason when settings, store, files or a part of the house fail it.

    ValueError stands for a setting whose text cannot be used (a URL of an unknown form, a file that is not JSON).
    """
    from pydantic import ValidationError

    from connectors.store.seam import StoreError
    from ops.stack.errors import StackError
    from rules.findings import BadTenantFolder

    try:
        yield
    except BadTenantFolder as bad:
        fail("\n".join([trouble, *(str(finding) for finding in bad.findings)]), Exit.FINDINGS)
    except ValidationError as error:
        fail(settings_fault(error))
    except (StoreError, StackError, OSError, ValueError) as error:
        fail(f"{trouble}: {error}")


def settings_kinds() -> "tuple[type[BaseSettings], ...]":
    """Every class of settings, in the order in which `leadbus config` prints them."""
    from connectors.settings import ConnectionSettings
    from consumers.runtime.settings import RuntimeSettings
    from gateway.settings import GatewaySettings
    from ops.api.settings import ApiSettings

    return ConnectionSettings, GatewaySettings, RuntimeSettings, ApiSettings


def variable(kind: "type[BaseSettings]", field: str) -> str:
    """The environment variable that sets a field."""
    return f"{kind.model_config.get('env_prefix', '')}{field}".upper()


def settings_fault(error: "ValidationError") -> str:
    """Which variables are missing or wrong, for the person who sets them."""
    kind = next((kind for kind in settings_kinds() if kind.__name__ == error.title), None)
    if kind is None:
        return str(error)
    lines = [
        f"{variable(kind, str(fault['loc'][0])) if fault['loc'] else 'LEADBUS_*'}: "
        + ("not set" if fault["type"] == "missing" else fault["msg"])
        for fault in error.errors()
    ]
    return "settings are missing or wrong; set these variables:\n  " + "\n  ".join(lines)


def settings_in_force() -> dict[str, object]:
    """Variable to value, defaults included; a field without a usable value says `(missing)` or why it is not valid."""
    rows: dict[str, object] = {}
    for kind in settings_kinds():
        rows |= {variable(kind, field): value for field, value in _values(kind).items()}
    return rows


def _values(kind: "type[BaseSettings]") -> dict[str, object]:
    from pydantic import ValidationError

    try:
        return kind().model_dump(mode="json")
    except ValidationError as error:
        faults = {
            str(fault["loc"][0]): "(missing)" if fault["type"] == "missing" else f"(not valid: {fault['msg']})"
            for fault in error.errors()
            if fault["loc"]
        }
        if not faults:
            fail(settings_fault(error))
    # What is given by hand goes before the environment, so the other values are still the ones in force.
    stand_ins = {
        field: "(missing)" if kind.model_fields[field].is_required() else kind.model_fields[field].default
        for field in faults
    }
    construct: Callable[..., BaseSettings] = kind
    return {**construct(**stand_ins).model_dump(mode="json"), **faults}
