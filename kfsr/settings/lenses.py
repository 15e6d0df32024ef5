"""Heaps of photographs, and lenses."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HeapSettings:
    """Two heaps of photographs. patch: side of a spectral patch of the blurred ones, and field_patch in a field of
    kernels, whose cells are small. patches: of one photograph, at most, and cell_patches of one cell of one. groups: of
    photographs, by their order; each has its own brightness and slope of the spectrum, and a photograph more takes no
    more memory; field_groups: in a field. window: side of what edges are looked for in, in one photograph of each
    group. lowest_frequency: cycles per pixel below which the window leaks. robustness: softens outliers of the log
    spectra. slope: weight that holds the scenes' slopes near the clean ones'; field_slope: near those of all cells, in
    a field. tail: power of Moffat's kernels, whose halo goes with their core: that of the one measured lens; where it
    is free, halo and brightness stand for each other. edges: weight of the edges' equations. roughness: weight of a
    kernel's differences. sharpness: L0 weight of the few edges; edge_width: of a photograph's, in pixels
    (`ShakeSettings`): the spectra tell it here, and wider ones made no kernel better. first_windows: of one of the two
    starts; first_rounds: from each; start_margin: of the misfit, by which the one of all windows must be better;
    rounds: of edges and kernel in turn, at the end; stride: how far a round goes, of the way that it found. iterations,
    field_iterations: of L-BFGS in a round. first_cut, first_island: of the start (`ShakeSettings`): many photographs
    tell small values from noise. room: pixels that the canvas is wider than the start. cut: share of the peak under
    which a value is noise; island: share of the weight under which a part is. canvas_roughness, canvas_margin:
    `roughness`, and of the misfit, where a canvas cuts off a resizer's kernel. lens_support: side of a field's kernels.
    smoothness: weight of the difference of neighbours in a field."""

    patch: int = 128
    field_patch: int = 64
    patches: int = 1500
    cell_patches: int = 36
    groups: int = 24
    field_groups: int = 6
    window: int = 400
    lowest_frequency: float = 0.03
    robustness: float = 0.03
    slope: float = 0.03
    field_slope: float = 0.3
    tail: float = 2.25
    edges: float = 5.0
    roughness: float = 0.004
    sharpness: float = 2e-3
    edge_width: float = 0.0
    first_windows: int = 8
    first_rounds: int = 4
    start_margin: float = 1.5e-4
    rounds: int = 6
    stride: float = 2.0
    iterations: int = 100
    field_iterations: int = 150
    first_cut: float = 0.02
    first_island: float = 0.03
    room: int = 8
    cut: float = 0.01
    island: float = 0.02
    canvas_roughness: float = 0.02
    canvas_margin: float = 0.001
    lens_support: int = 25
    smoothness: float = 0.001


@dataclass(frozen=True)
class OwnLensSettings:
    """A lens from one photograph. lateral_cells, softness_cells: rows and columns of the frame, at most, of which each
    gives its busiest window. quantile: of the windows' sizes. steepness: price of a slope from the middle to the
    corners, in mean weights of a window, so that a few windows do not tilt it. sharp: pixels, deviation that sharp
    photographs are judged to have, and that is not taken for the lens's. least_windows: that must have edges.
    least_doubt, doubt: uncertainty that the solver is told, and what is added per spread. denoise: share of the grain
    that is taken away, where the user does not say."""

    lateral_cells: tuple[int, int] = (20, 30)
    softness_cells: tuple[int, int] = (8, 12)
    quantile: float = 0.25
    steepness: float = 0.4
    sharp: float = 0.45
    least_windows: int = 6
    least_doubt: float = 0.1
    doubt: float = 0.5
    denoise: float = 0.5
