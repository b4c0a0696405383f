"""Notes what a workspace holds and nobody uses: contents, cards, models, recommenders."""

from compiler.problems import Problems
from compiler.types import Show, Workspace


def note_unused(workspace: Workspace, problems: Problems) -> None:
    """Warn of each; ask only of a workspace without errors: what a broken campaign would use looks unused."""
    shown = workspace.shows()
    _note_contents(workspace, shown, problems)
    _note_models(workspace, shown, problems)


def _note_contents(workspace: Workspace, shown: set[Show], problems: Problems) -> None:
    used = {show.content for show in shown}
    carried = {show.card for show in shown}
    hint = "use it in a campaign, or delete it"
    for content in workspace.contents:
        if content.id not in used:
            problems.warn(content.path, 0, "unused", f"no campaign shows content {content.id!r}", hint)
    for card in workspace.cards:
        if card.name not in carried:
            problems.warn(card.path, 0, "unused", f"no campaign uses card {card.name!r}", hint)


def _note_models(workspace: Workspace, shown: set[Show], problems: Problems) -> None:
    """A model is used by campaigns and their recommenders, or as the fallback of one that is."""
    fallbacks = {model.name: model.fallback for model in workspace.models}
    used, wanted = {""}, {show.recommender for show in shown}
    for recommender in workspace.recommenders:
        if recommender.name in wanted:
            wanted.update(recommender.models)
            wanted.update([recommender.challenger.model] if recommender.challenger else ())
        else:
            message = f"no campaign shows recommender {recommender.name!r}"
            problems.warn(recommender.path, 0, "unused", message, "use it in a campaign, or delete it")
    while wanted:
        used |= wanted
        wanted = {fallbacks.get(name, "") for name in wanted} - used
    for model in workspace.models:
        if model.name not in used:
            hint = "use it in a campaign, or delete it: it makes the bundle larger"
            problems.warn(model.path, 0, "unused", f"no campaign uses model {model.name!r}", hint)
