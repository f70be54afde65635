"""`kobza sandbox`: a server for integrators' tests, with phones inside that play scenarios told to it over HTTP."""
