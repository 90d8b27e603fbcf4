"""How the metrics of priors and of images drawn from them are shown: `benchmark.priors` measures them."""

from benchmark.metrics.catalogue import Metric, register

_BITS = "bits/dim"
_POSITION = "bits/position"
METRICS = {
    "code_length": Metric(
        "Code length",
        "two-part code of a test image, an upper bound on −log₂ p(image): its class, its codes under the prior, and "
        "its pixels under a discretised logistic around the decoder's image, one scale fitted on validation images",
        ".3f",
        "lower",
        _BITS,
    ),
    "code_length_codes": Metric(
        "Code length, codes", "the part of the code length that class and codes take", ".3f", unit=_BITS
    ),
    "code_length_pixels": Metric(
        "Code length, pixels", "the part of the code length that pixels take", ".3f", unit=_BITS
    ),
    "pixel_scale": Metric("Scale", "of the logistic around the decoder's image, images in [-1, 1]", ".4f"),
    "nll": Metric(
        "NLL", "−log₂ P of a code of the test images under the prior, given those before it", ".3f", unit=_POSITION
    ),
    "nll_train": Metric("NLL (training)", "the same of as many training images", ".3f", unit=_POSITION),
    "single_entropy": Metric(
        "Single codes",
        "entropy of the frequencies of the test images' codes, which a prior without structure has",
        ".3f",
        unit=_POSITION,
    ),
    "structure": Metric(
        "Structure",
        "entropy of single codes less NLL: what the prior found of how codes depend on class, place and each other",
        ".3f",
        unit=_POSITION,
    ),
    "samples_usage": Metric("Usage (samples)", "share of the joint codes that samples hit at least once", ".1%"),
    "samples_perplexity": Metric(
        "Perplexity (samples)", "exp of the entropy of the frequencies of samples' codes", ",.1f", unit="codes"
    ),
    "samples_nearest_train": Metric(
        "Sample to training image",
        "root mean squared difference a value, images in [-1, 1], of a sample and the training image nearest to it, "
        "mean over at most 1,000",
        ".4f",
    ),
    "test_nearest_train": Metric(
        "Test to training image", "the same of test images: samples far below it are copies", ".4f"
    ),
    "samples_class_told": Metric(
        "Class told",
        "share of samples that the classifier puts into the class that the prior was told",
        ".1%",
        "higher",
    ),
    "guidance_strength": Metric(
        "Guidance",
        "strength of the guidance, of those that were tried the one whose samples have the least kernel distance to "
        "validation images; 1 is none",
        ".2f",
    ),
    "guided_class_told": Metric(
        "Class told, guided", "share of guided samples that the classifier puts into their class", ".1%", "higher"
    ),
    "trained_accuracy": Metric(
        "Trained on them",
        "accuracy on the test images of a small classifier that was trained on these",
        ".1%",
        "higher",
    ),
    "samples_trained_accuracy": Metric(
        "Trained on samples",
        "accuracy on the test images of a small classifier that was trained on the samples and the classes they were "
        "drawn for",
        ".1%",
        "higher",
    ),
    "reconstructions_trained_accuracy": Metric(
        "Trained on reconstructions", "the same of as many reconstructions of training images", ".1%", "higher"
    ),
    "train_trained_accuracy": Metric(
        "Trained on real images", "the same of as many training images: no prior matters there", ".1%", "higher"
    ),
    "reconstructions_class_told": Metric(
        "Class told (reconstructions)",
        "share of reconstructions of test images that the classifier puts into their class",
        ".1%",
        "higher",
    ),
}
_SHARES = {
    "precision": (
        "Precision",
        "share of {0} within the ball around a real image that reaches its fifth neighbour",
        ".1%",
    ),
    "recall": ("Recall", "share of real images within the ball of {0} to the fifth neighbour", ".1%"),
    "density": ("Density", "balls of real images that hold {0}, over 5; 1 where both are alike", ".3f"),
    "coverage": ("Coverage", "share of real images whose ball holds {0}", ".1%"),
}
"""Naeem et al., arXiv 2002.09797, of the features that the distances have."""

for _name, _metric in METRICS.items():
    register(_name, _metric)
for _of in ("samples", "guided", "reconstructions"):
    for _name, (_label, _text, _format) in _SHARES.items():
        _shown = _label if _of == "samples" else f"{_label} ({_of})"
        _what = "guided samples" if _of == "guided" else _of
        _made = Metric(_shown, _text.format(_what), _format, "none" if _name == "density" else "higher")
        register(f"{_of}_{_name}", _made)
