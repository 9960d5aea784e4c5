/** The caller's token, asked for once and kept until the server refuses it. */
export interface BearerToken {
  get(): Promise<string>
  /** `refused` was answered with 401: the next `get` asks anew, once, however many calls were refused with it. */
  refuse(refused: string): void
}

export function createBearerToken(ask: () => string | Promise<string>): BearerToken {
  let current: Promise<string> | undefined
  let known: string | undefined
  return {
    async get() {
      current ??= Promise.resolve().then(ask)
      const asked = current
      try {
        known = await asked
        return known
      } catch (error) {
        if (current === asked) current = undefined
        throw error
      }
    },
    refuse(refused) {
      if (refused === known) current = undefined
    },
  }
}
