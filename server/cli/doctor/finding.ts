import type { Config } from '../../config.ts'
import { withoutSecrets } from '../../log.ts'
import { ossErrorOf } from '../../oss/bucket-settings.ts'
import { explainOssError } from './explain-oss-error.ts'

/** One thing the doctor looked at, in words for an operator. */
export interface Check {
  name: string
  status: 'ok' | 'failed' | 'skipped'
  detail: string
}

export type Finding = Omit<Check, 'name'>

export const ok = (detail: string): Finding => ({ status: 'ok', detail })
export const failed = (detail: string): Finding => ({ status: 'failed', detail })
export const skipped = (detail: string): Finding => ({ status: 'skipped', detail })

/** What `find` finds. Whatever it throws is a failure of this check, and hides no other. */
export async function check(config: Config, name: string, find: () => Promise<Finding>): Promise<Check> {
  try {
    return { name, ...(await find()) }
  } catch (error) {
    const said = ossErrorOf(error)
    const explained = said && explainOssError(said, config)
    const detail = explained ? `${explained} (${said.message})` : reasonOf(error)
    return { name, status: 'failed', detail: withoutSecrets(detail) }
  }
}

/** The error's message and those of its causes: an operator reads this, not a caller. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause instanceof Error ? ` ${reasonOf(error.cause)}` : ''
  return `${error.message || error.name}${cause}`
}
