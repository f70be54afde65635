"""Every metric: its name, what it means, and where its value comes from. `docs/observability.md` lists them too."""
