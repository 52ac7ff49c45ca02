"""What several test files build: projects, plans, nodes, models, mirrors and servers."""
