"""Planning: study, registry and indexes become a plan. No torch, transformers or datasets in here."""
