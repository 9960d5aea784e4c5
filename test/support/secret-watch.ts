/* Watches for secrets where none may be, over the whole test run: what a test app logs, counts, answers and stores, and what processes of
 * the product print, is shown to `watch`. It knows secrets by their shape, by having been told (`protect`), and by having seen them leave
 * in replies that are there to hand them out (`learn`). */

/** What kind of secret it is: a place that is there to show one kind says so, and is still watched for the others. */
export type SecretKind = 'token' | 'signature' | 'vended' | 'auth-url' | 'root-key' | 'configured'

// Vended secrets begin so because the local cloud makes them so.
const shapes: readonly (readonly [SecretKind, RegExp])[] = [
  ['token', /eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}/g],
  ['token', /\bBearer +[\w.~+/-]{20,}/g],
  ['signature', /(?:x-oss-signature|x-oss-security-token|[?&;]Signature|security-token)(?:=|%3D)[\w%+/]{16,}/gi],
  ['signature', /OSS4-HMAC-SHA256 +Credential=[^\s"]{10,}/g],
  ['vended', /PartwayLocalSts[A-Za-z0-9]{20,}/g],
  ['vended', /\bCAIS(?:[A-Za-z0-9+/=]|%2B|%2F){80,}/gi],
  ['vended', /\bSTS\.[A-Za-z0-9]{24}\b/g],
  ['configured', /whsec_[A-Za-z0-9+/]{20,}/g],
  ['auth-url', /auth-server\?token=[\w-]{20,}/g],
]
// Signatures and tokens of auth URLs have no mark of their own: every run of their length is looked up.
const anonymous = /(?<![\w-])(?:[0-9a-f]{64}|[\w-]{43})(?![\w-])/g
/** Shorter ones would be met by accident, and guard nothing. */
const MIN_SECRET_LENGTH = 12

const configured = new Map<string, SecretKind>()
const learned = new Map<string, SecretKind>()
const leaks: string[] = []
const open = new Set<object>()

/** From now on, `secret` may turn up nowhere. */
export function protect(secret: string | null | undefined, kind: SecretKind = 'configured'): void {
  if (secret && secret.length >= MIN_SECRET_LENGTH) configured.set(secret, kind)
}

/** Protects what is secret among a process's variables, by their names. */
export function protectVariables(env: Readonly<Record<string, string | undefined>>): void {
  for (const [name, value] of Object.entries(env)) {
    if (/SECRET|PASSWORD|TOKEN/.test(name)) protect(value, name.startsWith('LOCAL_') ? 'root-key' : undefined)
    if (name === 'DATABASE_URL') protectPassword(value)
  }
}

export function protectPassword(url: string | null | undefined): void {
  if (url && URL.canParse(url)) protect(decodeURIComponent(new URL(url).password))
}

/** Remembers the secrets that a reply hands out rightly: they may be nowhere else. */
export function learn(text: string): void {
  for (const [, signature = ''] of text.matchAll(/x-oss-signature=([0-9a-f]{64})/g)) learned.set(signature, 'signature')
  for (const [, token = ''] of text.matchAll(/auth-server\?token=([\w-]{43})/g)) learned.set(token, 'auth-url')
}

/** Looks through `text`, which came out at `where`. Whatever is found is kept for {@link assertNoLeak}. */
export function watch(where: string, text: string, allowed: readonly SecretKind[] = []): void {
  const found: { kind: SecretKind; secret: string }[] = []
  for (const [kind, shape] of shapes) {
    if (allowed.includes(kind)) continue
    for (const [secret] of text.matchAll(shape)) found.push({ kind, secret })
  }
  for (const [secret, kind] of configured) {
    if (!allowed.includes(kind) && text.includes(secret)) found.push({ kind, secret })
  }
  if (learned.size > 0) {
    for (const [secret] of text.matchAll(anonymous)) {
      const kind = learned.get(secret)
      if (kind && !allowed.includes(kind)) found.push({ kind, secret })
    }
  }
  for (const { kind, secret } of found) leaks.push(`${kind} in ${where}: ${around(text, secret, found)}`)
}

/** Throws an error that names every leak since the last call, and shows no secret whole. */
export function assertNoLeak(): void {
  const all = [...new Set(leaks.splice(0))]
  if (all.length === 0) return
  const shown = all.slice(0, 20).map((leak) => `  ${leak}`)
  throw new Error([`${all.length} secrets turned up where none may be:`, ...shown].join('\n'))
}

/** Told of something that is looked through when it is closed. */
export function opened(thing: object): void {
  open.add(thing)
}

export function closed(thing: object): void {
  open.delete(thing)
}

/** The end of a test file. Throws for leaks nobody has heard of, and for what was never closed: nobody has looked into it. */
export function stopWatching(): void {
  assertNoLeak()
  if (open.size > 0)
    throw new Error(`${open.size} test apps or databases were not closed: nobody looked for secrets there`)
}

/** What stands before and after, so that the line can be found. */
function around(text: string, secret: string, found: readonly { secret: string }[]): string {
  const at = text.indexOf(secret)
  const [before, after] = [
    text.slice(Math.max(0, at - 120), at),
    text.slice(at + secret.length, at + secret.length + 60),
  ]
  const line = `${before}${secret}${after}`
  return found.reduce((left, one) => left.replaceAll(one.secret, `${one.secret.slice(0, 6)}…`), line)
}
