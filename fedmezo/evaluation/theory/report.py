"""The page that a measurement leaves: a table, the rate next to its bounds, and what to make of it."""

from collections.abc import Callable, Sequence

from fedmezo.core.text import when
from fedmezo.evaluation.theory.blocks_report import section
from fedmezo.evaluation.theory.findings import Chosen, Findings
from fedmezo.evaluation.theory.heterogeneity import Constants
from fedmezo.evaluation.theory.markdown import table
from fedmezo.evaluation.theory.step_condition import StepCondition

Row = tuple[str, Callable[[Findings], object]]

QUANTITIES: tuple[Row, ...] = (
    ("gradient: ‖grad f‖^2", lambda at: at.spread.squared_norm),
    ("batches: E ‖grad f_b - grad f_i‖^2", lambda at: at.spread.batch_variance),
    ("  over ‖grad f‖^2 (c_g, if sigma_g = 0)", lambda at: at.spread.batch_factor),
    ("clients: ‖grad f_i - grad f‖^2, mean", lambda at: at.spread.client_variance),
    ("  over ‖grad f‖^2 (c_h, if sigma_h = 0)", lambda at: at.spread.client_factor),
    ("Hessian: trace", lambda at: at.curvature.trace),
    ("  trace of abs(H)", lambda at: at.curvature.absolute_trace),
    ("  largest eigenvalue, at least", lambda at: at.curvature.largest),
    ("  an eigenvalue is within", lambda at: f"{at.curvature.largest_residual:.2g}"),
    ("  smallest eigenvalue, at most", lambda at: at.curvature.smallest),
    ("  an eigenvalue is within", lambda at: f"{at.curvature.smallest_residual:.2g}"),
    ("  effective rank r = tr(H+) / lambda_max", lambda at: at.curvature.rank),
    ("  stable rank tr(H^2) / ‖H‖^2", lambda at: at.curvature.stable_rank),
    ("smoothness L = ‖H‖", lambda at: f"{at.curvature.norm:.3g}"),
    ("  along the path since the point before", lambda at: at.smoothness or "-"),
)
ESTIMATES: tuple[Row, ...] = (
    ("estimate: E ‖g‖^2", lambda at: at.variance.measured if at.variance else "-"),
    ("  formula", lambda at: f"{at.variance.formula:.3g}" if at.variance else "-"),
    ("  measured over formula", lambda at: at.variance.ratio if at.variance else "-"),
)
RATES: tuple[Row, ...] = (
    ("  1 / (3 H L sqrt(c_g d))", lambda at: _term(at.condition, "dimension")),
    ("  the same with r for d", lambda at: _term(at.effective, "dimension")),
    ("  N / (3 c_g H L)", lambda at: _term(at.condition, "clients")),
    ("  1 / H^2", lambda at: _term(at.condition, "horizon")),
    ("local quadratic model: best rate", lambda at: f"{at.descent.best:.2g}" if at.descent else "-"),
    ("  loss expected to rise beyond", lambda at: f"{at.descent.edge:.2g}" if at.descent else "-"),
)


def page(
    findings: Sequence[Findings], chosen: Chosen, samples: str, constants: tuple[Constants, Constants] | None
) -> str:
    """Return the page, in Markdown that reads well as it is.

    Args:
        findings: by rounds.
        chosen: by the run's configuration.
        samples: how many there were, in words.
        constants: of batches and clients, fitted to the points; None where these are too few.
    """
    header = ["quantity", *(when(at.rounds_done) for at in findings)]
    rows = [[name, *(str(value(at)) for at in findings)] for name, value in _rows(findings)]
    rated = any(at.condition for at in findings)
    if rated:
        at = len(rows) - len(RATES)
        rows.insert(at, ["chosen rate", *(f"{chosen.rate:.2g}" for _ in findings)])
    parts = [table([header, *rows]), samples]
    if constants is not None:
        parts.append(_fitted(constants, len(findings)))
    parts += [section(at.compared, at.rounds_done) for at in findings if at.compared is not None]
    parts.append(verdict(findings[-1], chosen))
    return "\n\n".join(parts)


def _rows(findings: Sequence[Findings]) -> list[Row]:
    rows = list(QUANTITIES)
    if any(at.variance for at in findings):
        rows += ESTIMATES
    if any(at.condition for at in findings):
        rows += RATES
    return rows


def verdict(at: Findings, chosen: Chosen) -> str:
    """Return what the condition says of the chosen rate, and what that is worth."""
    if at.variance is None:
        return (
            "The run computes its gradients and estimates none: the step condition and the local quadratic model are "
            "of estimates, so that there is nothing to compare the chosen rate with."
        )
    if chosen.scaled:
        return (
            "The run's rate is not of projected gradients, but of what zo.normalise makes of them: neither the step "
            "condition nor the local quadratic model is of such steps."
        )
    if at.condition is None or at.effective is None or at.descent is None:
        return "The gradient is not told from zero here, so that neither is the step condition: take more batches."
    lines = [f"The step condition {when(at.rounds_done)}: {_compared(at.condition)}."]
    lines.append(f"With the effective rank in the place of d: {_compared(at.effective)}.")
    if chosen.used != (chosen.rate, chosen.rate):
        low, high = chosen.used
        bound = at.condition.bound
        lines.append(
            f"The run used rates from {low:.2g} to {high:.2g}: {low / bound:,.3g} to {high / bound:,.3g} times it."
        )
    if not at.condition.satisfied:
        lines.append(
            "That is usual, and no fault: the condition is sufficient, not necessary. It is for the worst function "
            "that is as smooth, as curved in all d directions as in the steepest; where it is not met, convergence is "
            "not proven, nor is divergence."
        )
    lines.append(_model(at, chosen))
    return "\n".join(lines)


def _compared(condition: StepCondition) -> str:
    bound = f"{condition.bound:.2g} ({condition.binding})"
    if condition.satisfied:
        return f"{condition.rate:.2g} is within the bound {bound}, of which it is {condition.ratio:.2g}"
    return f"{condition.rate:.2g} is {condition.ratio:,.3g} times the bound {bound}"


def _model(at: Findings, chosen: Chosen) -> str:
    assert at.descent is not None
    change, trace = at.descent(chosen.rate), at.curvature.trace
    said = f"the loss is expected to {'fall' if change < 0 else 'rise'} by {abs(change):.2g} in the next round"
    unsure = "" if trace.positive else f" (the trace, {trace}, is not told from zero: the best rate may be anything)"
    return f"In the local quadratic model {said} at {chosen.rate:.2g}{unsure}. `--suggest` tries rates instead."


def _fitted(constants: tuple[Constants, Constants], points: int) -> str:
    batches, clients = constants
    return (
        f"Least squares over {points} points, none negative: c_g {batches.factor}, sigma_g^2 {batches.floor}; "
        f"c_h {clients.factor}, sigma_h^2 {clients.floor}. Points of one run are alike, so that c and sigma^2 are hard "
        "to tell apart."
    )


def _term(condition: StepCondition | None, name: str) -> str:
    return "-" if condition is None else f"{dict(condition.terms)[name]:.2g}"  # type: ignore[index]
