-- The sensors' last words as the centre has them.
SELECT number, sensor_state AS state FROM parking_spots WHERE lot_id = %(lot)s
