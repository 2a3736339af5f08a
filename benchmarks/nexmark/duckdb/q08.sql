SELECT p.id, p.name, p.s
FROM (SELECT DISTINCT id, name, time_bucket(INTERVAL '10 seconds', "dateTime") AS s FROM person) AS p
JOIN (SELECT DISTINCT seller, time_bucket(INTERVAL '10 seconds', "dateTime") AS s FROM auction) AS a
ON p.id = a.seller AND p.s = a.s;
