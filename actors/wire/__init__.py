"""The device protocol, pure: no sockets, no actors, no clocks, no settings files."""
