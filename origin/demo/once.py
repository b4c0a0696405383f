"""The whole loop, once: visitors come, their pages are compared, the origin learns, and a page is another."""

from collections.abc import Sequence
from typing import Final

import httpx

from compiler.workspace import read_workspace
from edge.decide.types import DecisionRecord
from origin.demo import checks as check
from origin.demo import crowd, gallery
from origin.demo.checks import Checks, Log
from origin.demo.compared import differences, moves, shown
from origin.demo.crowd import Crowd, Fashion
from origin.demo.films import popular
from origin.demo.pops import FRANKFURT, NEW_YORK
from origin.demo.processes import DemoError
from origin.demo.stage import SITE, Stage
from origin.demo.told import Told
from origin.demo.visits import Visit, Visitors
from origin.demo.workspace_files import INTERACTIONS
from origin.lake import reader as lake

ARRIVAL_TIMEOUT_S: Final = 20.0
FIRST: Final = 1
SECOND: Final = 2


class Loop:
    """One run of the loop, from the first visitors to the checks."""

    def __init__(self, stage: Stage, told: Told) -> None:
        self._stage = stage
        self._told = told
        urls = {pop.name: pop.url for pop in stage.pops}
        self._visitors = Visitors(stage.site, urls, stage.keys / "edge.json")
        self._fashion: Fashion = crowd.plan(stage.films, popular(stage.workspace / INTERACTIONS))
        self._crowd = Crowd()

    def run(self) -> bool:
        """Let the visitors come and check everything; whether all of it holds.

        Raises
        ------
        DemoError
            A part of the demo failed, so that nothing can be said.
        """
        plain, refuser, phone, watcher = self._first_visitors()
        log = self._arrived([phone, watcher])
        self._tell_differences(plain, [refuser, phone, watcher], log)
        self._told.heading("The loop closes")
        self._let_them_come([phone, watcher])
        self._learn()
        again = self._come_back(watcher, [plain, phone, refuser])
        log = self._all_arrived([phone, watcher, again])
        before, after = self._record(log, watcher), self._record(log, again)
        self._tell_moves(before, after)
        self._told.heading("Checks")
        checks = Checks(self._told)
        check.pages(checks, plain, refuser, [phone, watcher, again])
        check.taste(checks, self._stage.films, before, self._fashion.favourites)
        check.learned(checks, before, after, self._crowd)
        check.only_models_changed(checks, self._stage)
        check.places(checks, [phone, watcher, again], log)
        check.lake(checks, [phone, watcher, again], self._crowd, log)
        check.replay(checks, self._stage, log)
        return not checks.failed

    def _first_visitors(self) -> list[Visit]:
        with self._told.step("Three visitors come, by two PoPs") as step:
            plain = self._visitors.without_edge()
            refuser = self._visitors.without_consent(FRANKFURT.name)
            phone = self._visitors.on_a_phone(FRANKFURT.name, FRANKFURT.place)
            watcher = self._visitors.science_fiction_watcher(NEW_YORK.name, self._fashion.favourites)
            visits = [plain, refuser, phone, watcher]
            step.done(f"pages saved, side by side in {self._save(visits)}")
        return visits

    def _save(self, visits: Sequence[Visit]) -> object:
        return gallery.save(visits, self._stage.folder / "pages", self._fetch)

    def _fetch(self, path: str) -> bytes:
        return httpx.get(self._stage.site + path, timeout=10.0).raise_for_status().content

    def _arrived(self, visits: Sequence[Visit]) -> Log:
        """The lake, once all that visitors did is there."""
        with self._told.step("What they did reaches the origin") as step:
            self._wait_for(visits)
            log = self._log()
            step.done(f"{len(log.decisions)} decisions, {len(log.events)} events")
        return log

    def _wait_for(self, visits: Sequence[Visit]) -> None:
        wanted = self._crowd.decisions + self._crowd.views
        wanted += sum(visit.decisions + visit.views + len(visit.events) for visit in visits)

        def complete() -> bool:
            log = self._log()
            return len(log.decisions) + len(log.events) >= wanted

        self._stage.processes.wait("what visitors did, in the lake", complete, ARRIVAL_TIMEOUT_S)

    def _log(self) -> Log:
        root = self._stage.lake
        return Log(list(lake.decisions(root, SITE)), list(lake.events(root, SITE)))

    def _tell_differences(self, plain: Visit, visits: Sequence[Visit], log: Log) -> None:
        """Tell what differs between the site's own page and the visitors'."""
        workspace = read_workspace(self._stage.workspace)
        for visit in visits:
            record = log.of(visit)
            found = differences(plain.page, visit, record, workspace) if record else []
            self._told.differences(f"{visit.who} ({visit.pop})", found)

    def _let_them_come(self, before: Sequence[Visit]) -> None:
        with self._told.step("New visitors bring a fashion: westerns that hardly anybody knew") as step:
            pops = [pop.name for pop in self._stage.pops]
            self._crowd = crowd.come(self._visitors, pops, self._fashion)
            self._wait_for(before)
            step.done(f"{self._crowd.visitors} visitors, {self._crowd.decisions} page views, all in the lake")

    def _learn(self) -> None:
        with self._told.step("Train again, on what was there and on what they looked at") as step:
            step.done(f"{self._stage.learn()} views more")
            self._stage.train()
        with self._told.step("Compile, sign and publish; every worker swaps to it") as step:
            self._stage.compile(SECOND)
            published = self._stage.publish(SECOND, "learned from what visitors did")
            self._stage.wait_ready(SECOND)
            sent, kept = published.uploaded_bytes, published.skipped_bytes
            step.done(f"revision {published.number}; {sent / 1000:,.0f} kB new, {kept / 1000:,.0f} kB kept")

    def _come_back(self, watcher: Visit, others: Sequence[Visit]) -> Visit:
        with self._told.step("The science fiction watcher loads the page once more") as step:
            again = self._visitors.comes_back(watcher)
            step.done(f"beside revision 1's in {self._save([watcher, again, *others])}")
        return again

    def _all_arrived(self, visits: Sequence[Visit]) -> Log:
        """The lake, once the PoPs have shipped their last: what would come twice has come by now."""
        self._wait_for(visits)
        for pop in self._stage.pops:
            self._stage.processes.stop(pop.process)
        return self._log()

    def _record(self, log: Log, visit: Visit) -> DecisionRecord:
        record = log.of(visit)
        if record is None:
            raise DemoError(f"The page of {visit.who} is not personalized: no decision stands behind it.")
        return record

    def _tell_moves(self, before: DecisionRecord, after: DecisionRecord) -> None:
        found = moves(shown(before, "recommended"), shown(after, "recommended"), self._stage.films)
        self._told.moves(found, self._crowd.looked, self._crowd.visitors)


def run(stage: Stage, told: Told) -> bool:
    """Run the loop once; see `Loop.run`."""
    return Loop(stage, told).run()
