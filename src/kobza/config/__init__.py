"""Configuration: one TOML file, `KOBZA_*` variables and the command line, checked before anything starts."""
