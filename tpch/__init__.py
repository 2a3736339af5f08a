"""TPC-H: data by tpchgen-cli, the 22 queries, the check against DuckDB, the benchmark."""
