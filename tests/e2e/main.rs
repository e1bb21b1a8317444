//! Stories, one file each. Each starts its own world, looks at it only from outside, and leaves nothing.

mod exactly_n;
