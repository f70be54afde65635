"""HTTP for programs: the basic call information, the Generic FMC API and the manual."""
