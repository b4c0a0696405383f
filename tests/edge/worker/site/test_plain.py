"""Pages are cut once, and what describes the plain one never stands on another."""

from edge.worker.site.plain import MAX_PLANS_BYTES, Plans


def test_plans_are_bounded() -> None:
    plans = Plans()
    for number in range(20):
        plans.page(b"%d" % number + b"x" * (1 << 20), [], shared=True)
    assert plans._plans.currsize <= MAX_PLANS_BYTES
    assert plans.page(b"x" * (MAX_PLANS_BYTES + 1), [], shared=True).plan.page


def test_the_same_page_is_cut_once() -> None:
    plans = Plans()
    first = plans.page(b"<b data-placement=a>x</b>", [], shared=True)
    assert plans.page(b"<b data-placement=a>x</b>", [(b"a", b"1")], shared=False).plan is first.plan
