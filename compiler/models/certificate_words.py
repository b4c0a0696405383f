"""Says in words what a certificate vouches for."""

from edge.bundle.certificate import Certificate, ModelCertificate, Parity


def certificate_lines(certificate: Certificate | None) -> list[str]:
    """One line a model, for reports."""
    return [] if certificate is None else [certificate_line(model) for model in certificate.models]


def certificate_line(model: ModelCertificate) -> str:
    """What it is, how far its graph is from it, and what it costs."""
    return f"model {model.name} ({model.recipe}): {_parity(model.parity)}{_found(model)}; {_cost(model)}"


def origin_lines(model: ModelCertificate) -> list[str]:
    """How a model came about: settings, what it was trained on and by, and its metrics."""
    settings = ", ".join(f"{name} {_number(value)}" for name, value in sorted(model.settings.items()))
    lines = [
        f"  settings: {settings or 'none'}; seed {model.seed}",
        f"  trained on {model.data[:12] or 'unknown data'} by code {model.code[:12] or 'unknown'}",
    ]
    if model.metrics:
        figures = ", ".join(f"{name} {_number(value)}" for name, value in model.metrics.items())
        lines.append(f"  measured{' (split: ' + model.split + ')' if model.split else ''}: {figures}")
    return lines


def _parity(parity: Parity) -> str:
    if not parity.rows:
        return "no real rows to compare it on"
    error = f"within {parity.error:.1g} of" if parity.error else "equal to"
    if not parity.top:
        return f"on {parity.rows:,} real rows {error} its reference{_flips(parity)}"
    lists = f"{parity.agreement:.1%} of its lists of {parity.top} the same"
    flips = f", {parity.flips:,} decided differently" if parity.flips else ""
    return f"on {parity.rows:,} real rows {error} its reference, {lists}{flips}"


def _cost(model: ModelCertificate) -> str:
    cost = model.cost
    items = f" for {cost.candidates:,} items" if model.parity.top else ""
    return f"{cost.bytes / 1000:,.0f} kB, {cost.operations:,} operations a visitor{items}"


def _found(model: ModelCertificate) -> str:
    found = model.shortlist
    if found is None:
        return ""
    return f", {found.recall:.1%} of the best {found.top} among {found.looked_at:,} that it looks at"


def _flips(parity: Parity) -> str:
    near = ", ".join(f"{threshold:g}" for threshold in parity.thresholds)
    at = f" by {near}" if near else ""
    return f", {parity.flips:,} decided differently{at}"


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"
