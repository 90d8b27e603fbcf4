"""The second stage: models of the codes of trained tokenizers, sampling, code length."""
