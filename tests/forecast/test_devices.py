"""What the hardware can do."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

from forecast.devices import computes_bfloat16


@pytest.mark.parametrize(
    ("has", "expected"),
    [({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({"bf16": True}, True), ({"avx2": True}, False)],
)
def test_processors_that_multiply_in_bfloat16(
    monkeypatch: pytest.MonkeyPatch, has: dict[str, bool], expected: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has, raising=False)
    assert computes_bfloat16(torch.device("cpu")) is expected


def test_a_torch_that_does_not_tell_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not computes_bfloat16(torch.device("cpu"))


@pytest.mark.parametrize("emulated", [True, False])
def test_a_gpu_that_only_emulates_it_does_not_count(monkeypatch: pytest.MonkeyPatch, emulated: bool) -> None:
    monkeypatch.setattr(torch.cuda, "device", lambda _: nullcontext())
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda *, including_emulation: including_emulation or not emulated
    )
    assert computes_bfloat16(torch.device("cuda")) is not emulated
