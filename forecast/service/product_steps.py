"""Products of a forecast that was published before its job wanted any; else they are made while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forecast.products import make_products
from forecast.service.work import Step

if TYPE_CHECKING:
    from forecast.service.job_file import JobFile


def product_steps(job: JobFile, *, progress: bool) -> list[Step]:
    """The step that makes the job's products, if it wants any."""
    output, products = job.main_output, job.products
    if products is None:
        return []
    assert output is not None, "the job file was checked"
    return [
        Step(
            "products",
            (products.name,),
            lambda folder: make_products(folder / output.name, products, folder / products.name, progress=progress),
        )
    ]
