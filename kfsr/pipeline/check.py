"""Whether a recipe can be followed: its methods exist and fit together. Called before any work."""

from __future__ import annotations

from collections.abc import Iterable

import kfsr.estimators.registry as estimators
import kfsr.solvers.registry as solvers
from kfsr.errors import UsageError
from kfsr.estimators.registry import estimator
from kfsr.recipe import Recipe, option
from kfsr.solvers.registry import solver
from kfsr.solvers.unrolled import UnrolledNet
from kfsr.weights import network


def check(recipe: Recipe, device: str = "cpu", *, has_kernel: bool = False) -> None:
    """Raise UsageError for a recipe that cannot be followed, InputError for weights that cannot be used.

    has_kernel: a kernel is given beside the recipe, so that none is estimated.
    """
    if has_kernel and recipe.kernel is not None:
        raise UsageError("two kernels are given; leave one of them out")
    own_kernel = not has_kernel and recipe.kernel is None
    check_method(recipe)
    chosen = solver(recipe.solver)
    _check_scale(recipe.scale, chosen.scales, f"the solver {recipe.solver}", solvers.names(recipe.scale))
    for field, taken in (
        ("weights", bool(chosen.networks)),
        ("uncertainty", chosen.uncertain),
        ("denoise", chosen.gate is not None),
    ):
        if getattr(recipe, field) is not None and not taken:
            raise UsageError(
                f"the solver {recipe.solver} takes no {field}; leave {option(field)} out or use the solver unrolled"
            )
    if recipe.weights is not None:
        net = network(recipe.weights, chosen.networks, device)
        if recipe.uncertainty is not None and not isinstance(net, UnrolledNet):
            raise UsageError(f"{recipe.weights}: USRNet's weights take no uncertainty; leave --uncertainty out")
    if recipe.joint:
        _check_joint(recipe, own_kernel)


def check_method(recipe: Recipe) -> None:
    """The same of the kernel method alone."""
    method = estimator(recipe.kernel_method)
    _check_scale(
        recipe.scale, method.scales, f"the kernel method {recipe.kernel_method}", estimators.names(recipe.scale)
    )
    if recipe.kernel_init in method.inits:
        return
    ikl = estimator("ikl")  # not before: loading that takes longer than all the rest here
    known = ikl.inits
    if recipe.kernel_init not in known:
        raise UsageError(f"there is no kernel init {recipe.kernel_init!r}; use one of {', '.join(known)}")
    what_to_do = "use the kernel method ikl" if recipe.scale in ikl.scales else f"leave {option('kernel_init')} out"
    raise UsageError(f"only ikl starts from a {recipe.kernel_init} kernel, not {recipe.kernel_method}; {what_to_do}")


def _check_scale(scale: int, scales: tuple[int, ...], what: str, others: Iterable[str]) -> None:
    if scale not in scales:
        at = ", ".join(map(str, scales))
        raise UsageError(f"{what} is not defined at scale {scale}, only at {at}; use one of {', '.join(others)} there")


def _check_joint(recipe: Recipe, own_kernel: bool) -> None:
    if not own_kernel or estimator(recipe.kernel_method).joint is None:
        given = recipe.kernel_method if own_kernel else "a kernel that is given"
        raise UsageError(f"only kernelfusion finds the picture with the kernel, not {given}; leave --joint out")
    fields, plain = ("refine", "weights", "uncertainty", "solver"), Recipe()
    unused = [one for one in fields if getattr(recipe, one) != getattr(plain, one)]
    if unused:
        names = " and ".join(option(one) for one in unused)
        raise UsageError(f"with --joint nothing is solved or refined; leave {names} out")
