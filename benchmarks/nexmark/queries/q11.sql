-- User sessions: how many bids a user makes without ten seconds of rest.
SELECT b.bidder, count(*) AS bid_count, SESSION_START(b.`dateTime`, INTERVAL '10' SECOND) AS starttime,
  SESSION_END(b.`dateTime`, INTERVAL '10' SECOND) AS endtime
FROM bid AS b
GROUP BY b.bidder, SESSION(b.`dateTime`, INTERVAL '10' SECOND);
