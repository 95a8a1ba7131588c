"""What `spiketune.monitor` is made of: which layers spike, what they did, and what it cost."""
