"""docs/consent.md: every policy in it is compiled, and every request in it is asked what it grants."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from compiler.problems import CODES
from compiler.rules.manifest import draft_rules
from compiler.types import Workspace
from compiler.workspace import WorkspaceError, read_workspace
from edge.bundle.format import RulesSchema, decode
from edge.consent.grants import NAMES
from edge.consent.policy import Policy
from edge.decide.types import CONSENT_TIERS
from tests.workspaces.make import FILES, make_workspace

PAGE = (Path(__file__).resolve().parents[2] / "docs/consent.md").read_text(encoding="utf-8")
ROW = re.compile(r"\| (nothing|`.+`) \| `([a-z]+)` \| ([a-z_, ]*)\|")
HEAD = FILES["site.yaml"].partition("attributes:")[0]
ITEMS = 'items: {path: "/film/{item}"}\n'
NO_RULES = {path: None for path in FILES if path.startswith("rules/")}


def policies() -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """Each policy of the page as YAML, and the requests below it."""
    for block in re.findall(r"```yaml\n(.*?)```(.*?)(?=```yaml|\Z)", PAGE, re.DOTALL):
        if "consent:" in block[0]:
            yield block[0], ROW.findall(block[1])


POLICIES = list(policies())


def read(folder: Path, site: str, **more: str) -> Workspace:
    changes = {f"rules/{name}.yaml": text for name, text in more.items()}
    return read_workspace(make_workspace(folder, {**NO_RULES, "site.yaml": HEAD + ITEMS + site, **changes}))


def schema_of(workspace: Workspace) -> RulesSchema:
    draft = draft_rules(workspace, {"items": "x"})
    (schema,) = [artifact for artifact in draft.artifacts if artifact.kind == "schema"]
    return decode(draft.bodies[schema.sha256], RulesSchema)


def headers_of(said: str) -> dict[bytes, bytes]:
    fields = re.findall(r"`([A-Za-z-]+): ([^`]+)`", said)
    return {name.lower().encode(): value.encode() for name, value in fields}


@pytest.mark.parametrize(("site", "rows"), POLICIES)
def test_what_each_request_grants(site: str, rows: list[tuple[str, str, str]], tmp_path: Path) -> None:
    found = Policy(schema_of(read(tmp_path, site)))

    assert len(rows) >= 4
    for said, tier, purposes in rows:
        grant = found.of(headers_of(said))
        wanted = tuple(name for name in purposes.replace(" ", "").split(",") if name)
        assert (grant.tier, found.names_of(grant.purposes)) == (tier, wanted), said


def test_there_are_as_many_examples_as_it_looks() -> None:
    assert len(POLICIES) == 4
    assert sum(len(rows) for _, rows in POLICIES) == 22


def test_the_campaign_compiles_and_one_for_another_purpose_is_refused_as_told(tmp_path: Path) -> None:
    site = POLICIES[-1][0]
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (campaign,) = [block for block in blocks if "more-crime" in block]
    assert read(tmp_path / "fine", site, crime=campaign).campaigns[0].purposes == ("taste",)

    wrong = """\
campaigns:
  - id: offer
    audience: {crm.segment: gold}
    purposes: [personalised_ads]
    placement: hero
    show: {content: app}
"""
    with pytest.raises(WorkspaceError) as caught:
        read(tmp_path / "wrong", site, ads=wrong)
    told = [str(problem) for problem in caught.value.problems if problem.code == "purpose"]
    assert [line for line in told if line in PAGE] == told != []


def test_every_purpose_tier_and_code_has_its_row() -> None:
    for number, name in enumerate(NAMES, 1):
        assert f"| {number} | `{name}` |" in PAGE
    assert all(f"| `{tier}` |" in PAGE for tier in CONSENT_TIERS)
    assert "purpose" in CODES


def test_every_code_of_a_string_is_explained() -> None:
    source = Path(__file__).resolve().parents[2] / "edge/consent"
    raised = {
        code
        for file in source.glob("*.py")
        for code in re.findall(r'ConsentError\(\s*"([a-z0-9-]+)"', file.read_text(encoding="utf-8"))
    }
    table = PAGE.partition("| code | the string |")[2]
    cells = re.findall(r"^\| (.*?) \|", table, re.M)
    assert raised == {code for cell in cells for code in re.findall("`(.*?)`", cell)}
