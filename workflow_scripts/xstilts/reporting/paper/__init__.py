"""The paper of a study: what can go into an article as it is."""
