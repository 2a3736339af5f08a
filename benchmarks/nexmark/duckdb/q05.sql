WITH counts AS (
  SELECT auction, count(*) AS num, time_bucket(INTERVAL '2 seconds', "dateTime") - to_seconds(2 * k) AS starttime
  FROM bid, range(5) AS r(k) GROUP BY ALL
)
SELECT auction, num FROM counts JOIN (SELECT max(num) AS maxn, starttime FROM counts GROUP BY starttime) USING (starttime)
WHERE num >= maxn;
