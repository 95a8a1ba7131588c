"""The checked model of a network that learns by spike timing (`network: {kind: stdp}`)."""

from __future__ import annotations

from typing import Literal

from spiketune.config.section import Count, NotNegative, Number, Positive, Section

# Keys of `training:` that have a meaning for this kind; the others belong to gradients.
TRAINING_KEYS = frozenset({"epochs", "snapshots", "batch_size"})
NEEDS_SPIKES = "`kind: stdp` needs spikes; say `poisson`, `rate` or `latency`"


class Excitatory(Section):
    """Leaky integrate-and-fire neurons whose threshold grows by `theta_plus_mv` with each of
    their spikes, and comes back with the time constant `tau_theta_ms`.

    A neuron is at rest when a sample begins; the threshold goes on from sample to sample.
    """

    rest_mv: Number = -65.0
    reset_mv: Number = -60.0
    threshold_mv: Number = -52.0
    refractory_ms: NotNegative = 5.0
    tau_mem_ms: Positive = 100.0
    theta_plus_mv: NotNegative = 0.05
    tau_theta_ms: Positive = 1e7


class Inhibitory(Section):
    """Leaky integrate-and-fire neurons, one for each excitatory neuron, driven by it alone."""

    rest_mv: Number = -60.0
    reset_mv: Number = -45.0
    threshold_mv: Number = -40.0
    refractory_ms: NotNegative = 2.0
    tau_mem_ms: Positive = 10.0


class Plasticity(Section):
    """Spike-timing-dependent plasticity of the weights from the input.

    A spike sets its neuron's trace to 1, which decays with `tau_trace_ms`. An input spike takes
    `nu_pre` times the excitatory neuron's trace off a weight, down to 0; an excitatory spike
    adds `nu_post` times the input's trace, up to `max_weight`.
    """

    nu_pre: NotNegative = 1e-4
    nu_post: NotNegative = 1e-2
    tau_trace_ms: Positive = 20.0
    max_weight: Positive = 1.0


class Stdp(Section):
    """The network of Diehl & Cook: one excitatory layer with lateral inhibition, no labels.

    Each excitatory neuron drives a partner by `excitation_mv`, which takes `inhibition_mv` off
    all others; with `one_spike`, only the one furthest above its threshold spikes in a step.
    After each sample (or mini-batch) the weights to a neuron are scaled to sum up to `norm`, a
    tenth of the number of inputs if not given.

    Once an epoch is over, the last `label_samples` of its samples are shown again to see what
    each neuron answers to; the readout tells the class from that: `all` takes the class whose
    neurons spike most on average, `vote` weighs each spike with the share that this class has
    in all of the neuron's spikes, and `2gram` counts pairs of successive spikes.

    Source: Diehl & Cook (2015), "Unsupervised learning of digit recognition using
    spike-timing-dependent plasticity", Frontiers in Computational Neuroscience 9:99. The
    defaults are those of BindsNET (Hazan et al. 2018).
    """

    kind: Literal["stdp"]
    neurons: Count = 100
    readout: Literal["all", "vote", "2gram"] = "all"
    label_samples: Count = 10_000
    norm: Positive | None = None
    excitation_mv: NotNegative = 22.5
    inhibition_mv: NotNegative = 120.0
    one_spike: bool = True
    excitatory: Excitatory = Excitatory()
    inhibitory: Inhibitory = Inhibitory()
    plasticity: Plasticity = Plasticity()
