//! A random irreducible polynomial over GF(2) of degree 53: every repository has one of its own
//! (<https://restic.readthedocs.io/en/stable/100_references.html#backups-and-deduplication>), and restic refuses others.

/// The polynomial's degree.
const DEGREE: u32 = 53;

/// Draws one.
pub(super) fn random() -> u64 {
    loop {
        // One in about 27 of those with a constant term is irreducible.
        let candidate = rand::random::<u64>() & ((1 << DEGREE) - 1) | 1 << DEGREE | 1;
        if is_irreducible(candidate) {
            return candidate;
        }
    }
}

/// Ben-Or's test: no factor of degree `i` divides both `f` and `x^(2^i) - x`, up to half its degree.
pub(super) fn is_irreducible(f: u64) -> bool {
    let mut power = 2;
    (1..=degree(f) / 2).all(|_| {
        power = square(power, f);
        gcd(f, power ^ 2) == 1
    })
}

/// Of a polynomial that is not zero; of zero, 0.
fn degree(f: u64) -> u32 {
    63_u32.saturating_sub(f.leading_zeros())
}

fn square(a: u64, f: u64) -> u64 {
    let mut spread = 0_u128;
    for bit in 0..64 {
        spread |= u128::from(a >> bit & 1) << (2 * bit);
    }
    remainder(spread, f)
}

fn remainder(mut a: u128, f: u64) -> u64 {
    let degree = degree(f);
    while a >> degree != 0 {
        let top = 127 - a.leading_zeros();
        a ^= u128::from(f) << (top - degree);
    }
    a as u64
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, remainder(u128::from(a), b));
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn irreducible_ones_are_told_from_products() {
        // x^2+x+1, x^3+x+1, and the example in restic's design document.
        for irreducible in [0b111, 0b1011, 0x25_b468_838d_cb75] {
            assert!(is_irreducible(irreducible), "{irreducible:#x}");
        }
        // (x+1)^2, x*(x+1), (x^2+x+1)(x^3+x+1)
        for product in [0b101, 0b110, 0b11_0001, 0x25_b468_838d_cb74] {
            assert!(!is_irreducible(product), "{product:#x}");
        }
        let drawn = random();
        assert!(degree(drawn) == DEGREE && is_irreducible(drawn));
    }
}
