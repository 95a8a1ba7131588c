"""Selection, crossover and mutation, each alone."""

import numpy as np
import pytest

from spiketune.samplers.domain import Domain
from spiketune.samplers.islands.genome import Genome
from spiketune.samplers.islands.parts import Crossover, Immigrant, Mutation, Parent, Select
from spiketune.space import Choice, Float, Int, Space
from spiketune.space.distributions import sampler_distribution

SPACE = Space(
    {
        "a": Float(0.0, 2.0),
        "k": Choice(["u", "v", "w"]),
        "n": Int(1, 4),
        "m": Int(1, 100, "log"),
        "b": Float(0.0, 1.0),
    }
)


def genome_of(space=SPACE):
    return Genome(
        Domain({name: sampler_distribution(p) for name, p in space.items()}, space), space
    )


GENOME = genome_of()
ONE = Parent(np.array([0.1, 0.0, 0.125, 0.2, 0.3]), 0.0)
TWO = Parent(np.array([0.9, 2.0, 0.875, 0.8, 0.7]), 1.0)


def rng(seed=0):
    return np.random.default_rng(seed)


def test_selections_take_the_best_the_worst_or_any_without_repeats():
    parents = [Parent(np.full(5, i / 9), i / 9) for i in range(10)]
    assert Select("best", 3)(parents, GENOME, rng()) == parents[:3]
    assert Select("worst", 2)(parents, GENOME, rng()) == parents[-2:]
    assert Select("best")(parents, GENOME, rng()) == parents
    seen = [Select("uniform", 2)(parents, GENOME, rng(i)) for i in range(60)]
    assert all(a is not b for a, b in seen)
    assert {parent.rank for pair in seen for parent in pair} == {p.rank for p in parents}


def test_a_uniform_crossover_takes_each_gene_from_either_parent_in_its_share():
    cross = Crossover("uniform", probability=1.0, share=0.25)
    children = [cross([ONE, TWO], GENOME, rng(i))[0].row for i in range(800)]
    from_two = np.mean([child == TWO.row for child in children], axis=0)
    np.testing.assert_allclose(from_two, 0.25, atol=0.05)
    assert all(((c == ONE.row) | (c == TWO.row)).all() for c in children)


def test_a_crossover_that_does_not_happen_passes_the_first_parent_on():
    assert Crossover("uniform", probability=0.0)([ONE, TWO], GENOME, rng()) == [ONE]
    assert Crossover("uniform", probability=1.0)([ONE], GENOME, rng()) == [ONE]


def test_a_sigmoid_crossover_prefers_the_better_parent_by_its_boltzmann_probability():
    cross = Crossover("sigmoid", probability=1.0, temperature=0.5)
    children = [cross([ONE, TWO], GENOME, rng(i))[0].row for i in range(800)]
    kept = np.mean([child == ONE.row for child in children])
    assert kept == pytest.approx(1.0 / (1.0 + np.exp(-2.0)), abs=0.03)


def test_a_sigmoid_crossover_of_a_tiny_temperature_keeps_the_better_parent_whole():
    first, second = Parent(ONE.row, 0.0), Parent(TWO.row, 3.0)
    cross = Crossover("sigmoid", probability=1.0, temperature=1e-9)
    assert (cross([first, second], GENOME, rng(0))[0].row == ONE.row).all()
    assert (cross([second, first], GENOME, rng(0))[0].row == ONE.row).all()


def test_a_multiple_crossover_takes_genes_of_all_parents():
    parents = [Parent(np.full(5, i / 4), 0.0) for i in range(4)]
    child = np.concatenate(
        [Crossover("multiple", 1.0)(parents, GENOME, rng(i))[0].row for i in range(50)]
    )
    assert set(child) == {0.0, 0.25, 0.5, 0.75}


def test_a_gene_that_one_parent_lacks_comes_from_the_other():
    holes = Parent(np.array([np.nan, 0.0, 0.125, np.nan, 0.3]), 0.0)
    for seed in range(20):
        child = Crossover("uniform", 1.0)([holes, TWO], GENOME, rng(seed))[0].row
        assert not np.isnan(child).any()
        assert child[0] == TWO.row[0]


def test_a_point_mutation_draws_as_many_genes_anew_as_it_is_told():
    for points, most in ((1, None), (3, None), (2, 4)):
        mutate = Mutation("point", 1.0, points=points, most=most)
        changed = [int((mutate([ONE], GENOME, rng(i))[0].row != ONE.row).sum()) for i in range(200)]
        assert max(changed) == (most or points)  # an option may be drawn again: less is possible


def test_an_interval_mutation_moves_one_number_by_its_standard_deviation_within_bounds():
    start = Parent(np.array([0.5, 1.0, 0.5, 0.5, 0.01]), 0.0)
    mutate = Mutation("interval", sigma=0.1)
    steps = []
    for i in range(2000):
        row = mutate([start], GENOME, rng(i))[0].row
        moved = np.flatnonzero(row != start.row)
        assert len(moved) == 1
        assert moved[0] != 1, "choices have no interval"
        assert 0.0 <= row[moved[0]] <= 1.0
        if moved[0] == 0:
            steps.append(row[0] - 0.5)
    assert np.std(steps) == pytest.approx(0.1, rel=0.1)


def test_an_interval_mutation_of_a_whole_number_reaches_its_neighbours():
    space = Space({"n": Int(1, 4)})
    genome = genome_of(space)
    mutate = Mutation("interval", sigma=0.01)
    start = Parent(genome.row({"n": 2}), 0.0)
    seen = {genome.params(mutate([start], genome, rng(i))[0].row)["n"] for i in range(50)}
    assert {1, 2, 3} <= seen


def test_a_gaussian_mutation_moves_all_numbers():
    row = Mutation("gaussian")([ONE], GENOME, rng())[0].row
    np.testing.assert_array_equal(row != ONE.row, [True, False, True, True, True])


def test_immigrants_come_with_their_probability():
    came = [Immigrant(probability=0.3)([ONE], GENOME, rng(i))[0] is not ONE for i in range(500)]
    assert np.mean(came) == pytest.approx(0.3, abs=0.06)


def test_reflection_keeps_numbers_inside_and_options_as_they_are():
    row = np.array([-0.2, 2.0, 1.3, 2.4, -3.1])
    np.testing.assert_allclose(GENOME.inside(row), [0.2, 2.0, 0.7, 0.4, 0.9])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Select("bets"), "No select named 'bets'. Did you mean 'best'"),
        (lambda: Select("best", 0), "n must be a whole number of at least 1, got 0"),
        (lambda: Crossover("uniform", 1.5), "probability must be a number from 0 to 1, got 1.5"),
        (lambda: Crossover("sigmoid", temperature=0.0), "temperature must be > 0"),
        (lambda: Mutation("point", points=3, most=2), "most must be at least points, got 2"),
        (lambda: Immigrant("unifrom"), "Did you mean 'uniform'"),
    ],
)
def test_options_that_make_no_sense_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
