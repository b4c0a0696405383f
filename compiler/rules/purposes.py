"""Checks what campaigns use data for against the purposes that it may serve."""

from collections.abc import Iterable, Iterator

from compiler.models.types import ModelConfig
from compiler.predictions.reading import prediction_of
from compiler.problems import Problems
from compiler.rules.reads import reads_of
from compiler.types import Campaign, Show, Workspace
from edge.bundle.features import columns_of, needed
from edge.consent.policy import ASKED


def used_purposes(workspace: Workspace) -> set[str]:
    """The purposes that models need, and that rules and contents ask for."""
    names = {name for campaign in workspace.campaigns for name in reads_of(campaign.condition)}
    names |= {name for campaign in workspace.campaigns for name, _ in campaign.worth.terms}
    names |= {hole.attribute for content in workspace.contents for hole in content.holes}
    asked = {name.removeprefix(ASKED) for name in names if name.startswith(ASKED)}
    asked.update(*(config.purposes for config in workspace.predictions))
    return asked.union(*(model.purposes for model in workspace.models))


def check_purposes(workspace: Workspace, problems: Problems) -> None:
    """Note attributes that a campaign reads for a purpose which they may not serve."""
    allowed = workspace.site.consent.attributes
    if not allowed:
        return
    for campaign in workspace.campaigns:
        served = _served(campaign, workspace)
        for name in sorted(_made_from(set(_reads(campaign, workspace)), workspace)):
            if name in allowed and (beyond := sorted(served - set(allowed[name]))):
                message = (
                    f"campaign {campaign.id!r} is for {', '.join(beyond)}, and reads {name!r}, "
                    f"which may serve {', '.join(allowed[name])} only"
                )
                hint = f"leave {name} out, or add the purpose to it in site.yaml if visitors were told so"
                problems.error(campaign.path, campaign.line, "purpose", message, hint)


def _served(campaign: Campaign, workspace: Workspace) -> set[str]:
    """What a campaign is for: its own purposes, and those of the models that it shows."""
    models = {model.name: model.purposes for model in workspace.models}
    chains = {one.name: one.models for one in workspace.recommenders}
    served = set(campaign.purposes)
    for show in _shows(campaign, workspace):
        for model in chains.get(show.recommender, (show.recommender,)):
            served.update(models.get(model, ()))
    return served


def _shows(campaign: Campaign, workspace: Workspace) -> Iterator[Show]:
    if not campaign.experiment and not campaign.bandit:
        yield campaign.show
    for experiment in workspace.experiments:
        if experiment.id == campaign.experiment:
            for variation in experiment.variations:
                yield from variation.shows.values()
    for bandit in workspace.bandits:
        if bandit.id == campaign.bandit:
            for arm in bandit.arms:
                yield from arm.shows.values()


def _made_from(names: set[str], workspace: Workspace) -> set[str]:
    """The attributes, and of those that a model tells, what it is made from."""
    for name in list(names):
        config = prediction_of(name, workspace.predictions)
        if config is not None:
            names |= _attributes_of(config.features, workspace)
            names |= {config.text} if config.text else set()
    return names


def _attributes_of(names: Iterable[str], workspace: Workspace) -> set[str]:
    """The attributes that features are made from."""
    features = workspace.features.by_name
    return {column.attribute for column in columns_of(needed(names, features))}


def _models_of(listed: set[str], workspace: Workspace) -> Iterator[ModelConfig]:
    """All models of lists: those of recommenders, their challengers, and what a model falls back to."""
    asked = set(listed)
    for recommender in workspace.recommenders:
        if recommender.name in listed:
            asked.update(recommender.models)
            asked.update([recommender.challenger.model] if recommender.challenger else ())
    models = {model.name: model for model in workspace.models}
    for _ in models:
        asked.update(models[name].fallback for name in asked & models.keys())
    return (models[name] for name in sorted(asked & models.keys()))


def _reads(campaign: Campaign, workspace: Workspace) -> Iterator[str]:
    yield from reads_of(campaign.condition)
    yield from (name for name, _ in campaign.worth.terms)
    listed = {show.recommender for show in _shows(campaign, workspace)}
    for recommender in workspace.recommenders:
        if recommender.name in listed:
            yield from recommender.reads
    for model in _models_of(listed, workspace):
        yield from _attributes_of(model.features, workspace)
    shown = {show.content for show in _shows(campaign, workspace)}
    for content in workspace.contents:
        if content.id in shown:
            yield from (hole.attribute for hole in content.holes)
