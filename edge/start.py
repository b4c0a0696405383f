"""The command `nearside-edge` where nothing may be installed that it needs: names the extra to install."""

import sys


def main() -> int:
    """Run an edge; the exit status, 1 where a package is missing."""
    try:
        # Only now: this module has to load without them.
        from edge.cli import main as run  # noqa: PLC0415
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name in {"", "edge"}:
            raise
        hint = "in a clone of Nearside, install it with: pip install '.[edge]'"
        sys.stderr.write(f"nearside-edge: missing: this needs {name!r}; {hint}\n")
        return 1
    return run()
