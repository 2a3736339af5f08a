SELECT bidder, count(*), min("dateTime"), max("dateTime") + INTERVAL '10 seconds'
FROM (
  SELECT bidder, "dateTime", sum(fresh) OVER (PARTITION BY bidder ORDER BY "dateTime" RANGE UNBOUNDED PRECEDING) AS session
  FROM (
    SELECT bidder, "dateTime",
      CASE WHEN "dateTime" - lag("dateTime") OVER (PARTITION BY bidder ORDER BY "dateTime") < INTERVAL '10 seconds' THEN 0 ELSE 1
      END AS fresh
    FROM bid
  )
)
GROUP BY bidder, session;
