"""Known changes of images, from none to a lost class, in the order in which the table shows them."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from benchmark.data.base import spaced
from benchmark.data.fashion_mnist import CLASSES
from benchmark.seeds import derive_seed


class Images(NamedTuple):
    """Grey images uint8 ``[N, 1, H, W]``, their ``classes [N]``, and other images of the same kind, as many or more."""

    images: Tensor
    classes: Tensor
    others: Tensor


class Change(NamedTuple):
    """One row: what is done to the images.

    ``paired``: whether an image has anything to do with the one in its place, without which only distances between
    distributions mean something.
    """

    label: str
    make: Callable[[Images], Tensor]
    paired: bool = True


def background_noise(given: Images, highest: int) -> Tensor:
    """Grey levels drawn evenly from 0 to ``highest`` where the image is black."""
    noise = torch.randint(0, highest + 1, given.images.shape, generator=_generator("background"), dtype=torch.uint8)
    return torch.where(given.images == 0, noise, given.images)


def gaussian_noise(given: Images, sigma: float) -> Tensor:
    """Gaussian noise of ``sigma`` grey levels on every pixel."""
    return _bytes(given.images + sigma * torch.randn(given.images.shape, generator=_generator("gaussian")))


def blur(given: Images, sigma: float) -> Tensor:
    """Gaussian blur of ``sigma`` pixels, the border repeated."""
    from scipy.ndimage import gaussian_filter  # takes a while to import

    blurred = gaussian_filter(given.images.float().numpy(), (0, 0, sigma, sigma), mode="nearest")
    return _bytes(torch.from_numpy(blurred))


def shift(given: Images, pixels: int) -> Tensor:
    """Everything ``pixels`` to the right, black on the left."""
    moved = torch.roll(given.images, pixels, dims=3)
    moved[..., :pixels] = 0
    return moved


def grey_levels(given: Images, levels: int) -> Tensor:
    """Rounded to ``levels`` grey levels, evenly spaced from black to white."""
    step = 255 / (levels - 1)
    return _bytes((given.images / step).round() * step)


def lost_class(given: Images, lost: int) -> Tensor:
    """Every image of a class replaced by the nearest image (squared error) of another class."""
    inside = given.classes == lost
    flat = given.images.flatten(1).float()
    nearest = torch.cdist(flat[inside], flat[~inside]).argmin(1)
    changed = given.images.clone()
    changed[inside] = given.images[~inside][nearest]
    return changed


def other_images(given: Images) -> Tensor:
    """As many other images, evenly spaced."""
    return given.others[spaced(len(given.others), len(given.images))]


CHANGES = (
    Change("identical copies", lambda given: given.images.clone()),
    Change("noise of 0 to 4 grey levels on black pixels", partial(background_noise, highest=4)),
    *(Change(f"Gaussian noise, σ = {sigma} grey levels", partial(gaussian_noise, sigma=sigma)) for sigma in (2, 8, 32)),
    *(Change(f"Gaussian blur, σ = {sigma} px", partial(blur, sigma=sigma)) for sigma in (0.5, 1, 2)),
    *(Change(f"shift by {pixels} px", partial(shift, pixels=pixels)) for pixels in (1, 2)),
    *(Change(f"{levels} grey levels", partial(grey_levels, levels=levels)) for levels in (16, 4)),
    *(Change(f"class `{CLASSES[lost]}` lost", partial(lost_class, lost=lost)) for lost in (1, 6)),
    Change("training images", other_images, paired=False),
)


def _generator(name: str) -> torch.Generator:
    return torch.Generator().manual_seed(derive_seed("sensitivity", name))


def _bytes(levels: Tensor) -> Tensor:
    return levels.round().clamp(0, 255).to(torch.uint8)
