#!/usr/bin/env node
import { Command, CommanderError } from 'commander'
import { ConfigError } from '../config.ts'
import { packageVersion } from '../version.ts'
import { abortCommand } from './abort.ts'
import { doctorCommand } from './doctor.ts'
import { CommandFailure, exitCode, exitCodeHelp } from './exit-code.ts'
import { listCommand } from './list.ts'
import { localCloudCommand } from './local-cloud.ts'
import { migrateCommand } from './migrate.ts'
import { serveCommand } from './serve.ts'
import { tokenCommand } from './token.ts'

const program = new Command('partway')
  .description('Resumable uploads straight to Alibaba Cloud OSS.')
  .version(packageVersion())
  .addHelpText('after', exitCodeHelp)

for (const command of [
  serveCommand,
  listCommand,
  abortCommand,
  tokenCommand,
  migrateCommand,
  localCloudCommand,
  doctorCommand,
]) {
  // Not inherited by commands made elsewhere: every way to be wrong shall end in `finish`, with the exit codes of the table.
  program.addCommand(command.exitOverride())
}

try {
  await program.exitOverride().parseAsync()
} catch (error) {
  finish(error)
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
