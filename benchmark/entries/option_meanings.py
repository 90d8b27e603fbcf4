"""What options of data sets, models, objectives and metrics mean, with units, where their own text does not say it."""

_SPEECH = {
    "sample_rate": "Hz",
    "clip_seconds": "seconds; of a clip of the training and of the validation set",
    "test_seconds": "seconds; of a test clip",
    "clips_per_recording": "at most so many clips of one recording, all where null",
}
_SHARED = {
    **_SPEECH,
    "path": "a folder",
    "limit": "recordings or images of a split, at most",
    "test_items": "so many of the test set, evenly spaced, or drawn; all where null",
    "dim": "the latent dimension D",
    "latent_dim": "the latent dimension D",
    "width": "channels",
    "residual_blocks": "of the encoder, and of the decoder",
    "residual_width": "channels inside a residual block",
    "encoder_widths": "channels of each layer's encoder, from the lowest up",
    "decoder_widths": "channels of each layer's decoder, from the lowest up",
    "weight": "multiplies the error",
    "mel_weight": "of the mel distance",
    "waveform_weight": "of the waveform's squared error",
    "perceptual_weight": "of LPIPS",
    "adversarial_weight": "of the loss by the discriminator",
    "feature_weight": "of feature matching",
    "spectra_weight": "of the discriminators over spectra",
    "windows": "samples",
    "bands": "mel bands at each window",
    "discriminator_width": "channels of its first layer",
    "discriminator_layers": "of its strided convolutions",
    "start": "step of the run",
    "learning_rate": "a step of the optimiser",
    "warmup_steps": "steps",
    "shift": "added to every coordinate",
    "drift_steps": "steps",
    "unmapped": "also usage and rank of the codewords before a method's map",
    "training_codes": "also usage over all training items",
    "distinct_codes": "also how many different codes there are",
    "extra": "names of further metrics, or mappings with a name and options",
}
_OWN = {
    ("mixture", "components"): "of the mixture",
    ("planted", "kind"): "clustered, drifting or identical",
    ("shifted", "law"): "gaussian or uniform",
    ("perceptual_adversarial", "pixel"): "l1 or l2; the error a value",
    ("perceptual_adversarial", "weighting"): "fixed or adaptive; of the adversarial loss",
    ("perceptual_adversarial", "generator_loss"): "non_saturating or hinge",
    ("perceptual_adversarial", "discriminator_loss"): "hinge or non_saturating",
    ("distances", "features"): "name of an extractor",
}


def meaning(entry: str, option: str) -> str:
    """Unit and meaning of an option of what is called ``entry``; empty where its own text alone says."""
    return _OWN.get((entry, option), _SHARED.get(option, ""))
