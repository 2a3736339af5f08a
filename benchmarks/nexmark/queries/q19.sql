-- Auction top-10 price: the best ten bids of each auction.
SELECT *
FROM (
  SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC, `dateTime`, bidder, extra) AS place FROM bid
) AS q
WHERE place <= 10;
