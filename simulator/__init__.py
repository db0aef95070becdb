"""KRA's side of eTIMS OSCU, played by a process of its own."""
