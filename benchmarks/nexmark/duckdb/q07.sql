SELECT b.auction, b.price, b.bidder, b."dateTime", b.extra
FROM bid AS b
JOIN (SELECT max(price) AS maxprice, time_bucket(INTERVAL '10 seconds', "dateTime") AS s FROM bid GROUP BY 2) AS m
ON b.price = m.maxprice
WHERE b."dateTime" BETWEEN s AND s + INTERVAL '10 seconds';
