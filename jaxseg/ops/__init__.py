"""Operations: pure jnp functions that know no Flax."""
