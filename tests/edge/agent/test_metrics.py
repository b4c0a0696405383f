"""The metrics are Prometheus text that any reader takes."""

from edge.agent.metrics import Metrics, render, sample_key


def test_labels_are_escaped() -> None:
    assert sample_key("a_total", {"code": 'x"y\\z\n'}) == 'a_total{code="x\\"y\\\\z\\n"}'


def test_a_family_has_one_head_and_its_samples_together() -> None:
    metrics = Metrics()
    metrics.count("nearside_refused_total", code="signature")
    metrics.count("nearside_refused_total", 2, code="artifact-hash")
    metrics.gauge("nearside_revision", 3)
    text = render({**metrics.counters, "nearside_refused_by_us_total": 1}, metrics.gauges)
    lines = text.splitlines()
    at = lines.index("# TYPE nearside_refused_total counter")
    assert lines[at - 1].startswith("# HELP nearside_refused_total ")
    assert lines[at + 1 : at + 3] == [
        'nearside_refused_total{code="artifact-hash"} 2',
        'nearside_refused_total{code="signature"} 1',
    ]
    assert "# TYPE nearside_revision gauge\nnearside_revision 3\n" in text
    assert sum("# TYPE nearside_refused_total" in line for line in lines) == 1
    assert text.endswith("\n")


def test_sums_with_counts_are_summaries_and_with_buckets_histograms() -> None:
    text = render(
        {
            "a_seconds_sum": 0.25,
            "a_seconds_count": 2,
            'b_seconds_bucket{le="+Inf"}': 1,
            "b_seconds_sum": 1.5,
            "b_seconds_count": 1,
            "lone_count": 3,
        },
        {},
    )
    assert "# TYPE a_seconds summary\na_seconds_count 2\na_seconds_sum 0.25\n" in text
    assert "# TYPE b_seconds histogram" in text
    assert "# TYPE lone_count counter" in text


def test_a_malformed_key_is_left_out() -> None:
    text = render({"good_total": 1, "bad name": 2, 'x{y="1"}\nevil 3': 4, "": 5}, {})
    assert text.count("\n") == 3
    assert "evil" not in text
