"""A softphone without a screen: registers, rings, talks G.711, holds and hangs up; for the demo, tests, integrators."""
