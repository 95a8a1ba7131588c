"""Swarm, Gaussian and simplex against their equations, and against another library."""

import itertools
import math

import cmaes
import numpy as np
import pytest

from spiketune.samplers.domain import Domain
from spiketune.samplers.islands.cma_es import CmaEs, CmaEsOptions, Gaussian, Strategy
from spiketune.samplers.islands.genome import Genome
from spiketune.samplers.islands.individual import Individual, Standing
from spiketune.samplers.islands.nelder_mead import NelderMead, NelderMeadOptions
from spiketune.samplers.islands.propagator import Surroundings
from spiketune.samplers.islands.pso import PsoOptions, Swarm
from spiketune.space import Float, Space
from spiketune.space.distributions import sampler_distribution


def genome_of(d):
    space = Space({f"x{i}": Float(0.0, 1.0) for i in range(d)})
    return Genome(Domain({n: sampler_distribution(p) for n, p in space.items()}, space), space)


def around(genome, members=(), population=8):
    return Surroundings(genome, members, population, {})


def at(number, row, loss, **tag):
    row = np.array(row, dtype=float)
    return Individual(number, row, Standing.FEASIBLE, np.array([loss]), {}, 0.0, tag)


class Fixed:
    """Chance that is always one half."""

    def random(self, size=None):
        return 0.5 if size is None else np.full(size, 0.5)

    def integers(self, *args, **kwargs):
        return 0


# Particle swarm.


def test_a_particle_moves_by_inertia_its_own_best_and_the_islands():
    genome, swarm = genome_of(1), Swarm(PsoOptions("basic", particles=1))
    places = [(0.1, 1.0), (0.2, 2.0)]
    for number, (x, loss) in enumerate(places):
        swarm.was_asked(number, {"particle": 0})
        swarm.told(at(number, [x], loss, particle=0), around(genome))
    leader = at(9, [0.6], 0.0)
    row, tag = swarm.propose(around(genome, [leader]), Fixed())
    velocity = 0.729 * 0.1 + 1.49445 * 0.5 * (0.1 - 0.2) + 1.49445 * 0.5 * (0.6 - 0.2)
    assert row[0] == pytest.approx(0.2 + velocity)
    assert tag == {"particle": 0}


def test_a_clamped_particle_is_no_faster_and_stops_at_the_bound():
    genome = genome_of(1)
    for clamping, expected in ((0.05, 0.95), (1.0, 1.0)):
        swarm = Swarm(PsoOptions("clamped", particles=1, social=4.0, clamping=clamping))
        swarm.told(at(0, [0.9], 1.0, particle=0), around(genome))
        row, _ = swarm.propose(around(genome, [at(9, [1.0], 0.0)]), Fixed())
        assert row[0] == pytest.approx(expected)


def test_constriction_is_the_factor_of_clerc_and_kennedy():
    chi, own, social = PsoOptions("constriction").weights
    assert chi == pytest.approx(0.72984, abs=1e-5)
    assert own == social == pytest.approx(1.49618, abs=1e-5)
    with pytest.raises(ValueError, match="must be > 4 for the variant 'constriction', got 3"):
        PsoOptions("constriction", cognitive=1.0, social=2.0)


def test_the_particle_that_waits_longest_moves_and_none_waits_for_another():
    genome, swarm = genome_of(1), Swarm(PsoOptions(particles=3))
    turns = []
    for number in range(5):
        _, tag = swarm.propose(around(genome), np.random.default_rng(0))
        turns.append(tag["particle"])
        swarm.was_asked(number, tag)
    assert turns == [0, 1, 2, 0, 1]
    swarm.told(at(2, [0.3], 1.0, particle=2), around(genome))
    assert swarm.propose(around(genome), np.random.default_rng(0))[1] == {"particle": 2}


# Covariance matrix adaptation.


@pytest.mark.parametrize(("d", "n_samples"), [(2, 6), (3, 7), (8, 10)])
def test_updates_are_those_of_the_cmaes_package(d, n_samples):
    mean, rng = np.full(d, 0.5), np.random.default_rng(d)
    reference = cmaes.CMA(mean=mean, sigma=0.1, population_size=n_samples, seed=0)
    ours, strategy = Gaussian.at(mean, 0.1), Strategy.of(d, n_samples, active=True)
    scales = np.arange(1, d + 1)
    for _ in range(6):
        spread = ours.basis * ours.deviations
        rows = ours.mean + 0.9 * ours.sigma * (rng.standard_normal((n_samples, d)) @ spread.T)
        losses = ((rows - 0.47) ** 2 * scales).sum(axis=1)
        rows = rows[np.argsort(losses)]
        white = np.linalg.norm((rows - ours.mean) / ours.sigma @ ours.basis / ours.deviations)
        assert white < math.sqrt(n_samples) * (math.sqrt(d) + 2 * d / (d + 2))
        ours = ours.after(rows, strategy)
        reference.tell(list(zip(rows, np.sort(losses), strict=True)))
        covariance = (ours.basis * ours.deviations**2) @ ours.basis.T
        np.testing.assert_allclose(ours.mean, reference.mean, rtol=1e-7)
        np.testing.assert_allclose(ours.sigma, reference._sigma, rtol=1e-7)
        np.testing.assert_allclose(covariance, reference._C, atol=1e-7)


def test_places_from_elsewhere_count_as_steps_no_longer_than_its_own():
    strategy = Strategy.of(2, 6, active=True)
    rows = np.full((6, 2), 0.5)
    near, far = rows.copy(), rows.copy()
    longest = math.sqrt(2) + 1.0
    near[0] += [longest * 1e-3, 0.0]
    far[0] += [0.4, 0.0]
    start = Gaussian.at(np.array([0.5, 0.5]), 1e-3)
    one, other = start.after(near, strategy), start.after(far, strategy)
    np.testing.assert_allclose(one.mean, other.mean)
    np.testing.assert_allclose(one.deviations, other.deviations)


def test_a_gaussian_that_shrank_to_a_point_begins_anew_with_more_samples():
    genome, rng = genome_of(2), np.random.default_rng(0)
    search = CmaEs(CmaEsOptions(sigma=1e-2))
    started = []
    for number in range(900):
        row, _ = search.propose(around(genome), rng)
        search.told(at(number, row, float(((row - 0.5) ** 2).sum())), around(genome))
        started.append(search._gaussian is not None)
    restarts = sum(a and not b for a, b in itertools.pairwise(started))
    assert restarts >= 1
    assert search._growth > 1


# Nelder and Mead.


def simplex(rows_and_losses):
    genome, search = genome_of(2), NelderMead(NelderMeadOptions())
    for i, (row, loss) in enumerate(rows_and_losses):
        search.was_asked(i, {"vertex": i, "step": "start"})
        search.told(at(i, row, loss, vertex=i, step="start"), around(genome))
    return genome, search


TRIANGLE = [([0.4, 0.4], 0.0), ([0.6, 0.4], 1.0), ([0.5, 0.6], 2.0)]
CENTROID, OUT = np.array([0.5, 0.4]), np.array([0.0, -0.2])


def step(search, genome, number, loss):
    """The next proposal, told with a loss."""
    row, tag = search.propose(around(genome), np.random.default_rng(0))
    search.was_asked(number, tag)
    search.told(at(number, row, loss, **tag), around(genome))
    return row, tag["step"]


@pytest.mark.parametrize(
    ("reflected", "then", "length"),
    [(-1.0, "expand", 2.0), (1.5, "outside", 0.5), (3.0, "inside", -0.5)],
)
def test_a_reflection_leads_to_the_step_of_nelder_and_mead(reflected, then, length):
    genome, search = simplex(TRIANGLE)
    row, name = step(search, genome, 3, reflected)
    assert name == "reflect"
    np.testing.assert_allclose(row, CENTROID + OUT)
    row, name = step(search, genome, 4, 1.4)
    assert name == then
    np.testing.assert_allclose(row, CENTROID + length * OUT, atol=1e-12)


def test_an_ordinary_reflection_replaces_the_worst_vertex():
    genome, search = simplex(TRIANGLE)
    step(search, genome, 3, 0.5)
    held = sorted(v.held.number for v in search._vertices)
    assert held == [0, 1, 3]
    row, name = step(search, genome, 4, 0.6)
    assert name == "reflect"
    centroid = (np.array([0.4, 0.4]) + np.array([0.5, 0.2])) / 2
    np.testing.assert_allclose(row, 2 * centroid - np.array([0.6, 0.4]))


def test_a_contraction_in_vain_shrinks_all_vertices_towards_the_best():
    genome, search = simplex(TRIANGLE)
    step(search, genome, 3, 5.0)
    _, name = step(search, genome, 4, 6.0)
    assert name == "inside"
    shrunk = [step(search, genome, 5, 0.9), step(search, genome, 6, 0.8)]
    assert [name for _, name in shrunk] == ["shrink", "shrink"]
    best = np.array([0.4, 0.4])
    for (row, _), (old, _) in zip(shrunk, TRIANGLE[1:], strict=True):
        np.testing.assert_allclose(row, best + 0.5 * (np.array(old) - best))
    assert [v.step for v in search._vertices] == ["reflect"] * 3


def test_vertices_move_at_once_and_further_workers_scout():
    genome, search = simplex(TRIANGLE)
    tags = []
    for number in range(3, 7):
        _, tag = search.propose(around(genome), np.random.default_rng(number))
        search.was_asked(number, tag)
        tags.append(tag)
    assert [tag.get("vertex") for tag in tags] == [2, 1, None, None]
    assert tags[2] == {"step": "scout"}
    search.told(at(3, [0.5, 0.2], 0.5, **tags[0]), around(genome))
    search.told(at(5, [0.45, 0.45], 0.1, **tags[2]), around(genome))
    assert {v.held.number for v in search._vertices} == {0, 1, 5}


def test_a_vertex_whose_first_trial_is_lost_is_given_to_a_scout():
    genome, search = genome_of(2), NelderMead(NelderMeadOptions())
    search.was_asked(0, {"vertex": 0, "step": "start"})  # and never told
    steps = []
    for number in range(1, 20):
        row, tag = search.propose(around(genome), np.random.default_rng(number))
        search.was_asked(number, tag)
        search.told(at(number, row, float(np.sum(row**2)), **tag), around(genome))
        steps.append(tag["step"])
    assert "reflect" not in steps[:12], "it is waited for"
    assert "reflect" in steps[13:]
    search.told(at(0, [0.0, 0.0], 0.0, vertex=0), around(genome))
    assert 0 in {v.held.number for v in search._vertices if v.held}, "good news are never too late"


def test_a_simplex_that_shrank_to_a_point_begins_anew():
    rows = [([0.5, 0.5], 0.0), ([0.50001, 0.5], 1.0), ([0.5, 0.50001], 2.0)]
    _, search = simplex(rows)
    assert [v.step for v in search._vertices] == ["start"] * 3


def test_an_immigrant_moves_no_particle():
    genome, swarm = genome_of(1), Swarm(PsoOptions(particles=2))
    for number in range(2):
        swarm.was_asked(number, {"particle": number})
        swarm.told(at(number, [0.5], 1.0, particle=number), around(genome))
    swarm.told(at(7, [0.1], 0.0), around(genome))
    assert [p.n_told for p in swarm._particles] == [1, 1]
