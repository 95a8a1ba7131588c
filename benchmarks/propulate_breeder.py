"""Breed by Propulate's default propagator: JSON lines in, JSON lines out.

Run by `search_propulate.py` in an environment of its own:

    python propulate_breeder.py DIMENSIONS POPULATION SEED
"""

import json
import random
import sys

from propulate.population import Individual
from propulate.utils import get_default_propagator

dim, population, seed = map(int, sys.argv[1:])
limits = {f"u{i}": (0.0, 1.0) for i in range(dim)}
breed = get_default_propagator(population, limits, rng=random.Random(seed))
members: list[Individual] = []
for line in sys.stdin:
    message = json.loads(line)
    if "ask" in message:
        child = breed(members)
        answer = [min(1.0, max(0.0, float(child[name]))) for name in limits]
    else:
        member = Individual(dict(zip(limits, message["tell"], strict=True)), limits)
        member.loss = message["loss"]
        members.append(member)
        answer = []
    print(json.dumps(answer), flush=True)
