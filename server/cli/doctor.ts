import { Command } from 'commander'
import { ConfigError, loadConfig } from '../config.ts'
import type { Check } from './doctor/finding.ts'
import { checkEverything, type DoctorOptions } from './doctor-checks.ts'
import { type ExitCode, exitCode } from './exit-code.ts'

const marks = { ok: 'ok  ', failed: 'FAIL', skipped: 'skip' } as const

export const doctorCommand = new Command('doctor')
  .description('check configuration, database, object storage, rights, clocks and tokens, and say what to do')
  .option('--json', 'print one JSON object')
  .option('--live', 'also start an upload, send a part as it should be and as it should not, and give it up')
  .option('--fix', 'first add the lifecycle and CORS rules that the bucket lacks; no other rule is changed')
  .action(async ({ json, live = false, fix = false }: { json?: boolean; live?: boolean; fix?: boolean }) => {
    const { checks, code } = await diagnose({ isLive: live, isFixing: fix })
    if (json) console.log(JSON.stringify({ ok: code === exitCode.ok, checks }))
    else for (const { name, status, detail } of checks) console.log(`${marks[status]}  ${name}: ${detail}`)
    process.exitCode = code
  })

async function diagnose(options: DoctorOptions): Promise<{ checks: Check[]; code: ExitCode }> {
  try {
    const config = loadConfig()
    const usable: Check = {
      name: 'configuration',
      status: 'ok',
      detail: `${config.environment}, every variable is usable`,
    }
    const checks = [usable, ...(await checkEverything(config, options))]
    return { checks, code: checks.some((check) => check.status === 'failed') ? exitCode.failed : exitCode.ok }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const checks = error.problems.map(({ variable, detail }): Check => {
      return { name: 'configuration', status: 'failed', detail: `${variable} ${detail}` }
    })
    return { checks, code: exitCode.usage }
  }
}
