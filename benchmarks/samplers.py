"""How well few steps keep the spread of Gaussian data of several widths: sampled over true standard deviation.

``python -m benchmarks.samplers [--steps 4 8 20]`` prints a Markdown table. The best denoiser of Gaussian data is known,
so that this is the samplers' own error.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import torch

from forecast.process import EDM, FlowMatching
from forecast.samplers import STEPS, sample

if TYPE_CHECKING:
    from torch import Tensor

    from forecast.process import Process
    from forecast.samplers import SamplerName

WIDTHS = (0.1, 0.2, 0.4, 0.7, 1.0, 1.5)
PROCESSES: dict[str, Process] = {
    "flow matching": FlowMatching(),
    "flow matching, rho 2": FlowMatching(rho=2),
    "flow matching, rho 3": FlowMatching(rho=3),
    "EDM": EDM(),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, nargs="+", default=[4, 8, 20])
    rows = [["steps", "sampler", "noise levels", *map(str, WIDTHS)]]
    rows.append(["---"] * len(rows[0]))
    for steps in parser.parse_args().steps:
        for name in STEPS:
            for levels, process in PROCESSES.items():
                spread = sampled_spread(name, process, steps).tolist()
                rows.append([str(steps), name, levels, *(f"{value:.2f}" for value in spread)])
    print("\n".join("| " + " | ".join(row) + " |" for row in rows))


def sampled_spread(name: SamplerName, process: Process, steps: int) -> Tensor:
    """Of data N(0, width^2), over the width: the factor that the sampler multiplies unit noise by, over the width."""
    width = torch.tensor(WIDTHS, dtype=torch.float64)[None]

    def denoise(x: Tensor, s: Tensor) -> Tensor:
        """E[clean | x = clean + s e]."""
        return x * width**2 / (width**2 + s[:, None] ** 2)

    drawn = sample(name, denoise, torch.ones_like(width), process.sampling_noise_levels(steps))
    return (drawn / width)[0].abs()


if __name__ == "__main__":
    main()
