"""Networks on the sphere, by name."""

from forecast.networks.unet import SphericalUNet

NETWORKS: dict[str, type[SphericalUNet]] = {"unet": SphericalUNet}

__all__ = ["NETWORKS", "SphericalUNet"]
