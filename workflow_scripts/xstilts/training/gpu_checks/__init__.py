"""What only a GPU can show: ``xstilts check-gpu``. A module a part, each run in a process of its own."""
