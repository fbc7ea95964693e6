"""The report: a static site of tables, figures and a page for each class, read from disk."""
