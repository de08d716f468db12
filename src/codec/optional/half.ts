/**
 * Converts numbers to and from half precision, IEEE 754 binary16: one sign bit, five bits of exponent, ten of fraction.
 */
const FRACTION_BITS = 10
const FRACTION_VALUES = 1 << FRACTION_BITS
const EXPONENT_BIAS = 15
const MAX_EXPONENT = 0x1f
const SIGN = 0x8000
const INFINITY = MAX_EXPONENT << FRACTION_BITS
const NAN = INFINITY | 1
/** The step between the smallest numbers, which all have the exponent of the smallest normal one. */
const MIN_STEP_EXPONENT = 1 - EXPONENT_BIAS - FRACTION_BITS
/** Halfway between the largest half and the next step; a number from here on rounds to infinity. */
const OVERFLOW = 65_520

export const numberOfHalf = (bits: number): number => {
  const exponent = (bits >> FRACTION_BITS) & MAX_EXPONENT
  const fraction = bits & (FRACTION_VALUES - 1)
  const sign = (bits & SIGN) === 0 ? 1 : -1
  if (exponent === MAX_EXPONENT) return fraction === 0 ? sign * Infinity : NaN
  if (exponent === 0) return sign * fraction * 2 ** MIN_STEP_EXPONENT
  return sign * (FRACTION_VALUES + fraction) * 2 ** (exponent - EXPONENT_BIAS - FRACTION_BITS)
}

/** The nearest half; a tie goes to the even one. */
export const halfOf = (number: number): number => {
  if (Number.isNaN(number)) return NAN
  const sign = number < 0 || Object.is(number, -0) ? SIGN : 0
  const magnitude = Math.abs(number)
  if (magnitude >= OVERFLOW) return sign | INFINITY
  const stepExponent = Math.max(MIN_STEP_EXPONENT, exponentOf(magnitude) - FRACTION_BITS)
  const steps = roundToEven(magnitude / 2 ** stepExponent)
  // If the number of steps needs one more bit, it carries into the exponent by itself.
  return sign | (steps + (stepExponent - MIN_STEP_EXPONENT) * FRACTION_VALUES)
}

/** The exponent of the largest power of two that does not exceed a number. */
const exponentOf = (magnitude: number): number => {
  if (magnitude === 0) return -Infinity
  const exponent = Math.floor(Math.log2(magnitude))
  return 2 ** exponent > magnitude ? exponent - 1 : 2 ** (exponent + 1) <= magnitude ? exponent + 1 : exponent
}

const roundToEven = (number: number): number => {
  const floor = Math.floor(number)
  const rest = number - floor
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1
  return floor % 2 === 0 ? floor : floor + 1
}
