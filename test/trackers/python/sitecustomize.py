"""Python runs this at its start where the folder is on PYTHONPATH.

The official W&B client imports two packages for its own telemetry. Where they are not installed, modules whose every
attribute is a mock take their place, so that the client itself can be tested.
"""
import importlib.util
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from unittest.mock import MagicMock

telemetry = [name for name in ("opentelemetry", "sentry_sdk") if importlib.util.find_spec(name) is None]


class Mocks(MetaPathFinder, Loader):
    def find_spec(self, fullname, path=None, target=None):
        return ModuleSpec(fullname, self, is_package=True) if fullname.split(".")[0] in telemetry else None

    def create_module(self, spec):
        return MagicMock(name=spec.name, __path__=[], __name__=spec.name, __spec__=spec)

    def exec_module(self, module):
        pass


if telemetry:
    sys.meta_path.append(Mocks())
