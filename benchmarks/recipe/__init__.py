"""The recipe of `ftdist expert`, judged on five libraries with hand-written questions."""
