"""From documents to a cited answer: readers, chunks, index, retrieval, query engine, models.

Imports nothing of the other packages.
"""
