import itertools

import pytest
import torch

import harmonium as hm


def test_folds_by_enumeration():
    """Each person is judged once, in the fold that learns from all others; pairs are what they are said to be, and there is none twice."""
    people = torch.tensor([int(name) for name in "5550111002223334446667778889"])  # of person 9 one image, which has no pair of its own
    folds = hm.data.verification_folds(people, folds=3, seed=1)
    groups = []
    for fold in folds:
        owners = [set(people[side.images].flatten().tolist()) for side in fold]
        assert not owners[0] & owners[1]
        groups.append(owners[1])
        for side, who in zip(fold, owners, strict=True):
            images = [image for image, name in enumerate(people.tolist()) if name in who]
            same = {pair for pair in itertools.combinations(images, 2) if people[pair[0]] == people[pair[1]]}
            found = [tuple(sorted(pair)) for pair in side.images.tolist()]
            assert len(set(found)) == len(found) == 2 * len(same)
            assert {pair for pair, alike in zip(found, side.same.tolist(), strict=True) if alike} == same
            assert not any(people[one] == people[other] for (one, other), alike in zip(found, side.same, strict=True) if not alike)
    assert set().union(*groups) >= set(range(9))
    assert sum(map(len, groups)) == len(set().union(*groups))


def test_faces_of_forty_people():
    """Four people a fold: 4 x 45 pairs of one person, and as many of two."""
    people = torch.arange(40).repeat_interleave(10)
    folds = hm.data.verification_folds(people)
    assert [(len(fold.train.same), len(fold.test.same)) for fold in folds] == [(2 * 36 * 45, 2 * 4 * 45)] * 10
    assert all(side.same.double().mean() == 0.5 for fold in folds for side in fold)
    again, other = hm.data.verification_folds(people, seed=0), hm.data.verification_folds(people, seed=1)
    assert all(torch.equal(a.test.images, b.test.images) for a, b in zip(folds, again, strict=True))
    assert not torch.equal(folds[0].test.images, other[0].test.images)
    drawn = torch.cat([fold.train.images[fold.train.same == 0] for fold in folds])
    counts = torch.bincount(people[drawn].flatten(), minlength=40).double()  # hypergeometric; below it is bounded by a Poisson's spread
    assert (counts - counts.mean()).abs().max() < 5 * counts.mean().sqrt()


def test_what_makes_no_folds_is_refused():
    with pytest.raises(ValueError, match="40 people do not make 21 folds"):
        hm.data.verification_folds(torch.arange(40).repeat_interleave(2), folds=21)
    with pytest.raises(ValueError, match="at least two folds"):
        hm.data.verification_folds(torch.arange(40), folds=1)
    with pytest.raises(ValueError, match="found 0 pairs of one person"):
        hm.data.verification_folds(torch.arange(40), folds=4)
    with pytest.raises(ValueError, match=r"one whole number for each image, who is on it, found shape \(2, 2\)"):
        hm.data.verification_folds(torch.zeros(2, 2, dtype=torch.long))
