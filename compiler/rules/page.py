"""Compiles layouts and redirects: what the campaigns of a bundle do to a page as a whole."""

from compiler.types import Workspace
from edge.bundle import format as fmt


def page_actions(workspace: Workspace) -> fmt.PageActions | None:
    """What some campaign shows, sorted; None where there is nothing of the kind."""
    shows = workspace.shows()
    used = {show.layout for show in shows}
    layouts = [fmt.Layout(one.name, one.order, one.hide, one.swap) for one in workspace.layouts]
    redirects = tuple(sorted({show.redirect for show in shows} - {""}))
    found = fmt.PageActions(tuple(layout for layout in layouts if layout.id in used), redirects)
    return found if found != fmt.PageActions() else None
