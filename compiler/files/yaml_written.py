"""Writes YAML that people can edit and that reads back the same by YAML 1.1 and 1.2."""

import re
from typing import Any, Final

import yaml

# What no version of YAML takes for anything but text; all else is quoted.
_PLAIN: Final = re.compile(r"[$A-Za-z_][\w$./ -]*(?<! )", re.ASCII)
_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"})


class _Dumper(yaml.SafeDumper):
    """Without anchors, which workspaces refuse."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _text)


def yaml_text(document: dict[str, Any]) -> str:
    """The document, its keys in their order."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
