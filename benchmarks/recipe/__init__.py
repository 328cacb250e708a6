"""The recipe of `ftdist expert`, judged on seven libraries with hand-written questions."""
