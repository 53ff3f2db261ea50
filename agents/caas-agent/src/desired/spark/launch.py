"""Calls the function that FRACTAL_ENTRY_POINT names as module:function. It installs nothing and changes no argument.

The function finds its arguments in sys.argv[1:]. A whole number that it returns is the exit code; anything else is success.
"""

import importlib
import os
import sys


def main():
    name = os.environ.get("FRACTAL_ENTRY_POINT", "")
    module, _, path = name.partition(":")
    if not module or not path:
        sys.exit(f"launch.py: FRACTAL_ENTRY_POINT is {name!r}, not module:function")
    # A module of the wheel may be called like a file beside this one.
    here = os.path.dirname(os.path.abspath(__file__))
    if sys.path and os.path.abspath(sys.path[0]) == here:
        del sys.path[0]
    target = load(module)
    for part in path.split("."):
        if not hasattr(target, part):
            sys.exit(f"launch.py: the module {module} has no {path}")
        target = getattr(target, part)
    if not callable(target):
        sys.exit(f"launch.py: {name} is no function but a {type(target).__name__}")
    sys.argv[0] = name
    result = target()
    if isinstance(result, int) and not isinstance(result, bool):
        sys.exit(result)


def load(module):
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # What the module itself imports and does not find is told by its own traceback.
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        sys.exit(f"launch.py: no module {module} is installed: {error}")


if __name__ == "__main__":
    main()
