"""How an operator sees the server: metrics, health and readiness, traces."""
