#!/usr/bin/env node
import { Command, CommanderError } from 'commander'
import { ConfigError } from '../config.ts'
import { packageVersion } from '../version.ts'
import { endOnClosedPipe } from './closed-pipe.ts'
import { CommandFailure, exitCode, exitCodeHelp } from './exit-code.ts'

/** Loaded by name: a client that sends a file has no use for Postgres, Prisma and a web server in its memory. */
const commands: Record<string, () => Promise<Command>> = {
  serve: async () => (await import('./serve.ts')).serveCommand,
  upload: async () => (await import('./upload.ts')).uploadCommand,
  list: async () => (await import('./list.ts')).listCommand,
  abort: async () => (await import('./abort.ts')).abortCommand,
  stale: async () => (await import('./stale.ts')).staleCommand,
  sweep: async () => (await import('./sweep.ts')).sweepCommand,
  orphans: async () => (await import('./orphans.ts')).orphansCommand,
  summary: async () => (await import('./summary.ts')).summaryCommand,
  token: async () => (await import('./token.ts')).tokenCommand,
  migrate: async () => (await import('./migrate.ts')).migrateCommand,
  'local-cloud': async () => (await import('./local-cloud.ts')).localCloudCommand,
  doctor: async () => (await import('./doctor.ts')).doctorCommand,
}

try {
  await run(process.argv)
} catch (error) {
  finish(error)
}

async function run(argv: string[]): Promise<void> {
  const program = new Command('partway')
    .description('Resumable uploads straight to Alibaba Cloud OSS.')
    .version(packageVersion())
    .addHelpText('after', exitCodeHelp)
    .exitOverride()
    .configureOutput({ writeOut: printHelp })
  const named = argv[2] ?? ''
  const loaded = Object.hasOwn(commands, named) ? [named] : Object.keys(commands)
  for (const name of loaded) {
    const command = await commands[name]?.()
    // Not inherited by commands made elsewhere: every way to be wrong shall end in `finish`, with the exit codes of the table.
    if (command) program.addCommand(command.exitOverride().configureOutput({ writeOut: printHelp }))
  }
  await program.parseAsync(argv)
}

function printHelp(text: string): void {
  process.stdout.once('error', endOnClosedPipe)
  process.stdout.write(text)
}

function finish(error: unknown): void {
  if (error instanceof CommanderError) {
    // Commander has printed its message; --help and --version end this way too.
    process.exitCode = error.exitCode === 0 ? exitCode.ok : exitCode.usage
    return
  }
  process.exitCode = error instanceof CommandFailure ? error.code : exitCode.failed
  if (error instanceof ConfigError) process.exitCode = exitCode.usage
  const isExpected = error instanceof CommandFailure || error instanceof ConfigError
  console.error(isExpected ? error.message : error)
}
