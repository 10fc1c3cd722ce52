"""A swarm of simulated devices: schedule, population, measurement, verdict."""
