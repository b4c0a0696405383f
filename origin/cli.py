"""The `nearside` command: where every failure becomes a message and an exit code."""

import sys

from edge.errors import NearsideError

EXTRAS = {
    "origin": ("aiosqlite", "rich", "sqlalchemy", "typer"),
    "compiler": ("jinja2", "nh3", "onnx", "yaml"),
    "models": ("pyarrow", "scipy"),
}


def main() -> None:
    """Run the command line; exit code 1 says that something of what was given can't be used."""
    try:
        # Only now: a small install lacks what these import, and shall hear which extra it needs.
        from origin.commands.root import app  # noqa: PLC0415

        app()
    except ModuleNotFoundError as error:
        _fail(_missing(error))
    except NearsideError as error:
        _fail(str(error))
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has seen enough
        sys.exit(1)
    except OSError as error:
        if error.filename is None:
            raise
        _fail(f"file: {error.filename}: {error.strerror}")  # a path that somebody named, or a full disk


def _missing(error: ModuleNotFoundError) -> str:
    name = (error.name or "").partition(".")[0]
    if name in ("compiler", "edge", "models", "origin"):
        raise error
    extra = next((extra for extra, modules in EXTRAS.items() if name in modules), "origin")
    # Not by name: what an index of packages has under ours is something else.
    return f"missing: this needs {name!r}; in a clone of Nearside, install it with: pip install '.[{extra}]'"


def _fail(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(1)
