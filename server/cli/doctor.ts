import { Command } from 'commander'
import { ConfigError, loadConfig } from '../config.ts'
import { type Check, checkEverything } from './doctor-checks.ts'
import { type ExitCode, exitCode } from './exit-code.ts'

const marks = { ok: 'ok  ', failed: 'FAIL', skipped: 'skip' } as const

export const doctorCommand = new Command('doctor')
  .description('check configuration, database, object storage, rights, clocks and tokens, and say what to do')
  .option('--json', 'print one JSON object')
  .action(async ({ json }: { json?: boolean }) => {
    const { checks, code } = await diagnose()
    if (json) console.log(JSON.stringify({ ok: code === exitCode.ok, checks }))
    else for (const { name, status, detail } of checks) console.log(`${marks[status]}  ${name}: ${detail}`)
    process.exitCode = code
  })

async function diagnose(): Promise<{ checks: Check[]; code: ExitCode }> {
  try {
    const config = loadConfig()
    const usable: Check = {
      name: 'configuration',
      status: 'ok',
      detail: `${config.environment}, every variable is usable`,
    }
    const checks = [usable, ...(await checkEverything(config))]
    return { checks, code: checks.some((check) => check.status === 'failed') ? exitCode.failed : exitCode.ok }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const checks = error.problems.map(({ variable, detail }): Check => {
      return { name: 'configuration', status: 'failed', detail: `${variable} ${detail}` }
    })
    return { checks, code: exitCode.usage }
  }
}
