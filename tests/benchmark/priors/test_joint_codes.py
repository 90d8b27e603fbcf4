import pytest
import torch

from benchmark.priors.joint_codes import JointCodes
from methods import UsageError


def test_levels_become_one_index_and_back() -> None:
    joint = JointCodes((3, 4, 5))
    index = torch.arange(60).reshape(3, 4, 5)
    assert torch.equal(joint.index(joint.codes(index)), index)
    assert joint.index(torch.tensor([[2, 3, 4]])).tolist() == [59]


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [((), "this method has none"), ((1024, 1024), r"1,048,576 joint codes are more than the 4,096")],
)
def test_what_has_no_joint_codes_is_one_sentence(sizes: tuple[int, ...], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        JointCodes(sizes)
