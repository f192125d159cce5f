"""Origin: the module and the operation that an instruction was traced from."""

import re

# A function of JAX's around what is traced: jit(step), transpose(jvp(...)).
_TRANSFORM = re.compile(r"[a-z_]+\(.*\)$")
_IN_BETWEEN = {"shard_map", "closed_call", "while", "body", "cond", "branch_0_fun"}


def origin(op_name: str) -> str:
    """A path of `op_name` metadata without what jaxseg's modules do not name.

    Args:
        op_name: such as `jit(step)/shard_map/transpose(jvp(EncoderDecoder.loss))/`
            `EncoderDecoder/EncoderDecoder.extract_feat/backbone/layer1.0/bn/sub`.

    Returns:
        Such as `backbone/layer1.0/bn/sub, backward`; `made by the compiler` for "".
    """
    if not op_name:
        return "made by the compiler"
    parts = op_name.split("/")
    backward = any(part.startswith("transpose(") for part in parts[:-1])
    kept = []
    for part in parts:
        if _TRANSFORM.fullmatch(part) or part in _IN_BETWEEN:
            continue
        # Linen writes the method beside the module: bn/bn._batch_statistics.
        if kept and part.startswith(f"{kept[-1]}."):
            continue
        kept.append(part)
    if len(kept) > 1 and kept[0][0].isupper():
        kept = kept[1:]  # the segmentor itself
    if len(kept) < 2 and kept != parts:
        kept = [parts[0], *kept]
    return "/".join(kept) + (", backward" if backward else "")
