"""Pure jnp functions that know no Flax."""
