"""Which lists of visitors somebody is in, as it follows from their id or from an attribute."""

from collections.abc import Mapping
from typing import Final

from edge.bundle.format import RulesSchema
from edge.bundle.reader import Bundle
from edge.decide.choice import VISITOR_ID
from edge.decide.fuse import load_lists
from edge.decide.types import Value

_LIST: Final = "list:"


class Members:
    """The lists of a bundle, by the attributes that tell who is in them."""

    def __init__(self, schema: RulesSchema, bundle: Bundle) -> None:
        lists = load_lists(bundle)
        self._lists = {
            attribute.name: (
                attribute.source.removeprefix(_LIST),
                lists[attribute.name.removeprefix("audience.")],
            )
            for attribute in schema.attributes
            if attribute.source.startswith(_LIST)
        }

    def known(self, held: frozenset[str]) -> frozenset[str]:
        """The lists that can be looked up where these attributes are known."""
        return frozenset(name for name, (by, _) in self._lists.items() if by == VISITOR_ID or by in held)

    def of(self, visitor: str, attributes: Mapping[str, Value]) -> dict[str, Value]:
        """Whether each list holds this visitor; nobody without an id is in one."""
        found: dict[str, Value] = {}
        for name, (by, members) in self._lists.items():
            id_ = visitor if by == VISITOR_ID else attributes.get(by)
            found[name] = isinstance(id_, str) and id_ != "" and id_ in members
        return found
