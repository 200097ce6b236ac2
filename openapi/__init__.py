"""The documents of the API, generated: `python -m openapi.export` writes them, `--check` fails when one is stale."""
