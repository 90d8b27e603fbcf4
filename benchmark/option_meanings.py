"""What options of data sets, models, objectives and metrics mean, with units, where their own text does not say it."""

_SPEECH = {
    "sample_rate": "Hz",
    "clip_seconds": "seconds; of a clip of the training and of the validation set",
    "test_seconds": "seconds; of a test clip",
    "clips_per_recording": "whole number; at most so many clips of one recording, all where null",
}
_SHARED = {
    **_SPEECH,
    "path": "a folder",
    "limit": "whole number; recordings or images of a split, at most",
    "test_items": "whole number; so many of the test set, evenly spaced, or drawn; all where null",
    "dim": "whole number; the latent dimension D",
    "latent_dim": "whole number; the latent dimension D",
    "width": "whole number; channels",
    "residual_blocks": "whole number; of the encoder, and of the decoder",
    "residual_width": "whole number; channels inside a residual block",
    "encoder_widths": "list of whole numbers; channels of each layer's encoder, from the lowest up",
    "decoder_widths": "list of whole numbers; channels of each layer's decoder, from the lowest up",
    "weight": "number; multiplies the error",
    "mel_weight": "number; of the mel distance",
    "waveform_weight": "number; of the waveform's squared error",
    "perceptual_weight": "number; of LPIPS",
    "adversarial_weight": "number; of the loss by the discriminator",
    "feature_weight": "number; of feature matching",
    "spectra_weight": "number; of the discriminators over spectra",
    "windows": "list of whole numbers; samples",
    "bands": "list of whole numbers; mel bands at each window",
    "discriminator_width": "whole number; channels of its first layer",
    "discriminator_layers": "whole number; of its strided convolutions",
    "start": "whole number; step of the run",
    "learning_rate": "number; a step of the optimiser",
    "warmup_steps": "whole number; steps",
    "shift": "number; added to every coordinate",
    "drift_steps": "whole number; steps",
    "unmapped": "true or false; also usage and rank of the codewords before a method's map",
    "training_codes": "true or false; also usage over all training items",
    "distinct_codes": "true or false; also how many different codes there are",
    "extra": "list of names, or of mappings with a name; further metrics",
}
_OWN = {
    ("mixture", "components"): "whole number; of the mixture",
    ("planted", "kind"): "clustered, drifting or identical",
    ("shifted", "law"): "gaussian or uniform",
    ("perceptual_adversarial", "pixel"): "l1 or l2; the error a value",
    ("perceptual_adversarial", "weighting"): "fixed or adaptive; of the adversarial loss",
    ("perceptual_adversarial", "generator_loss"): "non_saturating or hinge",
    ("perceptual_adversarial", "discriminator_loss"): "hinge or non_saturating",
    ("distances", "features"): "name of an extractor",
}


def meaning(entry: str, option: str) -> str:
    """Type, unit and meaning of an option of what is called ``entry``; empty where its own text alone says."""
    return _OWN.get((entry, option), _SHARED.get(option, ""))
