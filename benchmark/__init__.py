"""The harness: suites in, one record a run, tables and plots out."""
