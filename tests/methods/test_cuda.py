"""On a GPU the methods compute what they compute on a CPU, and the search there finds the nearest."""

import copy

import pytest
import torch
from awkward import CODEBOOKS, flat

from methods import available, create, get
from methods.parts import bounded_tiles, nearest
from methods.parts.bounded_search import SearchMemory
from methods.parts.bounded_tiles import directions_of, search_in, surveyed
from methods.parts.nearest import TOLERANCE, compare_all, has_kernels, nearest_codes

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


def in_tiles(latents, codewords, rank=7, like=None):
    """Codes of the search in tiles, wherever there is its kernel, and the share of the pairs that it compared."""
    if not has_kernels(latents.device):
        pytest.skip("the kernel needs compute capability 8.0")
    from methods.parts.bounded_triton import compare_tiles

    directions = directions_of(surveyed(latents if like is None else like), rank, latents.device)
    return search_in(directions, latents, codewords, compare_tiles)


@pytest.mark.parametrize(("dim", "rank"), [(17, 7), (64, 7), (64, 15), (64, 31), (70, 7), (256, 7)])
@pytest.mark.parametrize(("rows", "size"), [(2, 1), (31, 300), (1568, 9000)])
def test_a_search_in_tiles_finds_the_nearest(rows, size, dim, rank):
    pairs = (flat(rows, dim), flat(size, dim, seed=5)), (normal(rows, dim), normal(size, dim, seed=1))
    for latents, codewords in ((rows.cuda(), others.cuda()) for rows, others in pairs):
        codes, _ = in_tiles(latents, codewords, rank)
        assert codes.dtype == torch.int64
        assert_nearest(codes, latents, codewords)


@pytest.mark.parametrize("codebook", CODEBOOKS)
def test_awkward_codebooks_in_tiles(codebook):
    latents, codewords = flat(1000).cuda(), CODEBOOKS[codebook](flat(5000, seed=5)).cuda()
    codes, _ = in_tiles(latents, codewords)
    sound = codewords.nan_to_num(1e30, 1e30, 1e30)
    assert_nearest(codes, latents, sound)
    first = (codewords[:, None, :4] == codewords[codes][None, :20, :4]).all(2).int().argmax(0)
    if "duplicates" in codebook or codebook == "all equal":
        assert torch.equal(codes[:20], first)


@pytest.mark.parametrize("factor", [1e-20, 1e-14, 1e14, 1e17, 1e20])
def test_magnitudes_in_tiles(factor):
    latents, codewords = flat(500).cuda(), flat(3000, seed=5).cuda()
    codes, _ = in_tiles(factor * latents, factor * codewords, like=latents)
    assert ((codes >= 0) & (codes < 3000)).all()
    if 1e-15 < factor < 1e18:
        assert_nearest(codes, factor * latents, factor * codewords)


def test_rows_of_rank_one_and_rows_that_are_not_finite_in_tiles():
    latents = (normal(500, 1) @ normal(1, 64) + 2.0).cuda()
    codewords = torch.cat([latents[::2], flat(3000, seed=5).cuda()])
    codes, _ = in_tiles(latents, codewords)
    assert_nearest(codes, latents, codewords)
    broken = latents.clone()
    broken[3], broken[4, 0] = torch.nan, torch.inf
    found, _ = in_tiles(broken, codewords, like=latents)
    assert ((found >= 0) & (found < len(codewords))).all()
    assert torch.equal(found[5:], codes[5:])
    nothing, _ = in_tiles(latents, torch.full_like(codewords, torch.nan), like=latents)
    assert not nothing.any()


def test_a_search_in_tiles_agrees_with_all_pairs_and_compares_few():
    latents, codewords = flat(6272, rank=2).cuda(), flat(65_536, rank=2, seed=5).cuda()
    codes, share = in_tiles(latents, codewords)
    assert float((codes == compare_all(latents, codewords)).float().mean()) > 0.999
    assert float(share) < 0.1


def test_where_it_pays_training_searches_in_tiles_and_does_not_wait(monkeypatch):
    if not has_kernels(torch.device("cuda", 0)):
        pytest.skip("the kernel needs compute capability 8.0")
    monkeypatch.setattr(bounded_tiles, "_FEWEST_PRODUCTS", 0)
    memory, codewords = SearchMemory(), flat(16_384, rank=2, seed=5).cuda()
    for step in range(4):
        latents = flat(2000, rank=2, seed=50 + step).cuda()
        codewords = codewords + 0.01 * normal(16_384, 64, seed=step).cuda()
        torch.cuda.set_sync_debug_mode("error" if step > 1 else "default")
        try:
            codes = nearest_codes(latents, codewords, memory=memory)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        assert_nearest(codes, latents, codewords)
    assert memory.tiles._choice is not None
    assert float(memory.tiles._share) < 1 / 8


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
