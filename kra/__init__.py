"""Client of KRA's eTIMS OSCU API. Plain Python: no framework, no database."""
