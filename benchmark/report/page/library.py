"""Vega-Lite with what it needs, as one script from the package `vl-convert-python`; nothing is fetched."""

from functools import cache

from methods.core.usage import UsageError


@cache
def charts() -> str:
    """The script: defines ``vegaEmbed``. Bundled anew in each process, in a few seconds.

    Raises:
        UsageError: the package is not installed.
    """
    try:
        import vl_convert
    except ImportError:
        raise UsageError(
            "charts of the page need the package `vl-convert-python`; `make setup` installs it, or `pip install "
            "'codebook-bench[page]'`"
        ) from None
    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed"))
