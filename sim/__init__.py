"""Simulated devices, stand-ins for other people's services, and what measures them."""
