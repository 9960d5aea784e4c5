import { readFileSync, writeFileSync } from 'node:fs'
import { withRights } from './readme-rights.ts'

/* npm run docs: writes what the README says of RAM rights anew from the code. A test fails while they differ. */

const path = new URL('../README.md', import.meta.url)
writeFileSync(path, withRights(readFileSync(path, 'utf8')))
