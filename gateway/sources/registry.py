"""Finds the sources by themselves: every module of this package with a constant `SOURCE` is one.

Fails at start (ValueError), never later: two sources of one name, or a source without a sample or kinds.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

import gateway.sources as package
from gateway.sources.seam import Source


def discover() -> Mapping[str, Source]:
    """Name to source."""
    found: dict[str, Source] = {}
    for module in pkgutil.iter_modules(package.__path__):
        source = getattr(importlib.import_module(f"{package.__name__}.{module.name}"), "SOURCE", None)
        if not isinstance(source, Source):
            continue
        if source.name in found:
            raise ValueError(f"two sources are named {source.name}; the second stands in {module.name}.py")
        if not source.samples or not source.kinds:
            raise ValueError(f"source {source.name} needs at least one sample and one event kind")
        found[source.name] = source
    return MappingProxyType(found)
