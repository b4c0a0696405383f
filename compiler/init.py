"""Makes a new workspace from a template, and says what to type next."""

import json
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from compiler.problems import Problem, WorkspaceError, nearest

TEMPLATES: Final = Path(__file__).parent / "templates"
SCHEMAS: Final = ".schema"
FIRST_CONTEXT: Final = "contexts/phone.json"

_BUILT: Final = ".trained/\n*.bundle/\n*.bundle.report.json\n"
_OTHERS_MAY_STAY: Final = (".git",)


def template_names() -> tuple[str, ...]:
    """The templates that there are, sorted."""
    return tuple(sorted(folder.name for folder in TEMPLATES.iterdir() if (folder / "site.yaml").is_file()))


def init_workspace(folder: Path, template: str, schemas: Mapping[str, Mapping[str, Any]]) -> None:
    """Write a commented workspace that compiles as it is.

    Parameters
    ----------
    folder
        Made if needed; it may hold a fresh git repository, and nothing else.
    schemas
        The JSON Schemas by name, for editors; kept in the workspace.

    Raises
    ------
    WorkspaceError
        There is no such template, or the folder is not free or can't be written.
    """
    if template not in template_names():
        _refuse("template", f"there is no template {template!r}", nearest(template, template_names()))
    try:
        if folder.exists() and not folder.is_dir():
            _refuse(str(folder), "is there already, and is no folder", "name a new folder")
        if folder.is_dir() and any(entry.name not in _OTHERS_MAY_STAY for entry in folder.iterdir()):
            _refuse(str(folder), "the folder is not empty; nothing was written", "name a new folder")
        shutil.copytree(TEMPLATES / template, folder, dirs_exist_ok=True)
        (folder / ".gitignore").write_text(_BUILT, encoding="utf-8")
        write_schemas(folder / SCHEMAS, schemas)
    except OSError as error:
        _refuse(str(error.filename or folder), error.strerror or str(error), "name a folder you may write")


def write_schemas(folder: Path, schemas: Mapping[str, Mapping[str, Any]]) -> list[Path]:
    """Write one file for each schema into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, schema in schemas.items():
        paths.append(folder / f"{name}.json")
        paths[-1].write_text(schema_text(schema), encoding="utf-8")
    return paths


def schema_text(schema: Mapping[str, Any]) -> str:
    """A schema as it is published."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def next_commands(folder: Path) -> list[str]:
    """What to type after `init`, each as a shell takes it."""
    # Beside the workspace, not in it: what is built is not what people keep.
    inside = folder.name not in ("", "..")
    bundle = folder.with_name(f"{folder.name}.bundle") if inside else folder / ".." / "first.bundle"
    workspace, built = shlex.quote(str(folder)), shlex.quote(str(bundle))
    context = shlex.quote(str(folder / FIRST_CONTEXT))
    return [
        f"nearside train {workspace}",
        f"nearside compile {workspace} -o {built}",
        f"nearside decide {built} --context {context}",
    ]


def _refuse(path: str, message: str, hint: str) -> None:
    raise WorkspaceError([Problem(path, 0, "bad-value", message, hint)])
