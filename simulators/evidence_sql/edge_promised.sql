-- How many places of each type are promised to somebody who is inside or about to be.
SELECT spots.type, count(DISTINCT spots.id) AS n
FROM stays INNER JOIN claims ON claims.id = stays.claim INNER JOIN spots ON spots.id = claims.spot
WHERE stays.state IN ('admitted', 'inside') AND claims.state <> 'released'
GROUP BY spots.type
