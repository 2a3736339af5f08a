-- Average selling price by seller: over the winning bids of their last eleven auctions.
SELECT q.seller, avg(q.final) OVER (
  PARTITION BY q.seller ORDER BY q.`dateTime`, q.id ROWS BETWEEN 10 PRECEDING AND CURRENT ROW
) AS average
FROM (
  SELECT a.id, a.seller, b.price AS final, b.`dateTime`,
    row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.`dateTime`, b.bidder) AS place
  FROM auction AS a, bid AS b
  WHERE a.id = b.auction AND b.`dateTime` BETWEEN a.`dateTime` AND a.expires
) AS q
WHERE q.place <= 1;
