"""On a GPU the methods compute what they compute on a CPU, and the search there finds the nearest."""

import copy

import pytest
import torch

from methods import available, create, get
from methods.parts import nearest
from methods.parts.nearest import TOLERANCE, nearest_codes

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no GPU here")


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def assert_nearest(codes, latents, codewords):
    """In fp64, but for codewords whose distances fp32 can't tell apart."""
    latents, codewords = latents.double(), codewords.double()
    squared = torch.cdist(latents, codewords, compute_mode="donot_use_mm_for_euclid_dist").square()
    excess = squared.gather(1, codes[:, None])[:, 0] - squared.min(1).values
    scale = (latents.norm(dim=1) + codewords.norm(dim=1)[codes]).square()
    assert (excess <= TOLERANCE * scale).all(), (excess / scale).max()


@pytest.mark.parametrize("offset", [0.0, 30.0])
@pytest.mark.parametrize(
    ("rows", "size", "dim"),
    [(1, 1, 1), (7, 1500, 3), (300, 77, 8), (1568, 9000, 64), (513, 2049, 100), (64, 4096, 256)],
)
def test_the_search_finds_the_nearest(rows, size, dim, offset):
    latents, codewords = (normal(rows, dim) + offset).cuda(), (normal(size, dim, seed=1) + offset).cuda()
    codes = nearest_codes(latents, codewords)
    assert codes.dtype == torch.int64
    assert_nearest(codes, latents, codewords)


def test_the_kernel_is_what_searches():
    if torch.version.hip is not None or torch.cuda.get_device_capability() < (8, 0):
        pytest.skip("the kernel needs compute capability 8.0")
    search, _ = nearest._search_for(torch.device("cuda", 0))
    assert search.__name__ == "search_triton"


def test_a_large_search_agrees_with_the_search_by_blocks():
    latents, codewords = normal(50_000, 8).cuda(), normal(16_384, 8, seed=1).cuda()
    agree = nearest_codes(latents, codewords) == nearest.search_blocks(latents, codewords)[1]
    assert float(agree.float().mean()) > 0.9999


def test_of_equal_codewords_the_lowest_index_wins():
    for size in (1, 37, 640, 1037):
        base = normal(size, 9, seed=size).cuda()
        assert int(nearest_codes(normal(500, 9).cuda(), base.repeat(3, 1)).max()) < size


def test_a_search_by_cosine_takes_any_strides():
    latents, codewords = normal(2, 16, 7, 7).cuda(), normal(300, 16, seed=1).cuda()
    rows = latents.movedim(1, -1)[:1].flatten(0, -2)
    unit = [torch.nn.functional.normalize(side, dim=1) for side in (rows, codewords)]
    assert_nearest(nearest_codes(rows, codewords, "cosine"), *unit)


def trained(name):
    """On the CPU: a quantizer two steps from its start, and latents."""
    if name == "vq_wae":
        pytest.importorskip("ot", reason="it solves its transport by POT")
    torch.manual_seed(0)
    size = min(256, get(name).max_codebook_size or 256)
    quantizer = create(name, size, 16).train()
    latents = normal(4, 7, 7, 16)
    quantizer.use_pretrained(lambda count: normal(count, 16, seed=2))
    quantizer.initialise(iter([normal(64, 7, 7, 16, seed=3)]))
    for _ in training(quantizer, latents, range(2)):
        pass
    return quantizer, latents


def training(quantizer, latents, steps):
    """What each step gives, and the gradient of the latents."""
    optimizer = torch.optim.SGD(quantizer.parameter_groups(1e-2) or [{"params": [torch.zeros(1)]}], lr=1e-2)
    for step in steps:
        quantizer.anneal(step, 10)
        quantizer.zero_grad()
        given = latents.clone().requires_grad_()
        result = quantizer(given)
        (result.loss + result.latents.square().mean()).backward()
        yield result, given.grad
        optimizer.step()
        quantizer.after_step()


@pytest.mark.parametrize("name", sorted(available()))
def test_a_method_evaluates_as_on_a_cpu(name):
    quantizer, latents = trained(name)
    quantizer.eval()
    there = copy.deepcopy(quantizer).cuda()
    with torch.no_grad():
        here, gpu = quantizer(latents), there(latents.cuda())
        if quantizer.has_codes:
            codes = there.encode(latents.cuda())
            assert torch.equal(codes, gpu.codes)
            assert torch.equal(there.decode(codes), gpu.latents)
    # Not the codes: of codewords alike within rounding, as cvq_vae's anchors make them, either may seem the nearest.
    near = (gpu.latents.cpu() - here.latents).abs().amax(-1) < 5e-3
    assert float(near.float().mean()) > 0.98
    torch.testing.assert_close(gpu.loss.cpu(), here.loss, rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("name", sorted(available()))
def test_a_method_trains(name):
    quantizer, latents = trained(name)
    quantizer.cuda()
    for result, gradient in training(quantizer, latents.cuda(), range(2, 5)):
        assert gradient.isfinite().all()
        assert result.latents.is_cuda
        assert result.latents.isfinite().all()
    tensors = [*quantizer.parameters(), *quantizer.buffers()]
    assert all(tensor.is_cuda for tensor in tensors)
    assert all(tensor.isfinite().all() for tensor in tensors if tensor.is_floating_point())
