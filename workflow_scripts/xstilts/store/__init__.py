"""The store: what a node of the DAG leaves behind, and what is known of its stage. Needs neither torch nor plan."""
