"""Engines measured and compared side by side over the same Parquet files.

It owns what the benchmarks of finished data share: a suite of queries, engines behind one interface, the measuring, the comparing of
answers, the chart and the command line.  `tpch` and `benchmarks.clickbench` each give a :class:`~benchmarks.side_by_side.suite.Suite`.
"""
