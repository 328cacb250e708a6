"""The recipe of `ftdist expert`, judged on six libraries with hand-written questions."""
