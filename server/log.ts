import { type DestinationStream, type Logger as PinoLogger, pino, stdSerializers } from 'pino'

export type Logger = PinoLogger

const redacted = '[redacted]'

// Fields, parameters and elements that hold a secret, wherever they turn up. `url` of a grant is caught by its parameters.
const secretFields =
  'authorization|proxy-authorization|cookie|set-cookie|x-oss-security-token|security-?token|accessKeySecret|access_?token|password|jwtSecret|secret'
const secretParameters =
  'x-oss-signature|x-oss-credential|x-oss-security-token|security-?token|signature|access_?key_?secret|access_?token|token|password'

// Callers choose parts of a line: no pattern may take more than linear time, so repeats that can start anywhere are bounded.
const rules: readonly (readonly [RegExp, string])[] = [
  // "field":"value" of the line itself, then of JSON quoted inside a string.
  [new RegExp(`"(${secretFields})":\\s*"(?:[^"\\\\]|\\\\.)*"`, 'gi'), `"$1":"${redacted}"`],
  [new RegExp(`\\\\"(${secretFields})\\\\":\\s*\\\\"[^"\\\\]*`, 'gi'), `\\"$1\\":\\"${redacted}`],
  // name=value of a query, also when the whole URL is percent-encoded inside another.
  [new RegExp(`(?<![a-z0-9_])(${secretParameters})(=|%3D)(?:(?!%26)[^&\\s"'\\\\<>])+`, 'gi'), `$1$2${redacted}`],
  [/<(SecurityToken|AccessKeySecret)>[^<]*/gi, `<$1>${redacted}`],
  [/\b(Bearer|OSS4-HMAC-SHA256|OSS) +[A-Za-z0-9._~+/=:,-]{8,}( *[A-Za-z]+=[^\s"\\]+)*/g, `$1 ${redacted}`],
  [/\bwhsec_[A-Za-z0-9+/]+=*/g, redacted],
  // A JWT that stands anywhere by itself, and the password of a connection URL.
  [/(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g, redacted],
  [/\b([a-z][a-z0-9+.-]{0,20}:\/\/[^\s:/@"\\]*):[^\s/@"\\]+@/gi, `$1:${redacted}@`],
]

/** `text` without the secrets that can be recognised in it: bearer tokens, signed URLs, security tokens, passwords. */
export function withoutSecrets(text: string): string {
  return rules.reduce((line, [pattern, replacement]) => line.replace(pattern, replacement), text)
}

/**
 * A logger that writes JSON lines, to stdout by default. Every finished line is scrubbed as a whole, so that a secret is kept out at
 * any depth, in messages, error causes and stacks alike, and not only in the fields somebody thought of.
 */
export function createLogger(options: { level: string; destination?: DestinationStream }): Logger {
  const settings = {
    level: options.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: stdSerializers.err },
    hooks: { streamWrite: withoutSecrets },
  }
  return options.destination ? pino(settings, options.destination) : pino(settings)
}
