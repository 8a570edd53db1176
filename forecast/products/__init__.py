"""What forecasters act on: mean, spread, quantiles, probabilities and extremes over windows of an ensemble."""

from forecast.products.config import ProductsConfig
from forecast.products.make import make_products

__all__ = ["ProductsConfig", "make_products"]
