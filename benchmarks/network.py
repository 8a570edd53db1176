"""What the network costs, as JSON: share of this machine's matmul peak, training and forecasting speed, memory.

    python -m benchmarks.network [--device cuda] [--compile]
    python -m benchmarks.network --network transformer --widths 192 --blocks 4

Every share is between two things measured in this one run, in the same precision. On a GPU, float32 is computed with
TF32, in convolutions and in products alike.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from data_pipeline.forcings import FORCING_NAMES
from data_pipeline.grid import Grid
from forecast.config import ModelConfig
from forecast.devices import choose_device
from forecast.networks import NETWORKS
from forecast.networks.embedding import Condition

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

CHANNELS, STATIC = 22, 4
MEMBERS, DAYS, SECONDS = 50, 15, 60
"""The target: so many members for so many days at 24-hour steps on 48x96 within so many seconds on two cores."""


def main() -> None:
    """Measure and print."""
    options = _options()
    device = torch.device(choose_device(options.device))
    grid = Grid.equiangular(options.latitudes, 2 * options.latitudes, poles=False)
    model = ModelConfig(network=options.network, widths=tuple(options.widths), blocks=options.blocks, step_hours=24)
    network = NETWORKS[model.network]([1] * _inputs(), CHANNELS, model).to(device).to(memory_format=torch.channels_last)
    if options.compile:
        network.compile()
    result: dict[str, Any] = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(), "grid": grid.shape, "batch": options.batch, "network": options.network,
        "widths": options.widths, "blocks": options.blocks,
        "parameters": sum(value.numel() for value in network.parameters()),
    }  # fmt: skip
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True  # by default they differ
    single = "float32 (TF32)" if device.type == "cuda" else "float32"
    for name, dtype in {single: None, "bfloat16": torch.bfloat16}.items():
        result[name] = measured(network, grid.shape, options.batch, device, dtype)
    print(json.dumps(result, indent=2))


def measured(
    network: nn.Module, shape: tuple[int, int], batch: int, device: torch.device, dtype: torch.dtype | None
) -> dict[str, float]:
    """Forward and training speed in one precision."""
    fields = torch.randn(batch, _inputs(), *shape, device=device).to(memory_format=torch.channels_last)
    condition = Condition(torch.rand(batch, device=device), torch.ones(batch, device=device))
    cast = torch.autocast(device.type, dtype) if dtype else nullcontext()

    def forward() -> Tensor:
        output: Tensor = network(fields, condition)
        return output

    def forecast() -> None:
        with torch.inference_mode(), cast:
            forward()

    def train() -> None:
        with cast:
            forward().square().mean().backward()  # type: ignore[no-untyped-call]
        network.zero_grad()

    with FlopCounterMode(display=False) as counter, torch.inference_mode(), torch.compiler.set_stance("force_eager"):
        forward()
    flops, seconds = counter.get_total_flops(), best(forecast, device)
    peak = matmul_peak(device, dtype or torch.float32)
    training = best(train, device, repeats=3)
    return {
        "evaluations_per_second": round(batch / seconds, 1),
        "milliseconds_per_evaluation": round(1000 * seconds / batch, 3),
        "gflop_per_evaluation": round(flops / batch / 1e9, 3),
        "teraflops_reached": round(flops / seconds / 1e12, 4),
        "teraflops_of_matmul": round(peak / 1e12, 4),
        "share_of_matmul": round(flops / seconds / peak, 3),
        "training_samples_per_second": round(batch / training, 1),
        "seconds_for_the_target_ensemble": round(MEMBERS * DAYS * seconds / batch, 2),
        "peak_memory_gb": round(peak_memory(device) / 1e9, 2),
    }


def matmul_peak(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP/s of a large square product."""
    size = 8192 if device.type == "cuda" else 2048
    left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    return 2 * size**3 / best(lambda: left @ right, device)


def best(work: Callable[[], object], device: torch.device, repeats: int = 5) -> float:
    """The shortest of several runs, in seconds, after one that does not count."""
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])


def peak_memory(device: torch.device) -> float:
    """Bytes, of this process or on the GPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def _inputs() -> int:
    return 3 * CHANNELS + len(FORCING_NAMES) + STATIC


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", help="default: a GPU, if there is one")
    parser.add_argument("--network", default="unet")
    parser.add_argument("--widths", type=int, nargs="+", default=[64, 128, 256])
    parser.add_argument("--blocks", type=int, default=1)
    parser.add_argument("--latitudes", type=int, default=48)
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--compile", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
