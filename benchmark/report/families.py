"""Families of methods by what they change: the colours where there are more arms than a legend can tell apart."""

_GREY = "#7a7a7a"
OTHERS = "others"
"""What has no codes, what serves as a yardstick, and another library's."""
OWN = "methods of your own"

COLOURS = {
    "plain codebook": "#0072b2",
    "other gradients": "#56b4e9",
    "restarted codewords": "#e69f00",
    "codewords behind a map": "#d55e00",
    "matched distributions": "#999933",
    "soft assignment": "#cc79a7",
    "fixed grid": "#009e73",
    "several levels": "#882255",
    OWN: "#111111",
    OTHERS: _GREY,
}
"""In the order in which they stand below each other; Okabe and Ito's colours and two of Paul Tol's."""

_MEMBERS = {
    "plain codebook": ("vq_vae", "vq_vae_ema"),
    "other gradients": ("rotation_trick", "nsvq", "diveq"),
    "restarted codewords": ("codebook_reset", "cvq_vae", "ema_expiry"),
    "codewords behind a map": ("simvq", "affine_vq", "dimvq", "factorized_vq", "fvq", "trans_vq", "vqgan_lc"),
    "matched distributions": ("optvq", "vp_vae", "vq_wae", "wasserstein_vq"),
    "soft assignment": ("sq_vae", "edvae", "gaussian_quant", "gumbel_vq", "ibq"),
    "fixed grid": ("fsq", "ifsq", "fsp", "lfq", "bsq", "ll_vq_vae"),
    "several levels": ("residual_vq", "residual_simvq", "residual_fsq", "product_vq", "qinco", "hqa"),
    OTHERS: ("sc_vae", "vector_quantize_pytorch", "no_quantization", "kmeans"),
}
_FAMILY = {method: family for family, methods in _MEMBERS.items() for method in methods}


def family_of(method: str) -> str:
    """The family of a method; a plug-in's is that of one's own."""
    return _FAMILY.get(method, OWN)


def place_of(family: str) -> int:
    """Where a family stands among the others."""
    return list(COLOURS).index(family)
