-- Log to a file system: bids with the parts of their time that partition the files.
SELECT auction, bidder, price, `dateTime`, extra, date_format(`dateTime`, 'yyyy-MM-dd') AS `day`,
  date_format(`dateTime`, 'HH:mm') AS `minute`
FROM bid;
