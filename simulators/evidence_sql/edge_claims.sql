-- Every claim that is not released.
SELECT claims.id, claims.spot, spots.type AS spot_type, claims.starts_us, claims.ends_us, claims.clashing
FROM claims LEFT JOIN spots ON spots.id = claims.spot
WHERE claims.state <> 'released'
