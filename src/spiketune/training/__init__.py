"""Training a spiking network, without knowing of studies."""
