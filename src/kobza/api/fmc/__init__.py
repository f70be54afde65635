"""The Generic FMC API (contract, section 3): one module for each function."""
