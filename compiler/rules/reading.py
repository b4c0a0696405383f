"""Reads rules/*.yaml, all files together: audiences, groups, experiments, bandits, campaigns, holdouts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

from compiler.files.fields import Fields
from compiler.files.yaml_lines import read_yaml
from compiler.problems import Problems
from compiler.rules.audiences import AudienceReader, Gaps
from compiler.rules.bandits import check_bandits
from compiler.rules.best import check_values
from compiler.rules.campaigns import CampaignReader
from compiler.rules.experiments import check_experiments
from compiler.rules.groups import Groups
from compiler.rules.holdouts import check_holdouts, read_holdouts
from compiler.rules.layouts import LayoutReader
from compiler.rules.show import Names
from compiler.rules.tested import TestedReader
from compiler.types import Audience, Bandit, Campaign, Experiment, Holdout, Layout, Show, Site
from edge.bundle import format as fmt
from edge.rules.values import Value

FOLDER: Final = "rules"
MAX_CAMPAIGNS: Final = 100_000


@dataclass(frozen=True)
class Rules:
    """All that rules/*.yaml say, each sorted by name or id."""

    audiences: tuple[Audience, ...]
    campaigns: tuple[Campaign, ...]
    experiments: tuple[Experiment, ...]
    holdouts: tuple[Holdout, ...]
    groups: Mapping[str, Sequence[Value]]
    bandits: tuple[Bandit, ...]
    layouts: tuple[Layout, ...]


def read_rules(folder: Path, site: Site, names: Names, problems: Problems) -> Rules:
    """All audiences, experiments, bandits, campaigns and holdouts; a name may stand in another file."""
    gaps = Gaps()
    files = _read_files(folder, gaps, problems)
    groups, layouts = Groups(), LayoutReader(site.blocks, problems)
    names = replace(names, layouts=layouts, redirect_hosts=site.redirect_hosts)
    audiences = AudienceReader(site, groups, gaps, problems)
    tested = TestedReader(site, names, gaps, problems)
    campaigns = CampaignReader(site, names, audiences, tested)
    holdouts = list(site.holdouts)
    for fields in files:
        groups.take(fields, problems)
        layouts.take(fields)
    for fields in files:
        audiences.take(fields)
        tested.take(fields)
    audiences.read()
    for fields in files:
        campaigns.take(fields)
        holdouts += read_holdouts(fields, problems)
        fields.close()
    audiences.note_unused()
    groups.note_unused(problems)
    _check_page_actions(layouts, campaigns.shown(), problems)
    rules = Rules(
        _sorted(audiences.known),
        _sorted(campaigns.known),
        _sorted(tested.experiments),
        tuple(sorted(holdouts, key=lambda holdout: holdout.id)),
        groups.values,
        _sorted(tested.bandits),
        _sorted(layouts.known),
    )
    _check(rules, site, problems)
    check_holdouts(holdouts, campaigns.known.values(), problems, partial=gaps.partial)
    return rules


def _read_files(folder: Path, gaps: Gaps, problems: Problems) -> list[Fields]:
    files = []
    for file in sorted((folder / FOLDER).glob("*")):
        path = f"{FOLDER}/{file.name}"
        if file.suffix in (".yaml", ".yml", ".json"):  # JSON is YAML, too
            node = read_yaml(folder, path, problems)
            if node is not None:
                files.append(Fields(node, path, "the file", problems))
            else:
                gaps.partial = True
        elif not file.name.startswith("."):
            problems.warn(path, 0, "unused", "is no .yaml or .json", "rename or move it")
    return files


def _check(rules: Rules, site: Site, problems: Problems) -> None:
    check_experiments(rules.experiments, rules.campaigns, problems)
    check_values(site.places, rules.campaigns, problems)
    check_bandits(rules.bandits, rules.experiments, rules.campaigns, problems)
    if len(rules.campaigns) > MAX_CAMPAIGNS:
        problems.error(
            FOLDER, 0, "too-large", f"{len(rules.campaigns)} campaigns", f"at most {MAX_CAMPAIGNS}"
        )


def _check_page_actions(layouts: LayoutReader, shows: set[Show], problems: Problems) -> None:
    """Warn of layouts that no campaign shows; note more of them or of redirects than an engine takes."""
    layouts.note_unused({show.layout for show in shows})
    for what, count, most in (
        ("layouts", len(layouts.known), fmt.MAX_LAYOUTS),
        ("redirects", len({show.redirect for show in shows}), fmt.MAX_REDIRECTS),
    ):
        if count > most:
            problems.error(FOLDER, 0, "too-large", f"{count} {what}", f"at most {most}")


T = TypeVar("T")


def _sorted(named: Mapping[str, T]) -> tuple[T, ...]:
    return tuple(named[name] for name in sorted(named))
