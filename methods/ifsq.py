"""iFSQ: FSQ squashed so that normal latents use all levels alike."""

from torch import Tensor

from methods.core.base import Card
from methods.core.registry import register
from methods.core.usage import check_range
from methods.fsq import FSQ, choose_levels

_SLOPE = 1.6
_LEVELS = (17, 15, 13, 11, 9, 7, 5)


@register("ifsq")
class IFSQ(FSQ):
    """`fsq` with 2·sigmoid(1.6 x) - 1 in place of tanh, which makes N(0, 1) nearly uniform, and odd numbers of levels.

    "iFSQ: Improving FSQ for Image Generation with 1 Line of Code", arXiv 2601.17124 (tanh is the same with 2 in place
    of 1.6).

    Sizes: the product of odd numbers of levels from 5 to 17 nearest to the wanted one, the fewest channels first, if it
    is within 7 %; the authors' four channels of 17 are 83,521 codes.
    """

    card = Card(
        idea="FSQ with a sigmoid by which normal latents use all levels of a channel alike",
        paper='"iFSQ: Improving FSQ for Image Generation with 1 Line of Code", arXiv 2601.17124',
        code="Tencent-Hunyuan/iFSQ, ifsq/src/model/modules/fsq.py, GroupFSQ(do_simple_bound=True, "
        'act_fun="scale_sigmoid_16")',
        trains="projections D x d and d x D (d = 2 to 6 channels); no codebook, no loss of its own",
        memory="N·d",
        differences=(
            "owns linear projections from D to the d channels and back, where the authors let encoder and decoder "
            "have d channels",
            "the authors give the levels of each channel; here the nearest product of odd ones from 5 to 17 is taken",
        ),
        evidence=(
            "the authors' GroupFSQ (commit e78bd70) with the same projections and levels, 2,048 normal latents (std 2) "
            "at 256, 1,024, 4,096, 16,384, 65,536 and 83,521 codes: codes, output and gradient of the latents equal "
            "bit for bit",
        ),
    )

    @classmethod
    def channel_levels(cls, codebook_size: int) -> tuple[int, ...]:
        """Odd levels of each channel, with the product nearest to ``codebook_size``."""
        check_range("codebook_size", codebook_size, 1)
        return choose_levels(codebook_size, _LEVELS, cls.name)

    def bound(self, inner: Tensor) -> Tensor:
        """Projected latents squashed so that rounding gives the digits minus ⌊L/2⌋."""
        return (2 * (_SLOPE * inner).sigmoid() - 1) * self.half_width
