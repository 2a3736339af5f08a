-- Bounded side input join: bids with a value that is looked up.
SELECT b.auction, b.bidder, b.price, b.`dateTime`, s.`value`
FROM bid_now AS b
JOIN side_input FOR SYSTEM_TIME AS OF b.p_time AS s ON mod(b.auction, 10000) = s.key;
