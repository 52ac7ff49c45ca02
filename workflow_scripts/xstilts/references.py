"""References: how a study names a task in a source language, ``mnli`` or ``mnli@de``."""

SOURCE_LANGUAGE = "en"


def parse_reference(reference: str) -> tuple[str, str]:
    """Split ``task@language`` into task and source language; without a language it is English."""
    name, _, language = reference.partition("@")
    return name, language or SOURCE_LANGUAGE


def in_language(name: str, language: str) -> str:
    """Return the reference to a task in a source language; English goes without saying."""
    return name if language == SOURCE_LANGUAGE else f"{name}@{language}"
