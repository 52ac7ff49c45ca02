"""The stages of the DAG."""

# Raise a stage's version when the same spec would give another result; its nodes, and all below them, move.
VERSIONS = {
    "data": 1,
    "models": 2,
    "prepared": 2,
    "tokens": 2,
    "tokenizers": 2,
    "pretrained": 1,
    "learning_rates": 1,
    "intermediate": 3,
    "targets": 3,
    "predictions": 2,
    "embeddings": 2,
    "retrieval": 2,
    "studies": 1,
}
