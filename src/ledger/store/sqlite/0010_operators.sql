-- Corrections: grants that are voided or changed, and adjustments.

-- Operators, the trail of what they did, and tokens of gateways.

-- Keys: rotation, last use.

-- Refusals by hour, and usage rolled up to hours and days.
