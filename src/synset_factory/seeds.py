"""One seed for every draw: a stable hash of what the draw is for."""

from hashlib import blake2b


def derive_seed(*parts: object) -> int:
    """Return a seed in [0, 2**63) that depends on nothing but the text of `parts`.

    The noise of an image is `derive_seed(global_seed, wnid, split, number)`: its set is not in
    it, so that sets differ by prompt and guidance alone, as in Figure 5 of the paper.
    """
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
