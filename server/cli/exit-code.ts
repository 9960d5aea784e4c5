/** How every `partway` command ends. The meanings are part of the CLI's contract: scripts branch on them. */
export const exitCode = {
  /** Done. */
  ok: 0,
  /** The server, OSS or the local machine refused; the message says why. */
  failed: 1,
  /** Wrong arguments, or a variable that is missing or wrong. Nothing was tried. */
  usage: 2,
  /** Interrupted (Ctrl-C, SIGTERM). What was sent is kept: the same command goes on from there. */
  paused: 3,
  /** The server or OSS could not be reached, even after retries. What was sent is kept. */
  unreachable: 4,
  /** The token is missing, expired, or does not allow this. */
  unauthorized: 5,
  /** The file is not the one whose upload was begun. */
  sourceChanged: 6,
} as const

export type ExitCode = (typeof exitCode)[keyof typeof exitCode]

/** The table as `--help` shows it. */
export const exitCodeHelp = `
Exit codes:
  0  done
  1  failed; the message says why
  2  wrong arguments, or a wrong or missing variable
  3  interrupted; the same command goes on where it stopped
  4  the server or OSS could not be reached
  5  the token is missing, expired, or not allowed to do this
  6  the file is not the one whose upload was begun`

/** An expected end of a command: `message` is printed to stderr without a stack, and the process ends with `code`. */
export class CommandFailure extends Error {
  readonly code: ExitCode

  constructor(code: ExitCode, message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'CommandFailure'
    this.code = code
  }
}
