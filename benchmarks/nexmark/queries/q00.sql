-- Pass through: what the engine costs when the query does nothing.
SELECT auction, bidder, price, `dateTime`, extra FROM bid;
