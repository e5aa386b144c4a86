"""What a share is at least, given how often it was seen (docs/scoring.md, "Bounds"), and numbers made of bounds."""

import functools
import math

MILLION = 1_000_000
NANO = 10**9
BITS = 64
# How many more bits than a number keeps a sum is reckoned in.
GUARD = 60


def _ceil(number, by):
    return -(-number // by)


def _up(bits, exponent):
    """`bits * 2^exponent` as the next number of 64 significant bits."""
    if not bits:
        return 0, 0
    shift = bits.bit_length() - BITS
    if shift <= 0:
        return bits << -shift, exponent + shift
    kept = _ceil(bits, 1 << shift)
    return (kept, exponent + shift) if kept >> BITS == 0 else (kept >> 1, exponent + shift + 1)


def _times(one, number):
    return _up(one[0] * number, one[1])


def _over(one, number):
    return _up(_ceil(one[0] << BITS, number), one[1] - BITS)


def _power(one, count):
    product = _up(1, 0)
    for bit in bin(count)[2:]:
        product = _up(product[0] * product[0], 2 * product[1])
        if bit == "1":
            product = _up(product[0] * one[0], product[1] + one[1])
    return product


def _plus(one, other):
    small, large = sorted((one, other), key=lambda number: (number[0] != 0, number[1], number[0]))
    if not small[0]:
        return large
    shifted = _ceil(small[0] << GUARD, 1 << min(large[1] - small[1], 2 * BITS))
    return _up((large[0] << GUARD) + shifted, large[1] - GUARD)


def _is_rare(count, failures, share, tail_ppm):
    """Whether so few failures come with at most the tail's chance when each is good with `share` ppm."""
    term = _power(_over(_up(share, 0), MILLION), count)
    total = term
    for index in range(failures):
        term = _times(_times(term, count - index), MILLION - share)
        term = _over(_over(term, index + 1), share)
        total = _plus(total, term)
    bits, exponent = _times(total, MILLION)
    tail = _up(tail_ppm, 0)
    return (exponent, bits) <= (tail[1], tail[0])


def _clopper_pearson(count, failures, tail_ppm):
    low, high = 0, MILLION
    while high - low > 1:
        middle = (low + high) // 2
        if _is_rare(count, failures, middle, tail_ppm):
            low = middle
        else:
            high = middle
    return low


def _wilson(good, failures, z_nano):
    # In units of 10^-18.
    one, square, count = NANO * NANO, z_nano * z_nano, good + failures
    spread = max(0, square * count + (4 * good * (failures + 1) - 2 * count - 1) * one)
    under = _ceil(square * spread, count * one)
    root = math.isqrt(under)
    root += root * root < under
    above = 2 * good * one + square - one - root * NANO
    return max(0, above) * MILLION // (2 * (count * one + square))


@functools.cache
def _lower_bound(good, failures, exact_failures_max, tail_ppm, z_nano):
    if not good:
        return 0
    if failures <= exact_failures_max:
        return _clopper_pearson(good + failures, failures, tail_ppm)
    return _wilson(good, failures, z_nano)


def lower_bound(good, failures, rule):
    """The share that good ones and failures show at least, in parts per million."""
    return _lower_bound(good, failures, rule["exact_failures_max"], rule["tail_ppm"], rule["z_nano"])


def compose(parts):
    """The largest number whose sixteenth power is at most the product of parts to the power of their weights."""
    product = math.prod(part**weight for part, weight in parts)
    low, high = 0, MILLION + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**16 <= product else (low, middle)
    return low
