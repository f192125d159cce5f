"""Linear assignment: pairs of rows and columns whose costs have the smallest sum.

optax has the same algorithm, but its loops start from constants, which `shard_map`
refuses where the costs differ from device to device.
"""

import jax
import jax.numpy as jnp


def assign_rows(cost: jax.Array, counts: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Pairs each column that counts with a row of its own.

    The result is that of `scipy.optimize.linear_sum_assignment` on those columns; of
    more columns than rows, as many are paired as there are rows.

    Args:
        cost: (rows, columns), floating point. What is not finite is taken for a cost
            above all others.
        counts: (columns,) bool.

    Returns:
        row: (columns,) int32, the row of each column that is paired, else 0.
        paired: (columns,) bool.
    """
    is_finite = jnp.isfinite(cost)
    highest = jnp.where(is_finite & counts, cost, -jnp.inf).max(initial=0)
    cost = jnp.where(is_finite, cost, highest + 1)
    # Those that count come first, and the others are not looked at.
    order = jnp.argsort(~counts, stable=True)
    cost, number = cost[:, order], counts.sum()
    rows, columns = cost.shape
    if columns <= rows:
        row, paired = _few(cost, number)
    else:
        row, paired = jax.lax.cond(number <= rows, _few, _many, cost, number)
    back = jnp.argsort(order)
    return row[back], paired[back]


def _few(cost, number):
    """At most as many columns that count as there are rows: all of them are paired."""
    rows, columns = cost.shape
    row = _rows_of_columns(cost[:, :rows], number)
    paired = jnp.arange(columns) < number
    row = jnp.pad(row, (0, max(columns - rows, 0)))
    return jnp.where(paired, row, 0), paired


def _many(cost, number):
    """More columns that count than rows: each row finds one."""
    rows, columns = cost.shape
    is_open = jnp.arange(columns) < number
    # A column that does not count costs more than any other, and is not chosen.
    cost = jnp.where(is_open, cost, cost.max() + 1)
    column = _rows_of_columns(cost.T, rows)
    like = (cost[0] * 0).astype(jnp.int32)
    row = like.at[column].set(jnp.arange(rows, dtype=jnp.int32))
    return row, like.at[column].set(1) > 0


def _rows_of_columns(cost, number):
    """The rows of the first `number` columns, of at least as many rows: (columns,).

    The shortest augmenting paths of Jonker and Volgenant, column after column:
    https://doi.org/10.1007/BF02278710
    """
    rows, columns = cost.shape
    # Entry 0 stands for no row and no column. All values are made from the costs, so
    # that they vary over the devices as the costs do.
    zero = cost[0, 0] * 0
    none = zero.astype(jnp.int32)
    prices = jnp.zeros(rows + 1, cost.dtype) + zero
    potentials = jnp.zeros(columns + 1, cost.dtype) + zero
    owner = jnp.zeros(rows + 1, jnp.int32) + none  # the column that has a row
    padded = jnp.pad(cost.T, ((1, 0), (1, 0)))

    def add_column(column, state):
        prices, potentials, owner = state
        owner = owner.at[0].set(none + column)
        search = (
            none,
            jnp.full(rows + 1, jnp.inf, cost.dtype) + zero,
            jnp.zeros(rows + 1, bool) | (zero != 0),
            jnp.zeros(rows + 1, jnp.int32) + none,
            prices,
            potentials,
        )

        def step(search):
            row, slack, used, before, prices, potentials = search
            used = used.at[row].set(True)
            current = padded[owner[row]] - potentials[owner[row]] - prices
            is_better = ~used & (current < slack)
            is_better = is_better.at[0].set(False)
            slack = jnp.where(is_better, current, slack)
            before = jnp.where(is_better, row, before)
            open_slack = jnp.where(used, jnp.inf, slack).at[0].set(jnp.inf)
            nearest = jnp.argmin(open_slack).astype(jnp.int32)
            delta = open_slack[nearest]
            raised = jnp.where(used, delta, 0)
            potentials = potentials.at[owner].add(raised)
            prices = prices - raised
            slack = jnp.where(used, slack, slack - delta)
            return nearest, slack, used, before, prices, potentials

        search = step(search)
        search = jax.lax.while_loop(lambda s: owner[s[0]] != 0, step, search)
        row, _, _, before, prices, potentials = search

        def hand_on(state):
            row, owner = state
            previous = before[row]
            return previous, owner.at[row].set(owner[previous])

        _, owner = jax.lax.while_loop(lambda s: s[0] != 0, hand_on, (row, owner))
        return prices, potentials, owner

    state = (prices, potentials, owner)
    _, _, owner = jax.lax.fori_loop(1, number + 1, add_column, state)
    found = jnp.zeros(columns + 1, jnp.int32) + none
    found = found.at[owner[1:]].set(jnp.arange(rows, dtype=jnp.int32))
    return found[1:]
