"""`ftdist check`: whether a model and a library fit each other."""
