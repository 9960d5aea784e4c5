import {
  type CloudOperation,
  type CloudOperationUse,
  cloudOperations,
  type Sender,
} from '../server/cloud-operations.ts'
import { fixPolicy, serverPolicy, trustPolicy, uploaderRolePolicy } from '../server/ram-policies.ts'

/* What the README says of rights, written from the code that uses them. */

const accountId = '1234567890123456'
const places = { bucket: 'my-bucket', keyPrefix: 'uploads/' }
const policies = {
  server: serverPolicy({
    ...places,
    roleArn: `acs:ram::${accountId}:role/partway-uploader`,
    directPrefix: 'direct/',
  }),
  fix: fixPolicy(places),
  role: uploaderRolePolicy(places),
  trust: trustPolicy({ accountId, userName: 'partway-server' }),
}

const senderWords: Record<Sender, string> = {
  server: 'server',
  vended: 'vended credentials',
  'doctor --fix': '`doctor --fix`',
}
const resourceWords: Record<CloudOperationUse['on'], string> = {
  object: 'objects',
  bucket: 'the bucket',
  role: 'the role',
}

/** `readme` with the table of operations and every policy between their markers as the code means them. Throws where a marker is missing. */
export function withRights(readme: string): string {
  const written = between(readme, '<!-- operations -->\n', '\n<!-- /operations -->', operationTable())
  return Object.entries(policies).reduce(
    (text, [name, policy]) =>
      between(text, `<!-- policy: ${name} -->\n\`\`\`json\n`, '\n```', JSON.stringify(policy, null, 2)),
    written,
  )
}

function operationTable(): string {
  const rows = (Object.entries(cloudOperations) as [CloudOperation, CloudOperationUse][]).map(
    ([name, { action, on, senders, why }]) =>
      `| ${name} | \`${action}\` | ${resourceWords[on]} | ${senders.map((sender) => senderWords[sender]).join(', ')} | ${why} |`,
  )
  return ['| operation | action | on | right of | for |', '| --- | --- | --- | --- | --- |', ...rows].join('\n')
}

function between(text: string, start: string, end: string, content: string): string {
  const from = text.indexOf(start)
  const to = text.indexOf(end, from + start.length)
  if (from < 0 || to < 0 || text.indexOf(start, to) >= 0)
    throw new Error(`README.md must hold once: ${start.trim()} … ${end.trim()}`)
  return text.slice(0, from + start.length) + content + text.slice(to)
}
