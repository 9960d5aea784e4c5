/** True when neither type allows anything that the other does not. */
export type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Compiles only for the type `true`. */
export function holds<_Claim extends true>(): void {}
