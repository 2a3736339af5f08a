-- Revenue of orders placed in 1994, by the customers' nation (TPC-H Q5's cousin), straight from Parquet files.
SELECT n_name AS nation,
       count(DISTINCT o_orderkey) AS orders,
       sum(l_extendedprice * (1 - l_discount)) AS revenue
FROM 'customer.parquet' c
JOIN 'orders.parquet' o ON c_custkey = o_custkey
JOIN 'lineitem.parquet' l ON l_orderkey = o_orderkey
JOIN 'nation.parquet' n ON c_nationkey = n_nationkey
WHERE o_orderdate >= DATE '1994-01-01' AND o_orderdate < DATE '1995-01-01'
GROUP BY n_name
ORDER BY revenue DESC
LIMIT 10;
