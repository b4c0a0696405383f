"""What docs/visitors.md says: its example compiles, its bounds and cookies are the program's."""

import re
from pathlib import Path

from compiler.workspace import read_workspace
from edge.visitor import wishes
from edge.visitor.cookie import LED, OWN
from edge.visitor.form import LIFETIME_S
from edge.worker.me.page import PATH
from edge.worker.me.routes import OPTED_OUT_S
from origin.imports.facts_csv import make
from origin.keys import new_keys
from tests.conftest import ROOT
from tests.workspaces.make import FILES, make_bundle, make_workspace

PAGE = (ROOT / "docs/visitors.md").read_text()

EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_the_example_compiles(tmp_path: Path) -> None:
    example, _ = EXAMPLES
    attributes = FILES["site.yaml"].partition("attributes:")[2].partition("items:")[0]
    assert make_bundle(tmp_path, {"site.yaml": example + "attributes:" + attributes}).is_dir()


def test_the_table_is_made_into_facts_that_attributes_read(tmp_path: Path) -> None:
    (table,) = re.findall(r"```csv\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "facts.csv").write_text(table)
    _, _, keys = new_keys(tmp_path / "keys", "films")
    assert make(tmp_path / "facts.csv", keys, tmp_path / "facts") == (2, 3)
    geo = '  geo.country: {type: string, source: "header:x-geo-country"}\nitems: {path: "/film/{item}"}\n'
    site = read_workspace(make_workspace(tmp_path / "site", {"site.yaml": EXAMPLES[1] + geo})).site
    named = {a.source.removeprefix("fact:") for a in site.attributes if a.source.startswith("fact:")}
    assert named == set(table.splitlines()[0].split(",")) - {"visitor"}


def test_cookies_and_bounds_are_the_programs() -> None:
    named = set(re.findall(r"^\| `(nearside[a-z-]*)` \|", PAGE, re.MULTILINE))
    assert named == {name.decode() for name in OWN if name != LED}
    room = f"{wishes.MAX_MUTED_ITEMS} items and {wishes.MAX_MUTED_TOPICS} topics to see less of"
    assert f"{room}, and {wishes.MAX_LIKED} items to see more of" in PAGE
    assert f"{OPTED_OUT_S // 86_400} days" in PAGE and LIFETIME_S == 4 * 3600
    assert f'href="{PATH}"' in PAGE
