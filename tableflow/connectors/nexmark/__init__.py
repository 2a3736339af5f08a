"""The events of an online auction house, made from nothing but their numbers: persons, auctions, bids.

After Tucker, Tufte, Papadimos and Maier, "NEXMark: A Benchmark for Queries over Data Streams" (2008).
"""
