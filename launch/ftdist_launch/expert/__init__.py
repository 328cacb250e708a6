"""The stages of `ftdist expert`: from documents to a tuned model and its report."""
