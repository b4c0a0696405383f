"""Writes what other systems define as files of a workspace."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from compiler.files.yaml_written import yaml_text
from compiler.growthbook.importing import Imported, convert
from compiler.growthbook.payload import check_payload
from edge.errors import ConfigError
from origin.explain.counted import counted

MAX_IMPORTED_BYTES: Final = 64 << 20
SITE_FILE: Final = "site.yaml"
RULES_FILE: Final = "rules/growthbook.yaml"
_NOTE: Final = "# Imported from GrowthBook by `nearside import growthbook`.\n"
_SITE_NOTE: Final = _NOTE + "# Say where each attribute comes from: source is a guess.\n"


def import_growthbook(source: Path, folder: Path, site: str, identifier: str) -> Imported:
    """Read a payload of GrowthBook's SDK endpoint, and write it into a workspace; no file is replaced.

    Raises
    ------
    ConfigError
        ``import``: the file can't be read, or a file that would be written is there.
    """
    found = convert(_read(source), site, identifier)
    files = {RULES_FILE: _NOTE + yaml_text(found.rules)}
    files |= {f"content/{name}.txt": text for name, text in found.contents.items()}
    if not (folder / SITE_FILE).exists():
        files[SITE_FILE] = _SITE_NOTE + yaml_text(found.site)
    there = [path for path in files if (folder / path).exists()]
    if there:
        raise ConfigError("import", f"{folder / there[0]} is there; name another folder, or delete it")
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return found


def imported_lines(found: Imported, folder: Path, *, own_site: bool) -> Iterator[str]:
    """What a person should know of an import."""
    experiments, campaigns = (len(found.rules.get(key, ())) for key in ("experiments", "campaigns"))
    placements = ", ".join(found.placements.values()) or "none"
    nouns = {"campaign": campaigns, "experiment": experiments, "content": len(found.contents)}
    counts = ", ".join(counted(count, noun) for noun, count in nouns.items())
    yield f"{folder / RULES_FILE}: {counts}"
    if own_site:
        yield f"add to the placements of {folder / SITE_FILE}: {placements}"
        for name, attribute in found.site.get("attributes", {}).items():
            yield f"and to its attributes, if they lack it: {name}: {{type: {attribute['type']}, source: …}}"
    else:
        yield f"{folder / SITE_FILE}: the placements {placements}; say there where each attribute comes from"
    yield from (f"left out: {line}" for line in found.left_out)


def _read(source: Path) -> Mapping[str, Any]:
    try:
        if source.stat().st_size > MAX_IMPORTED_BYTES:
            raise ConfigError("import", f"{source}: more than {MAX_IMPORTED_BYTES} bytes")
        payload = json.loads(source.read_bytes())
    except OSError as error:
        raise ConfigError("import", f"{source}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError("import", f"{source} is no JSON: {error}") from error
    if not isinstance(payload, dict) or not {"features", "experiments"} & payload.keys():
        raise ConfigError("import", f"{source} has no features; save what GrowthBook's SDK endpoint sends")
    try:
        check_payload(payload)
    except ValueError as error:
        hint = "save what GrowthBook's SDK endpoint sends, as it is"
        raise ConfigError("import", f"{source}: {error}; {hint}") from error
    return payload
