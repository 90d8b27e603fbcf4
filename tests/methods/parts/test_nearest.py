import itertools

import faiss
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from methods import UsageError
from methods.parts import nearest
from methods.parts.nearest import TOLERANCE, nearest_codes


@pytest.fixture(params=["search_faiss", "search_blocks"])
def backend(request, monkeypatch):
    search = getattr(nearest, request.param)
    monkeypatch.setattr(nearest, "_search_for", lambda device: (search, False))
    return request.param


def squared_distances(latents, codewords):
    return torch.cdist(latents.double(), codewords.double(), compute_mode="donot_use_mm_for_euclid_dist").square()


def assert_nearest(codes, latents, codewords, tolerance=TOLERANCE):
    """Each code is fp64's, but where the two squared distances are equal in fp32 on the scale (|z| + |e|)²."""
    exact = squared_distances(latents, codewords)
    excess = exact.gather(1, codes[:, None])[:, 0] - exact.min(1).values
    scale = (latents.double().norm(dim=1) + codewords.double().norm(dim=1)[codes]).square()
    assert (excess <= tolerance * scale).all(), (excess / scale).max()


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dim", [1, 3, 8, 16, 17, 64, 256, 1024])
@pytest.mark.parametrize(("rows", "size"), [(7, 1500), (300, 77)])
def test_agrees_with_brute_force_in_fp64(backend, rows, size, dim):
    latents, codewords = normal(rows, dim), normal(size, dim, seed=1)
    codes = nearest_codes(latents, codewords)
    assert codes.dtype == torch.int64
    assert torch.equal(codes, squared_distances(latents, codewords).argmin(1))


@pytest.mark.parametrize("offset", [0.0, 3.0, 100.0])
def test_rounding_stays_within_the_stated_tolerance(backend, offset):
    """Latents crowded far from the origin: |e|² - 2 z·e cancels, and the code may be one of several near ones."""
    latents, codewords = normal(600, 64) * 0.01 + offset, normal(1100, 64, seed=1) * 0.01 + offset
    assert_nearest(nearest_codes(latents, codewords), latents, codewords, tolerance=2.0**-20)


@pytest.mark.parametrize("dim", [2, 9, 16, 31, 64, 100])
def test_of_equal_codewords_the_lowest_index_wins(backend, dim):
    """At every place in and across blocks, where a matrix product may round the same row differently."""
    for seed, (rows, size, copies) in enumerate(itertools.product([3, 64, 131, 500], [1, 37, 640, 1037], [2, 3])):
        base = normal(size, dim, seed=seed)
        codewords = torch.cat([base.repeat(copies, 1), base[: size // 3]])
        latents = normal(rows, dim, seed=100 + seed) if seed % 3 else base[torch.arange(rows) % size]
        assert int(nearest_codes(latents, codewords).max()) < size, (rows, size, copies)


def test_exact_ties_of_different_codewords_go_to_the_lowest_index(backend):
    codewords = torch.tensor([[3.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, -1.0], [-1.0, 0.0]])
    assert nearest_codes(torch.tensor([[0.0, 0.0], [-1.0, -1.0], [2.0, 0.0]]), codewords).tolist() == [1, 3, 0]


def test_a_row_with_an_equal_key_but_other_values_is_left_alone(monkeypatch):
    monkeypatch.setattr(nearest, "_row_keys", lambda rows: torch.zeros(rows.shape[0], dtype=torch.int64))
    assert nearest_codes(torch.tensor([[1.0], [5.0], [4.9]]), torch.tensor([[0.0], [5.0], [5.0]])).tolist() == [0, 1, 1]


def test_codewords_that_only_begin_alike_are_told_apart(backend):
    codewords = normal(300, 9)
    codewords[:, :3] = 0.0
    latents = normal(200, 9, seed=1)
    assert torch.equal(nearest_codes(latents, codewords), squared_distances(latents, codewords).argmin(1))


def test_swapped_arguments_find_the_nearest_latent(backend):
    latents, codewords = normal(50, 8), normal(4000, 8, seed=1)
    rows = nearest_codes(codewords, latents)
    assert torch.equal(rows, squared_distances(latents, codewords).argmin(0))


def test_cosine_ignores_lengths(backend):
    latents, codewords = normal(200, 12), normal(300, 12, seed=1)
    similarity = torch.nn.functional.cosine_similarity(latents.double()[:, None], codewords.double()[None], dim=2)
    codes = nearest_codes(latents * torch.rand(200, 1).add(0.1), codewords * 7, "cosine")
    assert torch.equal(codes, similarity.argmax(1))


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_panels_change_nothing(backend, monkeypatch, metric):
    latents, codewords = normal(90, 8), normal(700, 8, seed=1).repeat(2, 1)
    whole = nearest_codes(latents, codewords, metric)
    monkeypatch.setattr(nearest, "_PANEL_ELEMENTS", 8 * 33)
    monkeypatch.setattr(nearest, "_KEY_ELEMENTS", 8 * 5)
    assert torch.equal(nearest_codes(latents, codewords, metric), whole)


def test_no_rows_one_codeword_and_strides(backend):
    assert nearest_codes(torch.empty(0, 4), normal(3, 4)).shape == (0,)
    for dim in (1, 2, 3, 4):
        assert nearest_codes(normal(5, dim), normal(1, dim)).tolist() == [0] * 5
        assert nearest_codes(normal(5, dim), normal(2, 5)[1:, 1 : 1 + dim]).tolist() == [0] * 5
    latents, codewords = normal(8, 60), normal(8, 90, seed=1)
    codes = nearest_codes(latents.T, codewords.T)
    assert torch.equal(codes, nearest_codes(latents.T.contiguous(), codewords.T.contiguous()))
    assert torch.equal(nearest_codes(latents.T[::2], codewords.T), codes[::2])


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_a_backend_gets_dense_rows(metric, monkeypatch):
    """A kernel reads rows one after another, whatever the strides of the one example they are a view of."""

    def search(latents, codewords):
        assert latents.is_contiguous()
        assert codewords.is_contiguous()
        return nearest.search_blocks(latents, codewords)

    monkeypatch.setattr(nearest, "_search_for", lambda device: (search, False))
    latents, codewords = normal(1, 8, 3, 5).permute(0, 2, 3, 1).reshape(-1, 8), normal(8, 40, seed=1).T
    assert not latents.is_contiguous()
    expected = nearest_codes(latents.contiguous(), codewords.contiguous(), metric)
    assert torch.equal(nearest_codes(latents, codewords, metric), expected)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions_are_searched_in_fp32(backend, dtype):
    latents, codewords = normal(40, 8).to(dtype), normal(60, 8, seed=1).to(dtype)
    assert torch.equal(nearest_codes(latents, codewords), nearest_codes(latents.float(), codewords.float()))


def test_autocast_and_gradients_are_kept_out(backend):
    latents, codewords = normal(40, 64).requires_grad_(), normal(3000, 64, seed=1).requires_grad_()
    expected = squared_distances(latents.detach(), codewords.detach()).argmin(1)
    with torch.autocast("cpu", torch.bfloat16):
        codes = nearest_codes(latents, codewords)
    assert torch.equal(codes, expected)


def test_reduced_matrix_precision_is_kept_out_and_given_back(backend):
    matmul = torch.backends.mkldnn.matmul
    before = matmul.fp32_precision
    matmul.fp32_precision = "bf16"
    try:
        latents, codewords = normal(300, 64), normal(3000, 64, seed=1)
        assert torch.equal(nearest_codes(latents, codewords), squared_distances(latents, codewords).argmin(1))
        assert matmul.fp32_precision == "bf16"
    finally:
        matmul.fp32_precision = before


@pytest.mark.parametrize("dim", [8, 64])
def test_nan_and_infinity_do_no_harm(backend, dim):
    latents, codewords = normal(3000, dim), normal(200, dim, seed=1)
    expected = nearest_codes(latents, codewords)
    latents[5], latents[6, 0] = torch.nan, torch.inf
    codes = nearest_codes(latents, codewords)
    assert ((codes >= 0) & (codes < 200)).all()
    others = (torch.arange(3000) != 5) & (torch.arange(3000) != 6)
    assert torch.equal(codes[others], expected[others])
    codewords[17] = torch.nan
    codes = nearest_codes(latents, codewords)
    assert ((codes >= 0) & (codes < 200)).all()


def test_memory_does_not_grow_with_the_product(monkeypatch):
    """No tensor is larger than a block, a panel, or a few numbers a row."""
    monkeypatch.setattr(nearest, "_search_for", lambda device: (nearest.search_blocks, False))

    class Largest(TorchDispatchMode):
        elements = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor) and not func.is_view:
                self.elements = max(self.elements, result.numel())
            return result

    latents, codewords = normal(2000, 8), normal(5000, 8, seed=1)
    with Largest() as largest:
        nearest_codes(latents, codewords)
    assert 0 < largest.elements <= 1 << 21 < 2000 * 5000


def test_faiss_takes_the_threads_of_torch_and_gets_its_settings_back():
    threads, cvar = torch.get_num_threads(), faiss.cvar
    before = (cvar.distance_compute_blas_threshold, cvar.distance_compute_blas_query_bs)
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            nearest_codes(normal(4, 4), normal(5, 4))
            assert faiss.omp_get_max_threads() == count
    finally:
        torch.set_num_threads(threads)
    assert (cvar.distance_compute_blas_threshold, cvar.distance_compute_blas_query_bs) == before


def test_without_faiss_the_search_goes_by_blocks(monkeypatch):
    cpu = torch.device("cpu")
    assert nearest._search_for.__wrapped__(cpu) == (nearest.search_faiss, False)
    monkeypatch.setattr(nearest, "faiss", None)
    assert nearest._search_for.__wrapped__(cpu) == (nearest.search_blocks, False)


def test_unknown_metric():
    with pytest.raises(UsageError, match="did you mean `cosine`"):
        nearest_codes(normal(2, 2), normal(2, 2), "cosin")
