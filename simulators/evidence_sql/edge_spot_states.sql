-- The last word of each writer on each spot, by the spot's painted number.
SELECT spots.number, spot_states.state, spot_states.occurred_us
FROM spot_states INNER JOIN spots ON spots.id = spot_states.spot
